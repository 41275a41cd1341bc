// SPDX-License-Identifier: Apache-2.0
/* filememctl usage: by whom, since when, and again and again. */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static struct daemon the_daemon;
static filemem_session *one, *two, *other;
static struct filemem_range shared;

static filemem_session *open_session(const char *pool, const char *label)
{
        const struct filemem_options options = {
                .size = sizeof(options), .pool = pool, .label = label};
        filemem_session *session;

        ck_assert_int_eq(filemem_open(NULL, &options, &session), 0);
        return session;
}

static struct filemem_range fill(filemem_session *session, uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range;
        void *address;

        ck_assert_int_eq(filemem_allocate(session, length, kind, &range), 0);
        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        memset(address, 1, length);
        return range;
}

/* Two in the default pool that share a megabyte, and one in another with half of his touched. */
static void start(void)
{
        struct filemem_range range;

        daemon_start(&the_daemon, "[pool second]\njoin = *\ncapacity = 16M\n");
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
        one = open_session(NULL, "web");
        two = open_session(NULL, "web");
        other = open_session("second", "batch");
        shared = fill(one, MIB, FILEMEM_PAGE_CACHE);
        ck_assert_int_eq(filemem_incref(two, shared), 0);
        fill(two, MIB, FILEMEM_TMPFS);
        fill(other, MIB / 2, FILEMEM_ANONYMOUS);
        ck_assert_int_eq(filemem_allocate(other, MIB / 2, FILEMEM_ANONYMOUS, &range), 0);
}

static void stop(void)
{
        filemem_close(one);
        filemem_close(two);
        filemem_close(other);
        daemon_stop(&the_daemon);
}

static json_t *ask(const char *line, size_t count)
{
        json_error_t error;
        json_t *root = json_loads(ctl_get(line), JSON_REJECT_DUPLICATES, &error), *list;

        ck_assert_msg(root != NULL, "%s in %s", error.text, ctl_output);
        list = json_incref(json_object_get(root, "usage"));
        json_decref(root);
        ck_assert_msg(json_array_size(list) == count, "%s", ctl_output);
        return list;
}

static int64_t number(const json_t *list, size_t row, const char *key)
{
        const json_t *value = json_object_get(json_array_get(list, row), key);

        ck_assert_msg(json_is_integer(value), "%s is no number", key);
        return json_integer_value(value);
}

/* The columns that people see, without what depends on the host. */
static const char *table_of(const char *options)
{
        static char line[256];

        snprintf(line, sizeof(line), "usage %s --raw --no-header", options);
        return ctl_get(line);
}

START_TEST(usage_is_by_pool)
{
        ck_assert_str_eq(
                table_of("--by pool -o group,allocated,committed,reclaimable,stray,leased"),
                "default 2097152 2097152 0 0 0\n"
                "second 1048576 524288 0 0 0\n"
                "total 3145728 2621440 0 0 0\n");
        ck_assert_str_eq(table_of("second --by pool -o group,pool,committed"),
                "second second 524288\ntotal second 524288\n");
        ctl_get("usage --by pool");
        ck_assert_ptr_nonnull(strstr(ctl_output,
                "POOL    ALLOCATED COMMITTED SWAPPED RECLAIMABLE STRAY LEASED OF HOST\n"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "Committed was counted "));
        ck_assert_ptr_nonnull(strstr(ctl_output, "The host has "));
}
END_TEST

/* What two hold is counted for each; the total is that of the pools all the same. */
START_TEST(usage_is_by_session)
{
        ck_assert_str_eq(table_of("--by session -o name,pool,allocated,committed"),
                "web default 2097152 2097152\n"
                "web default 1048576 1048576\n"
                "batch second 1048576 524288\n"
                "- - 3145728 2621440\n");
        ck_assert_str_eq(table_of("--by session -p second -o name,committed,total"),
                "batch 524288 0\n- 524288 1\n");
        ctl_get("usage --by session");
        ck_assert_ptr_nonnull(strstr(ctl_output, "counted for each"));
}
END_TEST

START_TEST(usage_is_by_user_and_label)
{
        char expected[128];

        ck_assert_str_eq(table_of("--by label -o group,allocated,committed"),
                "web 3145728 3145728\nbatch 1048576 524288\ntotal 3145728 2621440\n");
        snprintf(expected, sizeof(expected), "%u 4194304 3670016\ntotal 3145728 2621440\n",
                getuid());
        ck_assert_str_eq(table_of("--by uid -o group,allocated,committed"), expected);
}
END_TEST

START_TEST(the_share_of_the_host_is_told)
{
        json_t *list = ask("usage --json --by pool", 3);
        double host = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);

        ck_assert_int_eq(number(list, 2, "host_permille"), (int64_t)(2621440.0 * 1000 / host));
        ck_assert_int_ge(number(list, 2, "age_ns"), 0);
        ck_assert(json_is_null(json_object_get(json_array_get(list, 2), "delta_ns")));
        json_decref(list);
}
END_TEST

/* The total of one pool has that pool, the total of two has none. */
START_TEST(there_is_one_total_when_there_are_more_pools_than_before)
{
        char file[128], line[256];
        json_t *list;

        snprintf(file, sizeof(file), "%s/one", the_daemon.folder);
        snprintf(line, sizeof(line), "usage default --by label --json >%s", file);
        ctl_get(line);
        snprintf(line, sizeof(line), "usage --by label --json --since %s", file);
        list = ask(line, 3);
        ck_assert_int_eq(number(list, 0, "allocated"), 0);
        ck_assert_int_eq(number(list, 1, "allocated"), (int64_t)MIB);
        ck_assert_int_eq(number(list, 2, "allocated"), (int64_t)MIB);
        json_decref(list);
}
END_TEST

START_TEST(changes_since_a_file_are_shown)
{
        char file[128], line[256];
        json_t *list;

        snprintf(file, sizeof(file), "%s/before", the_daemon.folder);
        snprintf(line, sizeof(line), "usage --by session --json >%s", file);
        ctl_get(line);
        ck_assert_int_eq(filemem_decref(two, shared), 0);
        fill(one, 2 * MIB, FILEMEM_TMPFS);
        filemem_close(other);
        snprintf(line, sizeof(line), "usage --by session --json --since %s", file);
        list = ask(line, 4);
        ck_assert_int_eq(number(list, 0, "allocated"), 2 * (int64_t)MIB);
        ck_assert_int_eq(number(list, 1, "allocated"), -(int64_t)MIB);
        ck_assert_int_eq(number(list, 2, "allocated"), -(int64_t)MIB);
        ck_assert_int_eq(number(list, 2, "committed"), -(int64_t)MIB / 2);
        ck_assert_int_gt(number(list, 3, "delta_ns"), 0);
        json_decref(list);
        snprintf(line, sizeof(line), "usage --by session -o name,allocated --since - <%s", file);
        ck_assert_ptr_nonnull(strstr(ctl_get(line), " +2M\n"));
        ck_assert_ptr_nonnull(strstr(ctl_output, " -1M\n"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "Sizes are what changed in "));
        snprintf(line, sizeof(line), "usage second --by session --since %s", file);
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, line), "another pool"));
        snprintf(line, sizeof(line), "usage --since %s", file);
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, line), "another --by: say the same"));
        ck_assert_ptr_nonnull(
                strstr(ctl_fail(2, "usage --since /dev/null"), "filememctl usage --json"));
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, "usage --since /nonexistent"), "cannot be read"));
        other = open_session("second", NULL);
}
END_TEST

START_TEST(a_while_is_compared_with_itself)
{
        json_t *list = ask("usage --delta=10ms --json", FILEMEM_KINDS + 3);

        ck_assert_int_eq(number(list, 2, "allocated"), 0);
        ck_assert_int_ge(number(list, 2, "delta_ns"), 10000000);
        json_decref(list);
}
END_TEST

START_TEST(watching_goes_on_until_nobody_reads)
{
        ctl_get("usage --watch=1ms -o group,allocated --no-header | head -n 40");
        ck_assert_ptr_nonnull(strstr(ctl_output, "total"));
        ck_assert_ptr_nonnull(strstr(strstr(ctl_output, "total") + 1, "total"));
        ck_assert_ptr_null(strstr(ctl_output, "\033"));
        ctl_get("usage --watch=1ms --delta --json | head -n 400 | tail -n 1");
}
END_TEST

START_TEST(mistakes_are_told)
{
        ck_assert_str_eq(ctl_fail(2, "usage --by size"),
                "--by cannot be 'size': say kind, session, uid, pool or label");
        ck_assert_str_eq(ctl_fail(2, "usage --watch=0"),
                "--watch: write a time as 30s, 500ms, 5m, 1.5h or 2d");
        ck_assert_str_eq(ctl_fail(1, "usage nope --by session"),
                "usage: there is no pool of that name: 'filememctl pools' lists those that you may "
                "know of");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli usage");
        TCase *tests = harness_case(suite, "cli usage", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, usage_is_by_pool);
        tcase_add_test(tests, usage_is_by_session);
        tcase_add_test(tests, usage_is_by_user_and_label);
        tcase_add_test(tests, the_share_of_the_host_is_told);
        tcase_add_test(tests, changes_since_a_file_are_shown);
        tcase_add_test(tests, there_is_one_total_when_there_are_more_pools_than_before);
        tcase_add_test(tests, a_while_is_compared_with_itself);
        tcase_add_test(tests, watching_goes_on_until_nobody_reads);
        tcase_add_test(tests, mistakes_are_told);
        return harness_run(suite);
}
