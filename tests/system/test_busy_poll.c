// SPDX-License-Identifier: Apache-2.0
/*
 * How the real daemon waits for the next request: awake as long as that pays, asleep otherwise.
 * What it does is seen in what the kernel counts: how often it slept of its own will, and its time.
 */
#include "base/clock.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PINGS    500
#define PAUSES   100
#define PATIENCE (60 * NSEC_PER_SEC)

static struct daemon the_daemon;
static filemem_session *session;

static void begin(const char *config)
{
        daemon_start(&the_daemon, config);
        ck_assert_int_eq(filemem_open(the_daemon.socket, NULL, &session), 0);
}

static void tear_down(void)
{
        session = filemem_close(session);
        daemon_stop(&the_daemon);
}

/* The number behind `name` in a file of the kernel's about the daemon's main thread. */
static uint64_t read_number(const char *kind, const char *name)
{
        size_t length = strlen(name);
        char path[64], line[128];
        bool found = false;
        uint64_t number = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/%s", the_daemon.pid, kind);
        file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        while (!found && fgets(line, sizeof(line), file)) {
                found = strncmp(line, name, length) == 0;
                if (found)
                        number = strtoull(line + length, NULL, 10);
        }
        fclose(file);
        ck_assert_msg(found, "%s has no %s", path, name);
        return number;
}

static uint64_t count_sleeps(void)
{
        return read_number("status", "voluntary_ctxt_switches:");
}

/* ns on a processor. */
static uint64_t count_time(void)
{
        return read_number("schedstat", "");
}

/* How often the daemon sleeps while that many requests come one after the other. */
static uint64_t ping(unsigned times)
{
        uint64_t before = count_sleeps();

        while (times--)
                ck_assert_int_eq(filemem_ping(session), 0);
        return count_sleeps() - before;
}

static void nap(long nanoseconds)
{
        nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
}

/* Others may want the processors too: it is enough that it happens once. */
START_TEST(daemon_is_awake_when_the_next_request_comes_soon)
{
        uint64_t until = clock_now() + PATIENCE;

        begin(NULL);
        if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
                puts("not tested: with one processor only one of the two is awake");
                return;
        }
        while (ping(PINGS) > PINGS / 4)
                ck_assert_msg(clock_now() < until, "the daemon sleeps each time");
}
END_TEST

/* How often it sleeps while requests come some tenths of a millisecond one after the other. */
static uint64_t ping_with_pauses(void)
{
        uint64_t before = count_sleeps();

        for (int i = 0; i < PAUSES; i++) {
                ck_assert_int_eq(filemem_ping(session), 0);
                nap(200000);
        }
        return count_sleeps() - before;
}

START_TEST(reload_turns_it_on_and_off)
{
        uint64_t until = clock_now() + PATIENCE;

        begin("[daemon]\nbusy_poll = 0\n");
        while (ping_with_pauses() < PAUSES / 2)
                ck_assert_msg(clock_now() < until, "the daemon polls");
        daemon_write_config(&the_daemon, "[daemon]\nbusy_poll = 1000\n");
        ck_assert_int_eq(filemem_reload(session), 0);
        while (ping_with_pauses() > PAUSES / 4)
                ck_assert_msg(clock_now() < until, "the daemon does not poll");
        daemon_write_config(&the_daemon, "[daemon]\nbusy_poll = 0\n");
        ck_assert_int_eq(filemem_reload(session), 0);
        while (ping_with_pauses() < PAUSES / 2)
                ck_assert_msg(clock_now() < until, "the daemon still polls");
}
END_TEST

/* Each of them is worth a moment alone, of 1 ms, if at all. */
START_TEST(daemon_gives_it_up_where_requests_are_rare)
{
        uint64_t time;

        begin("[daemon]\nbusy_poll = 1000\n");
        ping(PINGS);
        for (int i = 0; i < 10; i++) {
                nap(5000000);
                ping(1);
        }
        time = count_time();
        for (int i = 0; i < 100; i++) {
                nap(5000000);
                ping(1);
        }
        time = count_time() - time;
        /* With a few trials, and what the pings themselves take. */
        ck_assert_msg(time < 60 * NSEC_PER_USEC * 1000, "%llu us for a hundred requests",
                (unsigned long long)(time / NSEC_PER_USEC));
}
END_TEST

START_TEST(idle_daemon_takes_no_time)
{
        uint64_t time;

        begin("[daemon]\nbusy_poll = 1000\n");
        ping(PINGS);
        nap(20000000);
        time = count_time();
        nap(500000000);
        ck_assert_uint_lt(count_time() - time, 10 * NSEC_PER_USEC * 1000);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("busy_poll");
        TCase *tests = harness_case(suite, "busy_poll", 120);

        tcase_add_checked_fixture(tests, NULL, tear_down);
        tcase_add_test(tests, daemon_is_awake_when_the_next_request_comes_soon);
        tcase_add_test(tests, daemon_gives_it_up_where_requests_are_rare);
        tcase_add_test(tests, idle_daemon_takes_no_time);
        tcase_add_test(tests, reload_turns_it_on_and_off);
        return harness_run(suite);
}
