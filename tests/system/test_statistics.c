// SPDX-License-Identifier: Apache-2.0
/* The statistics page, as the library reads it from the real daemon. */
#include "test_statistics.h"

#include "support/raw.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct daemon the_daemon;

void statistics_start(void)
{
        daemon_start(&the_daemon, "[daemon]\nsocket_mode = 0666\nadmin_group = 60102\n"
                                  "[pool default]\ncapacity = 64M\njoin = *\n"
                                  "[pool hers]\ncapacity = 32M\njoin = 60001\n");
        ck_assert_int_eq(chmod(the_daemon.folder, 0711), 0);
}

void statistics_stop(void)
{
        daemon_stop(&the_daemon);
}

filemem_session *open_session(const char *label, bool no_pool)
{
        const struct filemem_options options = {
                .size = sizeof(options), .label = label, .no_pool = no_pool};
        filemem_session *session;

        ck_assert_msg(filemem_open(the_daemon.socket, &options, &session) == 0, "%s",
                filemem_open_error());
        return session;
}

filemem_statistics *open_statistics(filemem_session *session)
{
        filemem_statistics *statistics;

        ck_assert_msg(filemem_statistics_open(session, &statistics) == 0, "%s",
                filemem_last_error(session));
        return statistics;
}

static struct filemem_range allocate(filemem_session *session, uint64_t length)
{
        struct filemem_range range;

        ck_assert_int_eq(filemem_allocate(session, length, FILEMEM_ANONYMOUS, &range), 0);
        return range;
}

struct filemem_statistics_totals settle(const filemem_statistics *statistics)
{
        struct filemem_statistics_totals before, now;

        ck_assert_int_eq(filemem_statistics_totals(statistics, &before), 0);
        for (int i = 0; i < 3000; i++) {
                ck_assert_int_eq(filemem_statistics_totals(statistics, &now), 0);
                if (now.now > before.now + 2 * before.interval)
                        return now;
                usleep(10000);
        }
        ck_abort_msg("the daemon does not write");
}

bool find_session(
        const filemem_statistics *statistics, uint64_t id, struct filemem_statistics_session *ret)
{
        size_t place = 0;
        int r;

        while ((r = filemem_statistics_next_session(statistics, &place, ret)) > 0)
                if (ret->id == id)
                        return true;
        ck_assert_int_eq(r, 0);
        return false;
}

bool find_pool(
        const filemem_statistics *statistics, const char *name, struct filemem_statistics_pool *ret)
{
        size_t place = 0;
        int r;

        while ((r = filemem_statistics_next_pool(statistics, &place, ret)) > 0)
                if (strcmp(ret->name, name) == 0)
                        return true;
        ck_assert_int_eq(r, 0);
        return false;
}

static uint64_t count_durations(const filemem_statistics *statistics, const char *name)
{
        struct filemem_statistics_durations durations;
        size_t place = 0;

        while (filemem_statistics_next_durations(statistics, &place, &durations) > 0) {
                uint64_t sum = 0;

                for (size_t i = 0; i < FILEMEM_STATISTICS_BUCKETS; i++)
                        sum += durations.buckets[i];
                ck_assert_uint_eq(sum, durations.count);
                if (strcmp(durations.name, name) == 0)
                        return sum;
        }
        return 0;
}

static uint64_t count_refusals(const filemem_statistics *statistics, const char *name)
{
        struct filemem_statistics_refusal refusal;
        size_t place = 0;

        while (filemem_statistics_next_refusal(statistics, &place, &refusal) > 0)
                if (strcmp(refusal.name, name) == 0)
                        return refusal.count;
        return 0;
}

/* ---- what is in it --------------------------------------------------------------------------- */

START_TEST(totals_are_what_was_done)
{
        filemem_session *watcher = open_session("watcher", true);
        filemem_session *session = open_session("worker", false);
        filemem_statistics *statistics = open_statistics(watcher);
        struct filemem_statistics_totals before = settle(statistics), now;
        struct filemem_range range = allocate(session, 8 * PAGE);

        allocate(session, 2 * PAGE);
        range.end = range.start + 3 * PAGE;
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ck_assert_int_eq(filemem_decref(session, range), -ENOENT);
        now = settle(statistics);
        ck_assert_uint_eq(now.pid, (uint64_t)the_daemon.pid);
        ck_assert_str_eq(now.version, FILEMEM_VERSION);
        ck_assert_uint_eq(now.all, getuid() == 0);
        ck_assert_uint_eq(now.pools, 2);
        ck_assert_uint_eq(now.sessions, 2);
        ck_assert_uint_eq(now.requests - before.requests, 4);
        ck_assert_uint_eq(now.operations - before.operations, 4);
        ck_assert_uint_eq(now.refusals - before.refusals, 1);
        ck_assert_uint_eq(now.allocations - before.allocations, 2);
        ck_assert_uint_eq(now.allocated_bytes - before.allocated_bytes, 10 * PAGE);
        ck_assert_uint_eq(now.releases - before.releases, 1);
        ck_assert_uint_eq(now.released_bytes - before.released_bytes, 3 * PAGE);
        ck_assert_uint_eq(now.allocated[FILEMEM_ANONYMOUS], 7 * PAGE);
        ck_assert_uint_eq(now.capacity, UINT64_C(96) << 20);
        filemem_statistics_close(statistics);
        filemem_close(session);
        filemem_close(watcher);
}
END_TEST

START_TEST(a_pool_shows_its_memory_and_its_largest_gap)
{
        filemem_session *session = open_session("worker", false);
        filemem_statistics *statistics = open_statistics(session);
        struct filemem_range range = allocate(session, 16 * PAGE);
        struct filemem_statistics_pool pool;
        struct filemem_usage usage;
        void *address;

        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        memset(address, 1, 4 * PAGE);
        ck_assert_int_eq(filemem_update_usage(session, &usage), 0);
        settle(statistics);
        ck_assert(find_pool(statistics, "default", &pool));
        ck_assert_uint_eq(pool.capacity, UINT64_C(64) << 20);
        ck_assert_uint_eq(pool.allocated[FILEMEM_ANONYMOUS], 16 * PAGE);
        ck_assert_uint_eq(pool.committed[FILEMEM_ANONYMOUS], 4 * PAGE);
        ck_assert_uint_eq(pool.stored, 4 * PAGE);
        ck_assert_uint_eq(pool.entries, 1);
        ck_assert_uint_eq(pool.sessions, 1);
        ck_assert_uint_eq(pool.largest_gap, pool.capacity - 16 * PAGE);
        ck_assert_uint_eq(pool.limit, FILEMEM_UNLIMITED);
        ck_assert_uint_ne(pool.scanned_at, 0);
        memset((char *)address + 4 * PAGE, 1, PAGE);
        settle(statistics);
        ck_assert(find_pool(statistics, "default", &pool));
        ck_assert_uint_eq(pool.stored, 5 * PAGE); /* without a scan */
        filemem_statistics_close(statistics);
        filemem_close(session);
}
END_TEST

START_TEST(a_session_shows_what_it_did_and_goes_when_it_ends)
{
        filemem_session *watcher = open_session("watcher", true);
        filemem_session *session = open_session("worker", false);
        filemem_statistics *statistics = open_statistics(watcher);
        uint64_t id = filemem_session_id(session);
        struct filemem_statistics_session found;
        struct filemem_statistics_totals totals;

        ck_assert_int_eq(filemem_decref(session, allocate(session, 4 * PAGE)), 0);
        allocate(session, PAGE);
        totals = settle(statistics);
        ck_assert(find_session(statistics, id, &found));
        ck_assert_str_eq(found.label, "worker");
        ck_assert_str_eq(found.pool_name, "default");
        ck_assert_uint_eq(found.pid, (uint64_t)getpid());
        ck_assert_uint_eq(found.uid, getuid());
        ck_assert_uint_eq(found.held, PAGE);
        ck_assert_uint_ge(found.ranges, 1); /* what was freed and is still there counts */
        ck_assert_uint_eq(found.requests, 3);
        ck_assert_uint_eq(found.allocations, 2);
        ck_assert_uint_eq(found.allocated_bytes, 5 * PAGE);
        ck_assert_uint_eq(found.releases, 1);
        ck_assert_uint_eq(found.released_bytes, 4 * PAGE);
        ck_assert_uint_le(found.opened_at, found.active_at);
        ck_assert_uint_le(found.active_at, totals.now);
        ck_assert(find_session(statistics, filemem_session_id(watcher), &found));
        ck_assert_uint_eq(found.pool, 0);
        filemem_close(session);
        settle(statistics);
        ck_assert(!find_session(statistics, id, &found));
        filemem_statistics_close(statistics);
        filemem_close(watcher);
}
END_TEST

START_TEST(requests_are_timed_by_operation_and_refusals_counted_by_reason)
{
        filemem_session *session = open_session("worker", false);
        filemem_statistics *statistics = open_statistics(session);
        struct filemem_range nowhere = {PAGE, 2 * PAGE};
        struct filemem_usage usage;
        struct raw_operation two[2];
        struct raw raw;

        for (int i = 0; i < 5; i++)
                ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_decommit(session, allocate(session, PAGE), 0), 0);
        ck_assert_int_eq(filemem_incref(session, nowhere), -ENOENT);
        ck_assert_int_eq(filemem_update_usage(session, &usage), 0);
        raw_open(&raw, the_daemon.socket, "raw");
        raw_ping(&two[0]);
        raw_ping(&two[1]);
        raw_receive_reply(&raw, raw_request(&raw, two, 2));
        raw_close(&raw);
        settle(statistics);
        ck_assert_uint_eq(count_durations(statistics, "ping"), 5);
        ck_assert_uint_eq(count_durations(statistics, "allocate"), 1);
        ck_assert_uint_eq(count_durations(statistics, "decommit"), 1);
        ck_assert_uint_eq(count_durations(statistics, "incref"), 1);
        ck_assert_uint_eq(count_durations(statistics, "update_usage"), 1);
        ck_assert_uint_eq(count_durations(statistics, "batch"), 1);
        ck_assert_uint_eq(count_durations(statistics, "reclaim"), 1);
        ck_assert_uint_eq(count_durations(statistics, "scan"), 1);
        ck_assert_uint_eq(count_refusals(statistics, "not_allocated"), 1);
        filemem_statistics_close(statistics);
        filemem_close(session);
}
END_TEST

START_TEST(a_thousand_sessions_are_all_there)
{
        unsigned count = 600 / harness_slowness();
        filemem_session *watcher = open_session("watcher", true);
        struct raw *raws = calloc(count, sizeof(*raws));
        struct filemem_statistics_session found;
        struct filemem_statistics_user user;
        filemem_statistics *statistics;
        size_t place = 0;

        ck_assert_ptr_nonnull(raws);
        for (unsigned i = 0; i < count; i++)
                raw_open(&raws[i], the_daemon.socket, "one of many");
        statistics = open_statistics(watcher); /* at once */
        for (unsigned i = 0; i < count; i++)
                ck_assert(find_session(statistics, raws[i].session, &found));
        if (getuid() == 0) {
                ck_assert_int_eq(filemem_statistics_next_user(statistics, &place, &user), 1);
                ck_assert_uint_eq(user.uid, 0);
                ck_assert_uint_eq(user.sessions, count + 1);
                ck_assert_int_eq(filemem_statistics_next_user(statistics, &place, &user), 0);
        }
        for (unsigned i = 0; i < count; i++)
                raw_close(&raws[i]);
        for (int i = 0; i < 20; i++)
                settle(statistics);
        place = 0;
        ck_assert_int_eq(filemem_statistics_next_session(statistics, &place, &found), 1);
        ck_assert_uint_eq(found.id, filemem_session_id(watcher));
        ck_assert_int_eq(filemem_statistics_next_session(statistics, &place, &found), 0);
        filemem_statistics_close(statistics);
        filemem_close(watcher);
        free(raws);
}
END_TEST

/* ---- when it ends ---------------------------------------------------------------------------- */

static void await_end(const filemem_statistics *statistics)
{
        struct filemem_statistics_totals totals;
        int r = 0;

        for (int i = 0; i < 3000 && r == 0; i++) {
                r = filemem_statistics_totals(statistics, &totals);
                usleep(10000);
        }
        ck_assert_int_eq(r, -ESTALE);
}

START_TEST(it_ends_with_the_session_that_opened_it)
{
        filemem_session *session = open_session("watcher", true);
        filemem_statistics *statistics = open_statistics(session);

        settle(statistics);
        filemem_close(session);
        await_end(statistics);
        filemem_statistics_close(statistics);
}
END_TEST

START_TEST(it_ends_when_the_configuration_was_read_again_and_can_be_opened_again)
{
        filemem_session *session = open_session("watcher", true);
        filemem_statistics *statistics = open_statistics(session);

        ck_assert_int_eq(filemem_reload(session), 0);
        await_end(statistics);
        filemem_statistics_close(statistics);
        statistics = open_statistics(session);
        settle(statistics);
        filemem_statistics_close(statistics);
        filemem_close(session);
}
END_TEST

START_TEST(it_ends_when_the_daemon_was_killed)
{
        filemem_session *session;
        filemem_statistics *statistics;

        statistics_start();
        session = open_session("watcher", true);
        statistics = open_statistics(session);
        settle(statistics);
        daemon_end(&the_daemon, SIGKILL);
        await_end(statistics);
        filemem_statistics_close(statistics);
        filemem_close(session);
        daemon_remove(&the_daemon);
}
END_TEST

START_TEST(it_ends_when_the_daemon_stops)
{
        filemem_session *session;
        filemem_statistics *statistics;
        struct filemem_statistics_totals totals;

        statistics_start();
        session = open_session("watcher", true);
        statistics = open_statistics(session);
        statistics_stop();
        ck_assert_int_eq(filemem_statistics_totals(statistics, &totals), -ESTALE);
        filemem_statistics_close(statistics);
        filemem_close(session);
}
END_TEST

START_TEST(nobody_who_watches_costs_the_daemon_nothing_that_stays)
{
        size_t before = daemon_count_fds(&the_daemon);

        for (int i = 0; i < 20; i++) {
                filemem_session *session = open_session("watcher", true);

                filemem_statistics_close(open_statistics(session));
                filemem_statistics_close(open_statistics(session)); /* the same page again */
                filemem_close(session);
        }
        daemon_await_fds(&the_daemon, before);
}
END_TEST

/* ---- quantiles ------------------------------------------------------------------------------- */

START_TEST(a_quantile_is_the_limit_of_its_bucket)
{
        struct filemem_statistics_durations durations = {.count = 100};

        durations.buckets[2] = 98;
        durations.buckets[10] = 2;
        ck_assert_uint_eq(filemem_statistics_quantile(&durations, 0.5), 192);
        ck_assert_uint_eq(
                filemem_statistics_quantile(&durations, 0.99), filemem_statistics_bucket_limit(10));
        ck_assert_uint_eq(filemem_statistics_quantile(&durations, 0), 192);
        durations.count = 0;
        ck_assert_uint_eq(filemem_statistics_quantile(&durations, 0.5), 0);
        for (size_t i = 1; i < FILEMEM_STATISTICS_BUCKETS; i++)
                ck_assert_uint_gt(
                        filemem_statistics_bucket_limit(i), filemem_statistics_bucket_limit(i - 1));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("statistics");
        TCase *contents = harness_case(suite, "Contents", 60);
        TCase *end = harness_case(suite, "End", 60);

        tcase_add_checked_fixture(contents, statistics_start, statistics_stop);
        tcase_add_test(contents, totals_are_what_was_done);
        tcase_add_test(contents, a_pool_shows_its_memory_and_its_largest_gap);
        tcase_add_test(contents, a_session_shows_what_it_did_and_goes_when_it_ends);
        tcase_add_test(contents, requests_are_timed_by_operation_and_refusals_counted_by_reason);
        tcase_add_test(contents, a_thousand_sessions_are_all_there);
        tcase_add_test(contents, it_ends_with_the_session_that_opened_it);
        tcase_add_test(
                contents, it_ends_when_the_configuration_was_read_again_and_can_be_opened_again);
        tcase_add_test(contents, nobody_who_watches_costs_the_daemon_nothing_that_stays);
        tcase_add_test(contents, a_quantile_is_the_limit_of_its_bucket);
        tcase_add_test(end, it_ends_when_the_daemon_was_killed);
        tcase_add_test(end, it_ends_when_the_daemon_stops);
        add_user_tests(suite);
        return harness_run(suite);
}
