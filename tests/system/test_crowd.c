// SPDX-License-Identifier: Apache-2.0
#include "rounds.h"
#include "support/daemon.h"
#include "support/harness.h"

#include "base/clock.h"

#include <filemem/filemem.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Ten thousand sessions. One that connects takes two descriptors of the daemon, a peer takes one:
 * where there are not enough for that, some are peers.
 */
#define CROWD     10000
#define SPARE_FDS 2000

static rlim_t fd_limit;

/* Says Hello and takes the Welcome, without the descriptor that comes with it. */
static void greet(int fd)
{
        static const char hello[] = "\x0a\x02\x08\x01";
        char welcome[256];

        ck_assert_int_eq(send(fd, hello, 4, 0), 4);
        ck_assert_int_gt(recv(fd, welcome, sizeof(welcome), 0), 0);
        ck_assert_int_eq(welcome[0], 0x0a); /* ToClient.welcome */
}

static uint64_t count_listed(struct raw *raw)
{
        uint64_t after = 0, count = 0;

        do {
                struct raw_operation operation;
                const Filemem__SessionsPage *page;

                raw_sessions(&operation, after, 0);
                page = raw_do(raw, &operation)->sessions;
                count += page->n_sessions;
                after = page->next;
        } while (after);
        return count;
}

/* Returns how many sessions connect; the others are peers of `opener`. */
static int fill(const struct daemon *daemon, filemem_session *opener, int *fds)
{
        rlim_t most = (fd_limit - SPARE_FDS) - CROWD;
        int connected = most < CROWD ? (int)most : CROWD;

        for (int i = 0; i < CROWD; i++) {
                if (i < connected)
                        fds[i] = rounds_connect(daemon->socket);
                else
                        ck_assert_int_eq(filemem_open_peer(opener, NULL, &fds[i]), 0);
                greet(fds[i]);
        }
        return connected;
}

START_TEST(ten_thousand_idle_sessions_take_little_each)
{
        static int fds[CROWD];
        uint64_t before, alone, crowded;
        filemem_session *opener;
        int connected;
        struct daemon daemon;
        struct raw raw;

        daemon_start(&daemon, "[limits]\nuser_sessions = none\ntotal_sessions = none\n"
                              "user_peers = none\nsession_peers = none\n");
        ck_assert_int_eq(filemem_open(daemon.socket, NULL, &opener), 0);
        raw_open(&raw, daemon.socket, "first");
        alone = rounds_measure(&raw, NULL);
        before = rounds_read_status(daemon.pid, "VmRSS");
        connected = fill(&daemon, opener, fds);
        ck_assert_uint_eq(count_listed(&raw), CROWD + 2);
        fprintf(stderr, "%llu bytes for each of %d idle sessions, %d of them connected\n",
                (unsigned long long)((rounds_read_status(daemon.pid, "VmRSS") - before) / CROWD),
                CROWD, connected);
        if (harness_slowness() == 1) /* sanitizers take much themselves */
                ck_assert_uint_le(rounds_read_status(daemon.pid, "VmRSS") - before,
                        (uint64_t)CROWD * SESSION_BYTES_MAX);
        crowded = rounds_measure(&raw, NULL);
        ck_assert_uint_lt(crowded, 4 * alone + NSEC_PER_MSEC);
        for (int i = 0; i < CROWD; i++)
                close(fds[i]);
        for (int i = 0; i < 2000 && count_listed(&raw) > 2; i++)
                usleep(5000);
        ck_assert_uint_eq(count_listed(&raw), 2);
        filemem_close(opener);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

int main(void)
{
        struct rlimit limit;
        Suite *suite;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 1;
        limit.rlim_cur = limit.rlim_max;
        fd_limit = limit.rlim_max;
        if (fd_limit < CROWD + SPARE_FDS || setrlimit(RLIMIT_NOFILE, &limit) < 0) {
                fprintf(stderr, "skipped: needs %d descriptors\n", CROWD + SPARE_FDS);
                return 77;
        }
        suite = suite_create("crowd");
        tcase_add_test(
                harness_case(suite, "crowd", 120), ten_thousand_idle_sessions_take_little_each);
        return harness_run(suite);
}
