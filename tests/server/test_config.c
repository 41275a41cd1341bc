// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder;
static char path[128], error[CONFIG_ERROR_MAX];
static struct config config;

static void write_text(const char *text)
{
        FILE *file;

        folder = harness_make_folder();
        snprintf(path, sizeof(path), "%s/conf", folder);
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        fclose(file);
        config = (struct config){.socket_mode = 1};
}

static int read_text(const char *text)
{
        write_text(text);
        return config_load(path, &config, error);
}

/* A file NAME in the folder of parts. */
static void write_part(const char *name, const char *text)
{
        char part[256];
        FILE *file;

        snprintf(part, sizeof(part), "%s.d", path);
        ck_assert(mkdir(part, 0700) == 0 || errno == EEXIST);
        snprintf(part, sizeof(part), "%s.d/%s", path, name);
        file = fopen(part, "w");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        fclose(file);
}

static const struct config_pool *pool(const char *name)
{
        const struct config_pool *found = config_find_pool(&config, name);

        ck_assert_ptr_nonnull(found);
        return found;
}

static void finish(void)
{
        config_deinit(&config);
        harness_remove_folder(folder);
}

START_TEST(limits_have_numbers_sizes_and_none)
{
        const struct limits_set *user = &config.limits.sets[LIMITS_USER];

        ck_assert_int_eq(read_text("[limits]\n"
                                   "session_bytes = 3G\n"
                                   "user_ranges = 77\n"
                                   "user_requests = none\n"
                                   "total_committed = 512M\n"
                                   "hello_timeout = 3\n"
                                   "[pool default]\n"
                                   "limit_sessions = 5\n"
                                   "[private]\n"
                                   "limit_bytes = 1T\n"),
                0);
        ck_assert_uint_eq(
                config.limits.sets[LIMITS_SESSION].maximum[LIMIT_BYTES], UINT64_C(3) << 30);
        ck_assert_uint_eq(user->maximum[LIMIT_RANGES], 77);
        ck_assert_uint_eq(user->maximum[LIMIT_REQUESTS], LIMIT_NONE);
        ck_assert_uint_eq(user->maximum[LIMIT_REPLIES],
                limits_defaults.sets[LIMITS_USER].maximum[LIMIT_REPLIES]);
        ck_assert_uint_eq(config.limits.sets[LIMITS_TOTAL].maximum[LIMIT_COMMITTED], 512u << 20);
        ck_assert_uint_eq(config.limits.hello_timeout, UINT64_C(3000000000));
        ck_assert_uint_eq(pool("default")->limits.maximum[LIMIT_SESSIONS], 5);
        ck_assert_uint_eq(pool("default")->limits.maximum[LIMIT_BYTES], LIMIT_NONE);
        ck_assert_uint_eq(config.private_pools.limits.maximum[LIMIT_BYTES], UINT64_C(1) << 40);
        finish();
}
END_TEST

START_TEST(limits_that_make_no_sense_are_errors)
{
        static const struct {
                const char *text, *error;
        } cases[] = {
                {"[limits]\nuser_bytes = many\n",
                        "user_bytes: 'many' is neither a size such as 512M nor none"},
                {"[limits]\nuser_ranges = 1M\n", "user_ranges: '1M' is neither a number nor none"},
                {"[limits]\nuser_requests = 0\n", "user_requests: '0' is less than 1"},
                {"[limits]\nhello_timeout = none\n", "hello_timeout: 'none' is no number"},
                {"[limits]\nhello_timeout = 86401\n", "hello_timeout: '86401' is more than 86400"},
                {"[limits]\nuser_sessions = -1\n",
                        "user_sessions: '-1' is neither a number nor none"},
                {"[limits]\nlimit_bytes = 1\n", "unknown key 'limit_bytes' in [limits]"},
                {"[pool default]\nuser_bytes = 1\n", "unknown key 'user_bytes' in [pool default]"},
                {"[limits]\nuser_peers = 1\nuser_peers = 2\n", "key 'user_peers' is given twice"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                ck_assert_int_eq(read_text(cases[i].text), -EINVAL);
                ck_assert_ptr_nonnull(strstr(error, cases[i].error));
                harness_remove_folder(folder);
        }
}
END_TEST

START_TEST(empty_file_leaves_the_defaults)
{
        ck_assert_int_eq(read_text(""), 0);
        ck_assert_ptr_null(config.socket);
        ck_assert_uint_eq(config.socket_mode, 0660);
        ck_assert_int_eq(config.log_level, LOG_LEVEL_INFO);
        ck_assert_int_eq(config.accounting, ACCOUNTING_BEST);
        ck_assert_uint_eq(config.busy_poll, 50000);
        ck_assert_uint_eq(config.admin_group, CONFIG_NO_GROUP);
        ck_assert_mem_eq(&config.limits, &limits_defaults, sizeof(limits_defaults));
        ck_assert_ptr_eq(STAILQ_FIRST(&config.pools), pool("default"));
        ck_assert_ptr_null(STAILQ_NEXT(pool("default"), link));
        ck_assert_str_eq(pool("default")->options.name, "default");
        ck_assert_uint_eq(pool("default")->options.capacity, 0);
        ck_assert(!pool("default")->options.exec);
        ck_assert(!pool("default")->options.zero_verify);
        ck_assert(!pool("default")->options.huge_advise);
        ck_assert(pool("default")->access.join.everybody);
        ck_assert(!pool("default")->access.admin.everybody);
        ck_assert(config.private_pools.access.join.everybody);
        finish();
}
END_TEST

START_TEST(every_key_is_understood)
{
        ck_assert_msg(read_text("# comment\n"
                                "; another\n"
                                "\n"
                                "[daemon]\n"
                                "socket = /run/somewhere\n"
                                "socket_mode=0600\n"
                                "log_level : debug\n"
                                "accounting = seek ; and why\n"
                                "admin_group = root\n"
                                "busy_poll = 1000\n"
                                "[pool default]\r\n"
                                "capacity = 512M\r\n"
                                "exec = yes\n"
                                "zero = verify\n"
                                "huge = advise\n"
                                "join = @root, 1000 @1001\n"
                                "join_read_only=*\n"
                                "admin = root\n"
                                "[private]\n"
                                "capacity = 1G\n"
                                "exec = no\n"
                                "join =\n"
                                "[pool second.pool_2-b]\n") == 0,
                "%s", error);
        ck_assert_str_eq(config.socket, "/run/somewhere");
        ck_assert_uint_eq(config.socket_mode, 0600);
        ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
        ck_assert_int_eq(config.accounting, ACCOUNTING_SEEK);
        ck_assert_uint_eq(config.admin_group, 0);
        ck_assert_uint_eq(config.busy_poll, 1000000);
        ck_assert_uint_eq(pool("default")->options.capacity, UINT64_C(512) << 20);
        ck_assert(pool("default")->options.exec);
        ck_assert(pool("default")->options.zero_verify);
        ck_assert(pool("default")->options.huge_advise);
        ck_assert_uint_eq(pool("default")->access.join.count, 3);
        ck_assert(!pool("default")->access.join.everybody);
        ck_assert(pool("default")->access.join_read_only.everybody);
        ck_assert_uint_eq(pool("default")->access.admin.count, 1);
        ck_assert_uint_eq(config.private_pools.options.capacity, UINT64_C(1) << 30);
        ck_assert(!config.private_pools.access.join.everybody);
        ck_assert_uint_eq(config.private_pools.access.join.count, 0);
        /* a section without a key is a pool, and a pool without rules is open to nobody */
        ck_assert(!pool("second.pool_2-b")->access.join.everybody);
        ck_assert_uint_eq(pool("second.pool_2-b")->access.join.count, 0);
        finish();
}
END_TEST

static const struct size_row {
        const char *text;
        uint64_t size;
} size_rows[] = {
        {"16777216", UINT64_C(1) << 24},
        {"16384K", UINT64_C(1) << 24},
        {"16M", UINT64_C(1) << 24},
        {"3G", UINT64_C(3) << 30},
        {"2T", UINT64_C(2) << 40},
        {"8388592M", (UINT64_C(8) << 40) - (UINT64_C(16) << 20)},
};

START_TEST(sizes_are_understood)
{
        char text[128];

        snprintf(text, sizeof(text), "[pool default]\ncapacity = %s\n", size_rows[_i].text);
        ck_assert_msg(read_text(text) == 0, "%s", error);
        ck_assert_uint_eq(pool("default")->options.capacity, size_rows[_i].size);
        finish();
}
END_TEST

static const struct error_row {
        const char *text;
        int line;
        const char *expected;
} error_rows[] = {
        {"[daemon]\nx = 1\n", 2, "unknown key 'x' in [daemon]"},
        {"[daemon]\n\n\nsocket_mode = 0600\nX = 1\n", 5, "unknown key 'X' in [daemon]"},
        {"[pool default]\nsocket = /x\n", 2, "unknown key 'socket' in [pool default]"},
        {"[nobody]\n", 1, "unknown section [nobody]"},
        {"[daemon]\n[nobody]\nx = 1\n", 2, "unknown section [nobody]"},
        {"[pool]\n", 1, "unknown section [pool]"},
        {"[pool ]\n", 1, "'' is no name for a pool: use letters, digits, '.', '_' and '-'"},
        {"[pool a b]\n", 1, "'a b' is no name for a pool: use letters, digits, '.', '_' and '-'"},
        {"[pool ../x]\n", 1, "'../x' is no name for a pool: use letters, digits, '.', '_' and '-'"},
        {"[pool private:1]\n", 1,
                "'private:1' is no name for a pool: use letters, digits, '.', '_' and '-'"},
        {"[pool aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 1,
                "the name of the section is longer than 49 bytes"},
        {"[private]\njoin_read_only = *\n", 2, "unknown key 'join_read_only' in [private]"},
        {"[pool x]\nadmin_group = root\n", 2, "unknown key 'admin_group' in [pool x]"},
        {"[pool x]\nexec = no\n[daemon]\n[pool x]\nexec = no\n", 5, "key 'exec' is given twice"},
        {"[pool x]\njoin = root, nobody-at-all\n", 2, "join: there is no user 'nobody-at-all'"},
        {"[pool x]\njoin = @nobody-at-all\n", 2, "join: there is no group 'nobody-at-all'"},
        {"[pool x]\njoin = @\n", 2, "join: there is no group ''"},
        {"[pool x]\njoin = 4294967295\n", 2, "join: there is no user '4294967295'"},
        {"[pool x]\njoin = -1\n", 2, "join: there is no user '-1'"},
        {"[daemon]\nadmin_group = @root\n", 2, "admin_group: there is no group '@root'"},
        {"  [Daemon]\n", 1, "unknown section [Daemon]"},
        {"[]\n", 1, "unknown section []"},
        {"socket = /x\n", 1, "key 'socket' stands before the first section"},
        {"[daemon]\nhello\n", 2, "neither a [section] nor a 'key = value'"},
        {"[daemon\n", 1, "neither a [section] nor a 'key = value'"},
        {"[daemon]\nhello\nx = 1\n", 2, "neither a [section] nor a 'key = value'"},
        {"[daemon]\nx = 1\nhello\n", 2, "unknown key 'x' in [daemon]"},
        {"[daemon]\nsocket =\n", 2, "socket: the path is empty"},
        {"[daemon]\nsocket = /a\nsocket = /b\n", 3, "key 'socket' is given twice"},
        {"[daemon]\nsocket = /a\n  /b\n", 3, "key 'socket' is given twice"},
        {"[daemon]\nsocket_mode = 0888\n", 2, "socket_mode: '0888' is no octal mode such as 0660"},
        {"[daemon]\nsocket_mode = 01000\n", 2,
                "socket_mode: '01000' is no octal mode such as 0660"},
        {"[daemon]\nsocket_mode = -1\n", 2, "socket_mode: '-1' is no octal mode such as 0660"},
        {"[daemon]\nsocket_mode =\n", 2, "socket_mode: '' is no octal mode such as 0660"},
        {"[daemon]\nlog_level = loud\n", 2,
                "log_level: 'loud' is not error, warning, info or debug"},
        {"[daemon]\naccounting = by hand\n", 2,
                "accounting: 'by hand' is not best, cachestat or seek"},
        {"[daemon]\nbusy_poll = 1001\n", 2, "busy_poll: '1001' is more than 1000"},
        {"[daemon]\nbusy_poll = 50us\n", 2, "busy_poll: '50us' is no number"},
        {"[pool default]\nexec = true\n", 2, "exec: 'true' is not yes or no"},
        {"[pool default]\nzero = yes\n", 2, "zero: 'yes' is not verify or off"},
        {"[pool default]\nhuge = always\n", 2, "huge: 'always' is not advise or never"},
        {"[pool default]\ncapacity = many\n", 2, "capacity: 'many' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 16MB\n", 2, "capacity: '16MB' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = -16M\n", 2, "capacity: '-16M' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 1.5G\n", 2, "capacity: '1.5G' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 99999999999999999999\n", 2,
                "capacity: '99999999999999999999' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 16777216T\n", 2,
                "capacity: '16777216T' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 0\n", 2,
                "capacity: '0' is not a multiple of 16M up to 8388592M"},
        {"[pool default]\ncapacity = 17M\n", 2,
                "capacity: '17M' is not a multiple of 16M up to 8388592M"},
        {"[pool default]\ncapacity = 8T\n", 2,
                "capacity: '8T' is not a multiple of 16M up to 8388592M"},
        {"[pool default]\ncapacity = 9T\n", 2,
                "capacity: '9T' is not a multiple of 16M up to 8388592M"},
};

START_TEST(errors_are_named_with_their_line)
{
        const struct error_row *row = &error_rows[_i];
        char expected[CONFIG_ERROR_MAX];

        ck_assert_int_eq(read_text(row->text), -EINVAL);
        snprintf(expected, sizeof(expected), "%s:%d: %s", path, row->line, row->expected);
        ck_assert_str_eq(error, expected);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(line_that_is_too_long_is_an_error)
{
        char text[1024] = "[daemon]\nsocket = /";

        memset(text + strlen(text), 'x', 900);
        strcat(text, "\n");
        ck_assert_int_eq(read_text(text), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error, ":2: line is too long"));
        harness_remove_folder(folder);
}
END_TEST

START_TEST(file_with_an_error_changes_nothing)
{
        ck_assert_int_eq(
                read_text("[daemon]\nsocket = /new\nsocket_mode = 0600\nlog_level = loud\n"),
                -EINVAL);
        ck_assert_ptr_null(config.socket);
        ck_assert_uint_eq(config.socket_mode, 1);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(parts_add_and_replace_in_the_order_of_their_names)
{
        write_text("[daemon]\nsocket_mode = 0600\n[pool a]\njoin = 1\nexec = yes\n");
        write_part("20.conf", "[pool a]\njoin = 3\n[pool c]\n");
        write_part("10.conf", "[pool a]\njoin = 2\n[pool b]\n");
        write_part("30.conf.old", "[pool d]\n");
        write_part(".40.conf", "[pool e]\n");
        ck_assert_msg(config_load(path, &config, error) == 0, "%s", error);
        ck_assert_uint_eq(config.socket_mode, 0600);
        ck_assert(pool("a")->options.exec);
        ck_assert_uint_eq(pool("a")->access.join.count, 1);
        ck_assert_uint_eq(pool("a")->access.join.list[0].id, 3);
        ck_assert_ptr_eq(STAILQ_NEXT(pool("a"), link), pool("b"));
        ck_assert_ptr_eq(STAILQ_NEXT(pool("b"), link), pool("c"));
        ck_assert_ptr_null(STAILQ_NEXT(pool("c"), link));
        finish();
}
END_TEST

START_TEST(error_in_a_part_is_named_with_its_file)
{
        char expected[CONFIG_ERROR_MAX];

        write_text("");
        write_part("a.conf", "[pool a]\n\nexec = perhaps\n");
        ck_assert_int_eq(config_load(path, &config, error), -EINVAL);
        snprintf(expected, sizeof(expected), "%s.d/a.conf:3: exec: 'perhaps' is not yes or no",
                path);
        ck_assert_str_eq(error, expected);
        harness_remove_folder(folder);
}
END_TEST

START_TEST(missing_file_is_an_error)
{
        ck_assert_int_eq(config_load("/nowhere/at/all", &config, error), -ENOENT);
        ck_assert_str_eq(error, "/nowhere/at/all: cannot read it: No such file or directory");
}
END_TEST

START_TEST(folder_is_an_error)
{
        ck_assert_int_eq(config_load("/", &config, error), -EISDIR);
}
END_TEST

START_TEST(every_failed_allocation_is_an_error)
{
        bool happened = true;
        long n;

        write_text("[daemon]\nsocket = /x\n[pool a]\njoin = 1 2 @3\nadmin = 4\n");
        for (n = 0; happened; n++) {
                int r;

                fault_alloc_at(n);
                r = config_load(path, &config, error);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert_int_eq(r, happened ? -ENOMEM : 0);
                if (happened)
                        ck_assert_ptr_nonnull(strstr(error, "out of memory"));
        }
        ck_assert_int_gt(n, 8); /* two pools, the path, two lists of words, four principals */
        finish();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("config");
        TCase *tests = harness_case(suite, "config", 10);

        tcase_add_test(tests, empty_file_leaves_the_defaults);
        tcase_add_test(tests, limits_have_numbers_sizes_and_none);
        tcase_add_test(tests, limits_that_make_no_sense_are_errors);
        tcase_add_test(tests, every_key_is_understood);
        tcase_add_loop_test(
                tests, sizes_are_understood, 0, (int)(sizeof(size_rows) / sizeof(size_rows[0])));
        tcase_add_loop_test(tests, errors_are_named_with_their_line, 0,
                (int)(sizeof(error_rows) / sizeof(error_rows[0])));
        tcase_add_test(tests, line_that_is_too_long_is_an_error);
        tcase_add_test(tests, file_with_an_error_changes_nothing);
        tcase_add_test(tests, parts_add_and_replace_in_the_order_of_their_names);
        tcase_add_test(tests, error_in_a_part_is_named_with_its_file);
        tcase_add_test(tests, missing_file_is_an_error);
        tcase_add_test(tests, folder_is_an_error);
        tcase_add_test(tests, every_failed_allocation_is_an_error);
        return harness_run(suite);
}
