// SPDX-License-Identifier: Apache-2.0
#include "rounds.h"
#include "support/daemon.h"
#include "support/harness.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* A user who does all that costs the daemon something, and another one beside. */
#define HOSTILE_UID      4242
#define HOLED_PAGES      200000
#define HOSTILE_SESSIONS 200
#define HOSTILE_RANGES   50000
#define HOSTILE_REPLIES  (UINT64_C(4) << 20)
#define HOSTILE_REQUESTS 8

/* Rounds of checkerboards; each alone would be more ranges than that user may have. */
#define CHECKERBOARDS 10

/* How long it is looked at when it does what it can, and how long it may take until then. */
#define AFTERWARDS (3 * NSEC_PER_SEC)
#define PATIENCE   (60 * NSEC_PER_SEC)
#define STALL      (2 * NSEC_PER_SEC)

static const char hostile_config[] =
        "[daemon]\nsocket_mode = 0666\n"
        "[limits]\nuser_sessions = 200\nuser_ranges = 50000\nuser_replies = 4M\n"
        "user_requests = 8\n"
        "[pool default]\ncapacity = 16G\n";

/*
 * What that user can make the daemon take: for a range an entry of the holdings and two of the
 * pool's tree, in nodes that are at least two fifths full, all of it twice for holes; for a request
 * that waits its two arenas and the request.
 */
#define RANGE_BYTES   (3 * 1040 * 5 / (2 * 59))
#define REQUEST_BYTES (UINT64_C(1500) * 1024)
#define HOSTILE_BOUND                                                                              \
        ((uint64_t)HOSTILE_SESSIONS * SESSION_BYTES_MAX + HOSTILE_REPLIES +                        \
                (uint64_t)2 * HOSTILE_RANGES * RANGE_BYTES + HOSTILE_REQUESTS * REQUEST_BYTES +    \
                (UINT64_C(4) << 20))

/* Whatever comes of it. */
static void ask_and_ignore(int fd, const struct raw_operation *operations, size_t count)
{
        static uint8_t buffer[WIRE_MESSAGE_MAX];
        Filemem__Operation *list[WIRE_OPERATIONS_MAX];
        Filemem__Request request = FILEMEM__REQUEST__INIT;
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        ssize_t size;

        for (size_t i = 0; i < count; i++)
                list[i] = (Filemem__Operation *)(uintptr_t)&operations[i].operation;
        request.operations = list;
        request.n_operations = count;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        size = wire_encode_to_daemon(&message, buffer);
        ck_assert_int_gt(size, 0);
        (void)!send(fd, buffer, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Ranges of single pages, of alternating kinds, and then holes in them, without a reply. */
static void make_checkerboard(int fd)
{
        static struct raw_operation operations[WIRE_OPERATIONS_MAX];
        static uint64_t next;

        for (size_t i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                raw_allocate(&operations[i], i % 8 ? PAGE : 64 * PAGE, 1 + (int)(i % 2));
                operations[i].operation.no_reply = true;
        }
        ask_and_ignore(fd, operations, WIRE_OPERATIONS_MAX);
        for (size_t i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                uint64_t page = (next += 7919) % 500000;

                raw_decref(&operations[i], page * PAGE, (page + 1) * PAGE);
                operations[i].operation.no_reply = true;
        }
        ask_and_ignore(fd, operations, WIRE_OPERATIONS_MAX);
}

/* A range with a hole in every second page, as far as that goes: each makes one range more. */
static void make_holes(struct raw *raw, uint64_t start)
{
        static struct raw_operation operations[WIRE_OPERATIONS_MAX];

        for (uint64_t page = 1; page < HOLED_PAGES; page += UINT64_C(2) * WIRE_OPERATIONS_MAX) {
                for (uint64_t i = 0; i < WIRE_OPERATIONS_MAX; i++)
                        raw_decref(&operations[i], start + (page + 2 * i) * PAGE,
                                start + (page + 2 * i + 1) * PAGE);
                raw_receive_reply(raw, raw_request(raw, operations, WIRE_OPERATIONS_MAX));
        }
}

/* Expensive answers that nobody takes, and work for the other threads between them. */
static void ask_for_much(int fd)
{
        static struct raw_operation operations[WIRE_OPERATIONS_MAX];

        for (size_t i = 0; i < WIRE_OPERATIONS_MAX; i++) {
                if (i == 0)
                        raw_dump(&operations[i], 0, 0);
                else if (i % 16 == 1)
                        raw_decommit(&operations[i], 0, PAGE * 16, true);
                else
                        raw_usage(&operations[i]);
        }
        ask_and_ignore(fd, operations, WIRE_OPERATIONS_MAX);
}

static int connect_one(const char *path)
{
        int fd = rounds_connect(path);

        (void)!send(fd, "\x0a\x02\x08\x01", 4, MSG_NOSIGNAL);
        return fd;
}

/* Whether the daemon has let it in no longer, or never. */
static bool is_over(int fd)
{
        struct pollfd end = {.fd = fd};

        return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

/* Some come again all the time: at first whoever it is, and then who was not let in. */
static bool comes_again(int i, int fd, int round)
{
        if (i % 20 != round % 20)
                return false;
        return round < CHECKERBOARDS || is_over(fd);
}

/* Never ends by itself. In *round is how far it has come. */
static void mean_harm(const char *path, _Atomic int *round)
{
        struct rlimit limit = {4096, 4096};
        int fds[2 * HOSTILE_SESSIONS];
        struct raw raw;
        uint64_t start;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setrlimit(RLIMIT_NOFILE, &limit);
        if (setgid(HOSTILE_UID) < 0 || setuid(HOSTILE_UID) < 0)
                _exit(1);
        raw_open(&raw, path, "holes");
        start = raw_get(&raw, (HOLED_PAGES + 2 * WIRE_OPERATIONS_MAX) * PAGE, 1);
        for (int i = 0; i < 2 * HOSTILE_SESSIONS; i++)
                fds[i] = connect_one(path);
        for (;; ++*round) {
                if (*round == CHECKERBOARDS)
                        make_holes(&raw, start);
                for (int i = 0; i < 2 * HOSTILE_SESSIONS; i++) {
                        if (*round < CHECKERBOARDS)
                                make_checkerboard(fds[i]);
                        else
                                ask_for_much(fds[i]);
                        if (comes_again(i, fds[i], *round)) {
                                close(fds[i]);
                                fds[i] = connect_one(path);
                        }
                }
        }
}

static uint64_t used_in_total(struct raw *raw, int limit)
{
        struct raw_operation operation;

        raw_limits(&operation);
        return raw_do(raw, &operation)->limits->limits[limit]->total->used;
}

/*
 * Looks on until that user has done what it can, and some seconds more. Says how much of the limits
 * was used at the most.
 */
static void watch(struct raw *raw, const struct daemon *daemon, const _Atomic int *round,
        uint64_t before, uint64_t alone)
{
        uint64_t most[7] = {0}, begun = clock_now(), full_at = 0, worst, middle;
        uint64_t bound = (8 * alone + 2 * NSEC_PER_MSEC) * harness_slowness();
        uint64_t worst_middle = 0, worst_of_all = 0;
        unsigned measured = 0, slow = 0;

        while (clock_now() < (full_at ? full_at + AFTERWARDS : begun + PATIENCE)) {
                for (int i = 0; i < 7; i++) {
                        uint64_t used = used_in_total(raw, i);

                        most[i] = used > most[i] ? used : most[i];
                }
                middle = rounds_measure(raw, &worst);
                measured++;
                slow += middle >= bound;
                worst_middle = middle > worst_middle ? middle : worst_middle;
                worst_of_all = worst > worst_of_all ? worst : worst_of_all;
                if (!full_at && *round > CHECKERBOARDS)
                        full_at = clock_now();
        }
        fprintf(stderr,
                "hostile: %llu sessions, %llu ranges, %llu bytes of replies, %llu requests; daemon "
                "%llu of %llu KiB more; rounds of another user %llu us alone, %llu us beside, "
                "worst %llu us\n",
                (unsigned long long)most[3], (unsigned long long)most[2],
                (unsigned long long)most[5], (unsigned long long)most[6],
                (unsigned long long)(rounds_read_status(daemon->pid, "VmHWM") - before) / 1024,
                (unsigned long long)HOSTILE_BOUND / 1024, (unsigned long long)alone / 1000,
                (unsigned long long)worst_middle / 1000, (unsigned long long)worst_of_all / 1000);
        /* It did what it could, */
        ck_assert_uint_ge(most[3], HOSTILE_SESSIONS);
        ck_assert_uint_gt(most[2], HOSTILE_RANGES);
        ck_assert_uint_gt(most[5], 0);
        /* and that was all: one session and some ranges are ours. */
        ck_assert_uint_le(most[3], HOSTILE_SESSIONS + 1);
        ck_assert_uint_le(most[2], 2 * HOSTILE_RANGES + 2);
        ck_assert_uint_le(most[5], HOSTILE_REPLIES);
        ck_assert_uint_le(most[6], HOSTILE_REQUESTS);
        if (harness_slowness() == 1) /* sanitizers take much themselves */
                ck_assert_uint_le(rounds_read_status(daemon->pid, "VmHWM") - before, HOSTILE_BOUND);
        /* The machine may have others to serve for a moment. */
        ck_assert_msg(slow <= measured / 4, "%u of %u times slow: %llu us", slow, measured,
                (unsigned long long)worst_middle / 1000);
        ck_assert_uint_lt(worst_of_all, STALL * harness_slowness());
}

START_TEST(user_who_means_harm_costs_a_bounded_amount_and_others_no_time)
{
        uint64_t before, alone;
        struct daemon daemon;
        _Atomic int *round;
        struct raw raw;
        pid_t pid;

        round = mmap(
                NULL, sizeof(*round), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(round, MAP_FAILED);
        daemon_prepare(&daemon);
        ck_assert_int_eq(chmod(daemon.folder, 0755), 0);
        daemon_launch(&daemon, hostile_config);
        raw_open(&raw, daemon.socket, "honest");
        alone = rounds_measure(&raw, NULL);
        before = rounds_read_status(daemon.pid, "VmRSS");
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                mean_harm(daemon.socket, round);
        watch(&raw, &daemon, round, before, alone);
        ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0); /* it went on to the end */
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        for (int i = 0; i < 4000 && (used_in_total(&raw, 2) || used_in_total(&raw, 3) > 1); i++)
                usleep(5000);
        for (int i = 0; i < 7; i++)
                if (i != 1 && i != 3)
                        ck_assert_uint_eq(used_in_total(&raw, i), 0);
        ck_assert_uint_eq(used_in_total(&raw, 3), 1);
        raw_close(&raw);
        daemon_stop(&daemon);
        munmap(round, sizeof(*round));
}
END_TEST

int main(void)
{
        Suite *suite;

        if (geteuid() != 0) {
                fprintf(stderr, "skipped: needs root, to be another user\n");
                return 77;
        }
        suite = suite_create("hostile user");
        tcase_add_test(harness_case(suite, "user", 120),
                user_who_means_harm_costs_a_bounded_amount_and_others_no_time);
        return harness_run(suite);
}
