// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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
        config_init(&config);
}

static int read_text(const char *text)
{
        write_text(text);
        return config_read(&config, path, error);
}

static void finish(void)
{
        config_deinit(&config);
        harness_remove_folder(folder);
}

START_TEST(empty_file_leaves_the_defaults)
{
        ck_assert_int_eq(read_text(""), 0);
        ck_assert_ptr_null(config.socket);
        ck_assert_uint_eq(config.socket_mode, 0660);
        ck_assert_int_eq(config.log_level, LOG_LEVEL_INFO);
        ck_assert_int_eq(config.accounting, ACCOUNTING_BEST);
        ck_assert_uint_eq(config.capacity, 0);
        ck_assert(!config.exec);
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
                                "[pool default]\r\n"
                                "capacity = 512M\r\n"
                                "exec = yes") == 0,
                "%s", error);
        ck_assert_str_eq(config.socket, "/run/somewhere");
        ck_assert_uint_eq(config.socket_mode, 0600);
        ck_assert_int_eq(config.log_level, LOG_LEVEL_DEBUG);
        ck_assert_int_eq(config.accounting, ACCOUNTING_SEEK);
        ck_assert_uint_eq(config.capacity, UINT64_C(512) << 20);
        ck_assert(config.exec);
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
        {"8T", UINT64_C(8) << 40},
};

START_TEST(sizes_are_understood)
{
        char text[128];

        snprintf(text, sizeof(text), "[pool default]\ncapacity = %s\n", size_rows[_i].text);
        ck_assert_msg(read_text(text) == 0, "%s", error);
        ck_assert_uint_eq(config.capacity, size_rows[_i].size);
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
        {"[pool other]\ncapacity = 16M\n", 1, "unknown section [pool other]"},
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
        {"[pool default]\nexec = true\n", 2, "exec: 'true' is not yes or no"},
        {"[pool default]\ncapacity = many\n", 2, "capacity: 'many' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 16MB\n", 2, "capacity: '16MB' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = -16M\n", 2, "capacity: '-16M' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 1.5G\n", 2, "capacity: '1.5G' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 99999999999999999999\n", 2,
                "capacity: '99999999999999999999' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 16777216T\n", 2,
                "capacity: '16777216T' is no size such as 512M or 2T"},
        {"[pool default]\ncapacity = 0\n", 2, "capacity: '0' is not a multiple of 16M up to 8T"},
        {"[pool default]\ncapacity = 17M\n", 2,
                "capacity: '17M' is not a multiple of 16M up to 8T"},
        {"[pool default]\ncapacity = 9T\n", 2, "capacity: '9T' is not a multiple of 16M up to 8T"},
};

START_TEST(errors_are_named_with_their_line)
{
        const struct error_row *row = &error_rows[_i];
        char expected[CONFIG_ERROR_MAX];

        ck_assert_int_eq(read_text(row->text), -EINVAL);
        snprintf(expected, sizeof(expected), "%s:%d: %s", path, row->line, row->expected);
        ck_assert_str_eq(error, expected);
        finish();
}
END_TEST

START_TEST(line_that_is_too_long_is_an_error)
{
        char text[1024] = "[daemon]\nsocket = /";

        memset(text + strlen(text), 'x', 900);
        strcat(text, "\n");
        ck_assert_int_eq(read_text(text), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error, ":2: line is too long"));
        finish();
}
END_TEST

START_TEST(file_with_an_error_changes_nothing)
{
        write_text("[daemon]\nsocket = /new\nsocket_mode = 0600\nlog_level = loud\n");
        config.socket = strdup("/old");
        ck_assert_int_eq(config_read(&config, path, error), -EINVAL);
        ck_assert_str_eq(config.socket, "/old");
        ck_assert_uint_eq(config.socket_mode, 0660);
        finish();
}
END_TEST

START_TEST(what_is_not_said_stays)
{
        write_text("[daemon]\nsocket_mode = 0600\n");
        config.socket = strdup("/old");
        ck_assert_int_eq(config_read(&config, path, error), 0);
        ck_assert_str_eq(config.socket, "/old");
        ck_assert_uint_eq(config.socket_mode, 0600);
        finish();
}
END_TEST

START_TEST(missing_file_is_an_error)
{
        config_init(&config);
        ck_assert_int_eq(config_read(&config, "/nowhere/at/all", error), -ENOENT);
        ck_assert_str_eq(error, "/nowhere/at/all: cannot read it: No such file or directory");
        config_deinit(&config);
}
END_TEST

START_TEST(folder_is_an_error)
{
        config_init(&config);
        ck_assert_int_eq(config_read(&config, "/", error), -EISDIR);
        config_deinit(&config);
}
END_TEST

START_TEST(out_of_memory_is_an_error)
{
        int r;

        write_text("[daemon]\nsocket = /x\n");
        fault_alloc_at(0);
        r = config_read(&config, path, error);
        ck_assert_int_eq(r, -EINVAL);
        ck_assert(fault_alloc_happened());
        ck_assert_ptr_nonnull(strstr(error, "out of memory"));
        finish();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("config");
        TCase *tests = harness_case(suite, "config", 10);

        tcase_add_test(tests, empty_file_leaves_the_defaults);
        tcase_add_test(tests, every_key_is_understood);
        tcase_add_loop_test(
                tests, sizes_are_understood, 0, (int)(sizeof(size_rows) / sizeof(size_rows[0])));
        tcase_add_loop_test(tests, errors_are_named_with_their_line, 0,
                (int)(sizeof(error_rows) / sizeof(error_rows[0])));
        tcase_add_test(tests, line_that_is_too_long_is_an_error);
        tcase_add_test(tests, file_with_an_error_changes_nothing);
        tcase_add_test(tests, what_is_not_said_stays);
        tcase_add_test(tests, missing_file_is_an_error);
        tcase_add_test(tests, folder_is_an_error);
        tcase_add_test(tests, out_of_memory_is_an_error);
        return harness_run(suite);
}
