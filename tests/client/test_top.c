// SPDX-License-Identifier: Apache-2.0
/* What filememctl top works out and writes, of samples that are made here. */
#include "support/harness.h"
#include "top_lines.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define M      (UINT64_C(1) << 20)

static struct filemem_statistics_session sessions[2][3], *const before = sessions[0],
                                                                *const now = sessions[1];
static struct filemem_statistics_pool pools[3];
static struct top_sample samples[2];
static struct top_view view;

/* Two sessions from the beginning, and one that came meanwhile. */
static void start(void)
{
        for (unsigned i = 0; i < 2; i++) {
                samples[i] = (struct top_sample){.totals = {.now = (100 + 2 * i) * SECOND,
                                                         .all = 1,
                                                         .pid = 7,
                                                         .started_at = 10 * SECOND,
                                                         .sessions = 2 + i,
                                                         .operations = 1000 + 100 * i,
                                                         .refusals = 4 + 2 * i,
                                                         .version = "1.2"},
                        .sessions = sessions[i],
                        .sessions_count = 2 + i,
                        .sessions_room = 3};
                for (unsigned k = 0; k < 3; k++)
                        sessions[i][k] = (struct filemem_statistics_session){.id = 1 + k,
                                .pool = 1,
                                .uid = 4000000000 + k,
                                .opened_at = 90 * SECOND};
        }
        before[0].held = 10 * M;
        now[0].held = 4 * M;
        now[0].releases = 3;
        before[0].released_bytes = 1 * M;
        now[0].released_bytes = 7 * M;
        before[1].held = now[1].held = 8 * M;
        before[1].operations = 5;
        now[1].operations = 500005;
        now[2].held = now[2].allocated_bytes = 2 * M;
        now[2].opened_at = 101 * SECOND;
        strcpy(now[0].label, "one");
        strcpy(now[1].label, "two");
        strcpy(now[2].label, "three");
        strcpy(now[0].pool_name, "default");
        strcpy(now[1].pool_name, "a-very-long-name");
        memset(&view, 0, sizeof(view));
}

static void stop(void)
{
        top_view_deinit(&view);
}

static void update(void)
{
        ck_assert_int_eq(top_view_update(&view, &samples[1], &samples[0]), 0);
}

static const char *order(void)
{
        static char ids[64];
        size_t used = 0;

        for (size_t i = 0; i < view.count; i++)
                used += (size_t)snprintf(
                        ids + used, sizeof(ids) - used, "%" PRIu64, view.rows[i].session->id);
        ids[used] = 0;
        return ids;
}

START_TEST(rates_are_a_second_since_the_sample_before)
{
        view.order = TOP_ID;
        update();
        ck_assert_int_eq(view.rows[0].growth, -3 * (int64_t)M);
        ck_assert_uint_eq(view.rows[0].releasing, 3 * M);
        ck_assert_uint_eq(view.rows[1].operations, 250000);
        ck_assert_int_eq(view.rows[1].growth, 0);
        ck_assert_uint_eq(view.operations, 50);
        ck_assert_uint_eq(view.refusals, 1);
}
END_TEST

START_TEST(a_new_session_has_grown_since_it_was_opened)
{
        view.order = TOP_ID;
        update();
        ck_assert_int_eq(view.rows[2].growth, 2 * (int64_t)M);
        ck_assert_uint_eq(view.rows[2].allocating, 2 * M);
}
END_TEST

/* Numbers of another daemon have nothing to do with those of this one. */
START_TEST(another_daemon_begins_anew)
{
        samples[0].totals.started_at = 11 * SECOND;
        view.order = TOP_ID;
        update();
        ck_assert_int_eq(view.rows[0].growth, (int64_t)(4 * M / 12));
        ck_assert_uint_eq(view.operations, 1100 / 92);
}
END_TEST

START_TEST(counters_that_went_back_count_nothing)
{
        now[0].released_bytes = 0;
        now[1].operations = 0;
        view.order = TOP_ID;
        update();
        ck_assert_uint_eq(view.rows[0].releasing, 0);
        ck_assert_uint_eq(view.rows[1].operations, 0);
        now[2].opened_at = UINT64_MAX;
        update();
        ck_assert_int_eq(view.rows[2].growth, 2 * (int64_t)M);
}
END_TEST

START_TEST(sessions_are_sorted_as_is_wanted)
{
        static const char *const expected[TOP_ORDERS] = {
                [TOP_GROWTH] = "321",
                [TOP_HELD] = "213",
                [TOP_ALLOCATING] = "321",
                [TOP_RELEASING] = "123",
                [TOP_OPERATIONS] = "213",
                [TOP_RANGES] = "213",
                [TOP_ID] = "123",
                [TOP_LABEL] = "132",
        };

        for (unsigned i = 0; i < TOP_ORDERS; i++) {
                view.order = (enum top_order)i;
                update();
                ck_assert_msg(!strcmp(order(), expected[i]), "%s: %s", top_orders[i], order());
        }
        view.reversed = true;
        view.order = TOP_ID;
        update();
        ck_assert_str_eq(order(), "321");
}
END_TEST

START_TEST(a_filter_looks_at_label_pool_and_user)
{
        view.order = TOP_ID;
        strcpy(view.filter, "WO");
        update();
        ck_assert_str_eq(order(), "2");
        strcpy(view.filter, "default");
        update();
        ck_assert_str_eq(order(), "1");
        strcpy(view.filter, "4000000002");
        update();
        ck_assert_str_eq(order(), "3");
        strcpy(view.filter, "none of it");
        update();
        ck_assert_uint_eq(view.count, 0);
}
END_TEST

/* ---- lines ----------------------------------------------------------------------------------- */

START_TEST(a_row_fits_into_eighty_columns_but_for_its_label)
{
        top_line line;

        view.order = TOP_ID;
        now[0].id = 123456;
        now[0].pid = 4194304;
        now[0].held = 1023 * M * 1024;
        update();
        top_write_header(line);
        ck_assert_str_eq(line,
                "    ID     PID USER     POOL       HELD  GROWTH ALLOC/s  FREE/s OPS/s LABEL");
        top_write_row(&view.rows[2], line);
        ck_assert_str_eq(
                line, "123456 4194304 40000000 default   1023G    +85G      0B    597K     0 one");
        top_write_row(&view.rows[0], line);
        ck_assert_str_eq(
                line, "     2       - 40000000 a-very-l     8M       0      0B      0B  250k two");
}
END_TEST

START_TEST(the_largest_pools_are_shown)
{
        static top_line lines[TOP_HEAD_LINES(2)];

        for (unsigned i = 0; i < 3; i++) {
                snprintf(pools[i].name, sizeof(pools[i].name), "pool-%u", i);
                pools[i].id = i + 1;
                pools[i].allocated[1] = (i == 0 ? 5 : i == 1 ? 1 : 9) * M;
                pools[i].committed[1] = 1 * M;
                pools[i].capacity = 64 * M;
                pools[i].stored = 2 * M;
        }
        pools[2].scanned_at = 5;
        samples[1].pools = pools;
        samples[1].pools_count = 3;
        update();
        ck_assert_uint_eq(top_write_head(&samples[1], &view, 2, lines), TOP_HEAD_LINES(2));
        ck_assert_str_eq(
                lines[0], "filememd 1.2, pid 7, up 1m32s; 3 sessions, 50 ops/s, 1 refused/s");
        ck_assert_str_eq(lines[1], "0B held, - committed; 0B stored, - swapped, 0B freed, - stray");
        ck_assert_str_eq(lines[5],
                "POOL (2 of 3)      HELD COMMIT STORED  FREED  STRAY MAX-GAP CAPACITY SESSIONS");
        ck_assert_str_eq(lines[6],
                "pool-2               9M     1M     2M     0B     0B      0B      64M        0");
        ck_assert_str_eq(lines[7],
                "pool-0               5M      -     2M     0B      -      0B      64M        0");
        samples[1].totals.all = 0;
        top_write_head(&samples[1], &view, 1, lines);
        ck_assert_str_eq(lines[0],
                "filememd 1.2, pid 7, up 1m32s; 3 sessions (3 seen), 50 ops/s, 1 refused/s");
        ck_assert_str_eq(lines[7], "");
}
END_TEST

START_TEST(lines_are_cut_between_letters)
{
        char text[64] = "ab\xc3\xa9\xe6\xbc\xa2z", broken[64] = "a\xff\xe6";

        ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
        top_fit(text, 6);
        ck_assert_str_eq(text, "ab\xc3\xa9\xe6\xbc\xa2z");
        top_fit(text, 4); /* the Chinese letter takes two columns */
        ck_assert_str_eq(text, "ab\xc3\xa9");
        top_fit(text, 0);
        ck_assert_str_eq(text, "");
        top_fit(broken, 10);
        ck_assert_str_eq(broken, "a??");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("top");
        TCase *tests = harness_case(suite, "top", 30);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, rates_are_a_second_since_the_sample_before);
        tcase_add_test(tests, a_new_session_has_grown_since_it_was_opened);
        tcase_add_test(tests, another_daemon_begins_anew);
        tcase_add_test(tests, counters_that_went_back_count_nothing);
        tcase_add_test(tests, sessions_are_sorted_as_is_wanted);
        tcase_add_test(tests, a_filter_looks_at_label_pool_and_user);
        tcase_add_test(tests, a_row_fits_into_eighty_columns_but_for_its_label);
        tcase_add_test(tests, the_largest_pools_are_shown);
        tcase_add_test(tests, lines_are_cut_between_letters);
        return harness_run(suite);
}
