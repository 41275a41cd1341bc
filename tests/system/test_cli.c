// SPDX-License-Identifier: Apache-2.0
/* filememctl with the real daemon: what it tells, and its exit codes. */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct daemon the_daemon;

static unsigned count_lines(const char *text)
{
        unsigned count = 0;

        for (; *text; text++)
                count += *text == '\n';
        return count;
}

/* The list that the output has under `name`, and nothing else beside it. */
static json_t *parse(const char *name, size_t count)
{
        json_error_t error;
        json_t *root = json_loads(ctl_output, JSON_REJECT_DUPLICATES, &error), *list;

        ck_assert_msg(root != NULL, "%s in %s", error.text, ctl_output);
        ck_assert_uint_eq(json_object_size(root), 1);
        list = json_object_get(root, name);
        ck_assert(json_is_array(list));
        ck_assert_uint_eq(json_array_size(list), count);
        json_incref(list);
        json_decref(root);
        return list;
}

static uint64_t number(const json_t *object, const char *key)
{
        const json_t *value = json_object_get(object, key);

        ck_assert_msg(json_is_integer(value), "%s is no number", key);
        return (uint64_t)json_integer_value(value);
}

static const char *text(const json_t *object, const char *key)
{
        const json_t *value = json_object_get(object, key);

        ck_assert_msg(json_is_string(value), "%s is no text", key);
        return json_string_value(value);
}

static filemem_session *open_session(void)
{
        const struct filemem_options options = {
                .size = sizeof(options), .label = "a \"label\" of \xc3\xa4"};
        filemem_session *session;

        ck_assert_int_eq(filemem_open(the_daemon.socket, &options, &session), 0);
        return session;
}

static struct filemem_range fill(filemem_session *session, uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range;
        void *address;

        ck_assert_int_eq(filemem_allocate(session, length, kind, &range), 0);
        ck_assert_int_eq(filemem_map(session, range, 3, &address), 0);
        memset(address, 1, length);
        return range;
}

static void start(void)
{
        daemon_start(&the_daemon, NULL);
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

/* ---- commands -------------------------------------------------------------------------------- */

START_TEST(ping_says_how_long)
{
        json_t *list;

        ctl_get("ping");
        ck_assert_uint_eq(count_lines(ctl_output), 2);
        ck_assert_ptr_nonnull(strstr(ctl_output, "ROUND TRIP"));
        ctl_get("ping --no-header");
        ck_assert_uint_eq(count_lines(ctl_output), 1);
        ctl_get("ping --json");
        list = parse("ping", 1);
        ck_assert_uint_gt(number(json_array_get(list, 0), "time_ns"), 0);
        json_decref(list);
}
END_TEST

START_TEST(status_names_daemon_and_pool)
{
        static const char *const numbers[] = {"uptime_ns", "sessions", "sessions_total", "requests",
                "operations", "refusals", "protocol_errors", "scans", "reclaimed", "punches",
                "punch_failures", "max_message", "max_operations", "pools", "pool_sessions",
                "capacity", "size", "page_size", "hugepage_size", "chunk_size", "entries",
                "metadata"};
        json_t *list, *status;

        ctl_get("status");
        ck_assert_ptr_nonnull(strstr(ctl_output, "capacity"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "16M"));
        ctl_get("status --bytes");
        ck_assert_ptr_nonnull(strstr(ctl_output, "16777216"));
        ctl_get("status --json");
        list = parse("status", 1);
        status = json_array_get(list, 0);
        ck_assert_uint_eq(json_object_size(status), sizeof(numbers) / sizeof(numbers[0]) + 8);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                number(status, numbers[i]);
        ck_assert_uint_eq(number(status, "pid"), (uint64_t)the_daemon.pid);
        ck_assert_uint_eq(number(status, "chunk_size"), 16 << 20);
        ck_assert_str_ne(text(status, "version"), "");
        ck_assert_str_eq(text(status, "pool"), "default");
        ck_assert(!strcmp(text(status, "accounting"), "cachestat") ||
                  !strcmp(text(status, "accounting"), "seek"));
        ck_assert(json_is_false(json_object_get(status, "exec")));
        ck_assert_str_eq(text(status, "zero"), "off");
        ck_assert_str_eq(text(status, "huge"), "never");
        json_decref(list);
}
END_TEST

/* The row of that kind; all rows have all keys. */
static json_t *usage_row(const json_t *list, const char *kind)
{
        json_t *row;
        size_t i;

        json_array_foreach(list, i, row)
        {
                ck_assert_uint_eq(json_object_size(row), 17);
                if (!strcmp(text(row, "kind"), kind))
                        return row;
        }
        ck_abort_msg("no %s", kind);
        return NULL;
}

START_TEST(usage_is_by_kind_and_adds_up)
{
        filemem_session *session = open_session();
        json_t *list, *row;

        fill(session, 3 << 19, FILEMEM_PAGE_CACHE);
        fill(session, 4096, FILEMEM_MAPPED);
        ctl_get("usage");
        ck_assert_uint_eq(count_lines(ctl_output), 11);
        ck_assert_ptr_nonnull(strstr(ctl_output, "PageCache        1.5M      1.5M "));
        ck_assert_ptr_nonnull(strstr(ctl_output, "exact"));
        ctl_get("usage --bytes --no-header");
        ck_assert_uint_eq(count_lines(ctl_output), 9);
        ck_assert_ptr_nonnull(strstr(ctl_output, "1572864"));

        ctl_get("usage --json");
        list = parse("usage", FILEMEM_KINDS + 3);
        row = usage_row(list, "PageCache");
        ck_assert_uint_eq(number(row, "allocated"), 3 << 19);
        ck_assert_uint_eq(number(row, "committed"), 3 << 19);
        ck_assert(json_is_null(json_object_get(row, "swapped")));
        row = usage_row(list, "stray");
        ck_assert(json_is_null(json_object_get(row, "allocated")));
        ck_assert_uint_eq(number(row, "committed"), 0);
        row = usage_row(list, "total");
        ck_assert_uint_eq(number(row, "allocated"), (3 << 19) + 4096);
        ck_assert_uint_eq(number(row, "committed"), (3 << 19) + 4096);
        number(row, "swapped");
        number(row, "age_ns");
        ck_assert(json_is_true(json_object_get(row, "exact")));
        json_decref(list);
        filemem_close(session);
}
END_TEST

START_TEST(known_usage_asks_the_kernel_nothing)
{
        filemem_session *session = open_session();
        json_t *list;

        fill(session, 4096, FILEMEM_TMPFS);
        ctl_get("usage --known --json");
        list = parse("usage", FILEMEM_KINDS + 3);
        ck_assert_uint_eq(number(usage_row(list, "Tmpfs"), "allocated"), 4096);
        ck_assert_uint_eq(number(usage_row(list, "Tmpfs"), "committed"), 0);
        ck_assert(json_is_null(json_object_get(usage_row(list, "total"), "age_ns")));
        json_decref(list);
        ctl_get("usage --known");
        ck_assert_ptr_nonnull(strstr(ctl_output, "never counted"));
        filemem_close(session);
}
END_TEST

START_TEST(sessions_say_who_holds_what)
{
        filemem_session *session = open_session();
        json_t *list, *row;

        fill(session, 2 << 20, FILEMEM_TMPFS);
        ctl_get("sessions");
        ck_assert_uint_eq(count_lines(ctl_output), 3);
        ck_assert_ptr_nonnull(strstr(ctl_output, "LABEL"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "filememctl"));
        ctl_get("sessions --json");
        list = parse("sessions", 2);
        row = json_array_get(list, 0);
        ck_assert_uint_eq(json_object_size(row), 24);
        ck_assert(json_is_false(json_object_get(row, "read_only")));
        ck_assert(json_is_null(json_object_get(row, "parent")));
        ck_assert_uint_eq(number(row, "session"), filemem_session_id(session));
        ck_assert_uint_eq(number(row, "pid"), (uint64_t)getpid());
        ck_assert_uint_eq(number(row, "uid"), getuid());
        ck_assert_uint_eq(number(row, "gid"), getgid());
        ck_assert_uint_eq(number(row, "held"), 2 << 20);
        ck_assert_uint_eq(number(row, "holdings"), 1);
        ck_assert_uint_ge(number(row, "requests"), 1);
        ck_assert_uint_gt(number(row, "age_ns"), 0);
        ck_assert_str_eq(text(row, "label"), "a \"label\" of \xc3\xa4");
        ck_assert_str_eq(text(row, "pool"), "default");
        json_decref(list);
        filemem_close(session);
}
END_TEST

START_TEST(limits_say_what_is_used_and_of_how_much)
{
        filemem_session *session = open_session();
        struct filemem_limit limits[16];
        json_t *list, *row;
        int count;

        fill(session, 2 << 20, FILEMEM_TMPFS);
        ctl_get("limits");
        ck_assert_uint_eq(count_lines(ctl_output), 8);
        ctl_get("limits --json");
        list = parse("limits", 7);
        row = json_array_get(list, 0);
        ck_assert_uint_eq(json_object_size(row), 9);
        ck_assert_str_eq(text(row, "limit"), "bytes");
        ck_assert_uint_eq(number(row, "session"), 0);
        ck_assert(json_is_null(json_object_get(row, "user_maximum")));
        ck_assert_uint_eq(number(row, "pool"), 2 << 20);
        row = json_array_get(list, 1);
        ck_assert_uint_eq(number(row, "pool"), 2 << 20); /* committed, right now */
        ck_assert(json_is_null(json_object_get(row, "user")));
        row = json_array_get(list, 2);
        ck_assert_uint_eq(number(row, "pool"), 1);
        ck_assert_uint_eq(number(row, "user_maximum"), 1 << 20);
        json_decref(list);
        count = filemem_limits(session, limits, 16);
        ck_assert_int_eq(count, 7);
        ck_assert_str_eq(limits[0].name, "bytes");
        ck_assert_uint_eq(limits[0].session.used, 2 << 20);
        ck_assert_uint_eq(limits[0].session.maximum, FILEMEM_UNLIMITED);
        ck_assert(!limits[1].session.counted);
        ck_assert_int_eq(filemem_limits(session, NULL, 0), 7);
        ck_assert_int_eq(filemem_limits(session, NULL, 1), -EINVAL);
        filemem_close(session);
}
END_TEST

START_TEST(dump_shows_every_range)
{
        filemem_session *session = open_session();
        struct filemem_range range;
        char expected[64];
        json_t *list, *row;

        ctl_get("dump --json");
        json_decref(parse("dump", 0));
        for (unsigned i = 0; i < 1300; i++)
                range = fill(session, 4096, i % 2 ? FILEMEM_TMPFS : FILEMEM_ANONYMOUS);
        ck_assert_int_eq(filemem_incref(session, range), 0);
        ctl_get("dump");
        ck_assert_uint_eq(count_lines(ctl_output), 1301);
        snprintf(expected, sizeof(expected), "%#" PRIx64 " %#" PRIx64, range.start, range.end);
        ck_assert_ptr_nonnull(strstr(ctl_output, expected));
        ctl_get("usage"); /* so that committed is known */
        ctl_get("dump --json");
        list = parse("dump", 1300);
        row = json_array_get(list, 1299);
        ck_assert_uint_eq(json_object_size(row), 7);
        ck_assert_uint_eq(number(row, "start"), range.start);
        ck_assert_uint_eq(number(row, "end"), range.end);
        ck_assert_uint_eq(number(row, "length"), 4096);
        ck_assert_uint_eq(number(row, "refs"), 2);
        ck_assert_uint_eq(number(row, "committed"), 4096);
        ck_assert_str_eq(text(row, "kind"), "Tmpfs");
        ck_assert(json_is_false(json_object_get(row, "estimated")));
        json_decref(list);
        filemem_close(session);
}
END_TEST

/* ---- exit codes ------------------------------------------------------------------------------ */

START_TEST(a_wrong_command_line_is_2)
{
        ctl_fail(2, "");
        ck_assert_ptr_nonnull(strstr(ctl_fail(2, "fly"), "fly"));
        ctl_fail(2, "ping pong");
        ctl_fail(2, "ping --fast");
        ctl_fail(2, "ping --known");
        ctl_fail(2, "ping --socket");
        ctl_fail(2, "ping --json=yes");
}
END_TEST

START_TEST(no_daemon_is_3)
{
        static const char *const commands[] = {"ping", "status", "usage", "sessions", "dump"};
        char line[64];

        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
                snprintf(line, sizeof(line), "%s -s /nonexistent/s", commands[i]);
                ck_assert_ptr_nonnull(strstr(ctl_fail(3, line), "/nonexistent/s"));
        }
}
END_TEST

START_TEST(help_and_version_need_no_daemon)
{
        setenv("FILEMEM_SOCKET", "/nonexistent", 1);
        ck_assert_ptr_nonnull(strstr(ctl_get("--help"), "sessions"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "Exit codes"));
        ck_assert_ptr_nonnull(strstr(ctl_get("help"), "Usage: filememctl"));
        ck_assert_str_eq(ctl_get("--version"), "filememctl " FILEMEM_VERSION "\n");
}
END_TEST

START_TEST(output_that_cannot_be_written_is_1)
{
        ctl_fail(1, "status >/dev/full");
        ctl_fail(1, "--help >/dev/full");
}
END_TEST

START_TEST(the_socket_can_come_from_the_environment_or_be_said)
{
        char line[256];

        ctl_get("ping");
        setenv("FILEMEM_SOCKET", "/nonexistent", 1);
        ctl_fail(3, "ping");
        snprintf(line, sizeof(line), "ping -s %s", the_daemon.socket);
        ctl_get(line);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli");
        TCase *commands = harness_case(suite, "commands", 60);

        tcase_add_checked_fixture(commands, start, stop);
        tcase_add_test(commands, ping_says_how_long);
        tcase_add_test(commands, status_names_daemon_and_pool);
        tcase_add_test(commands, usage_is_by_kind_and_adds_up);
        tcase_add_test(commands, known_usage_asks_the_kernel_nothing);
        tcase_add_test(commands, sessions_say_who_holds_what);
        tcase_add_test(commands, limits_say_what_is_used_and_of_how_much);
        tcase_add_test(commands, dump_shows_every_range);
        tcase_add_test(commands, a_wrong_command_line_is_2);
        tcase_add_test(commands, no_daemon_is_3);
        tcase_add_test(commands, help_and_version_need_no_daemon);
        tcase_add_test(commands, output_that_cannot_be_written_is_1);
        tcase_add_test(commands, the_socket_can_come_from_the_environment_or_be_said);
        return harness_run(suite);
}
