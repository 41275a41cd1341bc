// SPDX-License-Identifier: Apache-2.0
/* What is left to commit, as /proc and /sys of other machines say it; and of this one. */
#include "memory/budget.h"

#include "support/harness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* A machine of 32 GiB, so with a reserve of one, that has 9 available. */
#define MEMINFO                                                                                    \
        "MemTotal:       33554432 kB\nMemFree:         1048576 kB\nMemAvailable:    9437184 kB\n"

static const char *folder;
static char proc[128], sys[128];

static void put(const char *path, const char *text)
{
        char whole[256];
        FILE *file;

        snprintf(whole, sizeof(whole), "%s/%s", folder, path);
        for (char *at = strchr(whole + strlen(folder) + 1, '/'); at; at = strchr(at + 1, '/')) {
                *at = '\0';
                ck_assert(mkdir(whole, 0755) == 0 || errno == EEXIST);
                *at = '/';
        }
        file = fopen(whole, "w");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void)
{
        folder = harness_make_folder();
        snprintf(proc, sizeof(proc), "%s/proc", folder);
        snprintf(sys, sizeof(sys), "%s/sys", folder);
        put("proc/meminfo", MEMINFO);
}

static void tear_down(void)
{
        harness_remove_folder(folder);
}

static uint64_t left(void)
{
        uint64_t bytes = 12345;

        ck_assert_int_eq(budget_read(proc, sys, &bytes), 0);
        return bytes;
}

START_TEST(a_host_keeps_a_32nd)
{
        ck_assert_uint_eq(left(), 8 * GIB);
        put("proc/meminfo", "MemTotal: 33554432 kB\nMemAvailable: 1048576 kB\n");
        ck_assert_uint_eq(left(), 0);
        put("proc/meminfo", "MemTotal: 33554432 kB\nMemAvailable: 10 kB\n");
        ck_assert_uint_eq(left(), 0);
}
END_TEST

START_TEST(where_proc_is_hidden_the_nodes_are_asked)
{
        ck_assert_int_eq(unlink(strcat(strcpy((char[160]){0}, proc), "/meminfo")), 0);
        put("sys/devices/system/node/node0/meminfo",
                "Node 0 MemTotal: 16777216 kB\nNode 0 MemFree: 1048576 kB\n"
                "Node 0 Active(file): 1048576 kB\nNode 0 Inactive(file): 1048576 kB\n"
                "Node 0 Active(anon): 7 kB\n");
        put("sys/devices/system/node/node1/meminfo",
                "Node 1 MemTotal: 16777216 kB\nNode 1 MemFree: 2097152 kB\n");
        ck_assert_uint_eq(left(), 4 * GIB);
}
END_TEST

START_TEST(where_all_is_hidden_there_is_no_answer)
{
        uint64_t bytes = 12345;

        ck_assert_int_lt(budget_read("/nonexistent", "/nonexistent", &bytes), 0);
        ck_assert_uint_eq(bytes, 12345);
}
END_TEST

START_TEST(a_cgroup_is_a_limit_and_its_page_cache_is_not)
{
        put("proc/self/cgroup", "0::/filemem.slice/filememd.service\n");
        put("sys/fs/cgroup/filemem.slice/filememd.service/memory.max", "1073741824\n");
        put("sys/fs/cgroup/filemem.slice/filememd.service/memory.current", "536870912\n");
        ck_assert_uint_eq(left(), 512 * MIB - 32 * MIB);
        put("sys/fs/cgroup/filemem.slice/filememd.service/memory.stat",
                "anon 1\nfile 400000000\ninactive_file 33554432\nactive_file 67108864\n");
        ck_assert_uint_eq(left(), 608 * MIB - 32 * MIB);
}
END_TEST

START_TEST(the_cgroups_above_are_limits_too)
{
        put("proc/self/cgroup", "0::/filemem.slice/filememd.service\n");
        put("sys/fs/cgroup/filemem.slice/filememd.service/memory.max", "max\n");
        put("sys/fs/cgroup/filemem.slice/filememd.service/memory.current", "1\n");
        ck_assert_uint_eq(left(), 8 * GIB);
        put("sys/fs/cgroup/filemem.slice/memory.max", "104857600\n");
        put("sys/fs/cgroup/filemem.slice/memory.current", "52428800\n");
        ck_assert_uint_eq(left(), 50 * MIB - 16 * MIB);
        put("sys/fs/cgroup/filemem.slice/memory.current", "104857600\n");
        ck_assert_uint_eq(left(), 0);
        put("sys/fs/cgroup/filemem.slice/memory.current", "104857700\n");
        ck_assert_uint_eq(left(), 0);
}
END_TEST

START_TEST(cgroups_of_version_1_count_by_their_own_names)
{
        put("proc/self/cgroup",
                "9:name=systemd:/\n5:cpu,memory:/box/a\n4:memoryless:/b\n0::/box\n");
        put("sys/fs/cgroup/memory/box/a/memory.limit_in_bytes", "9223372036854771712\n");
        put("sys/fs/cgroup/memory/box/a/memory.usage_in_bytes", "99\n");
        ck_assert_uint_eq(left(), 8 * GIB);
        put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1073741824\n");
        put("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "1073741824\n");
        ck_assert_uint_eq(left(), 0);
        put("sys/fs/cgroup/memory/box/memory.stat",
                "inactive_file 1\nactive_file 1\ntotal_inactive_file 67108864\n"
                "total_active_file 0\n");
        ck_assert_uint_eq(left(), 32 * MIB);
}
END_TEST

START_TEST(what_cannot_be_read_is_no_limit)
{
        put("proc/self/cgroup", "0::/gone\nnonsense\n7:memory\n");
        put("sys/fs/cgroup/memory.max", "");
        ck_assert_uint_eq(left(), 8 * GIB);
}
END_TEST

START_TEST(this_machine_has_an_answer)
{
        uint64_t bytes = UINT64_MAX;

        ck_assert_int_eq(budget_available(&bytes), 0);
        ck_assert_uint_lt(
                bytes, (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("budget");
        TCase *tests = harness_case(suite, "budget", 10);

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, a_host_keeps_a_32nd);
        tcase_add_test(tests, where_proc_is_hidden_the_nodes_are_asked);
        tcase_add_test(tests, where_all_is_hidden_there_is_no_answer);
        tcase_add_test(tests, a_cgroup_is_a_limit_and_its_page_cache_is_not);
        tcase_add_test(tests, the_cgroups_above_are_limits_too);
        tcase_add_test(tests, cgroups_of_version_1_count_by_their_own_names);
        tcase_add_test(tests, what_cannot_be_read_is_no_limit);
        tcase_add_test(tests, this_machine_has_an_answer);
        return harness_run(suite);
}
