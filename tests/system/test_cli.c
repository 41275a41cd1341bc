// SPDX-License-Identifier: Apache-2.0
/* filememctl and the demonstration with the real daemon. */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct daemon the_daemon;

/* What a program wrote, and how it ended. */
static char output[1 << 20];
static char errors[4096];

static void read_all(int fd, char *text, size_t size)
{
        size_t at = 0;
        ssize_t n;

        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        while (at < size - 1 && (n = read(fd, text + at, size - 1 - at)) > 0)
                at += (size_t)n;
        text[at] = '\0';
        close(fd);
}

static int new_file(void)
{
        int fd = memfd_create("output", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        return fd;
}

/* Runs a program; NULL ends the arguments. Returns its exit code, 128 and more for a signal. */
static int run(const char *program, ...)
{
        int out = new_file(), err = new_file(), status;
        const char *arguments[32] = {program};
        va_list list;
        pid_t child;

        va_start(list, program);
        for (unsigned i = 1; i < 31 && (arguments[i] = va_arg(list, const char *)); i++)
                ;
        va_end(list);
        child = fork();
        if (child == 0) {
                dup2(out, STDOUT_FILENO);
                dup2(err, STDERR_FILENO);
                execv(program, (char *const *)(uintptr_t)arguments);
                _exit(127);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        read_all(out, output, sizeof(output));
        read_all(err, errors, sizeof(errors));
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* filememctl with the daemon's socket; has to go well and say nothing on stderr. */
#define ctl(...)                                                                                   \
        do {                                                                                       \
                int code_ = run(FILEMEM_CTL, "--socket", the_daemon.socket, __VA_ARGS__, NULL);    \
                ck_assert_msg(code_ == 0, "%d: %s", code_, errors);                                \
                ck_assert_str_eq(errors, "");                                                      \
        } while (0)

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
        json_t *root = json_loads(output, JSON_REJECT_DUPLICATES, &error), *list;

        ck_assert_msg(root != NULL, "%s in %s", error.text, output);
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
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

/* ---- commands -------------------------------------------------------------------------------- */

START_TEST(ping_says_how_long)
{
        json_t *list;

        ctl("ping");
        ck_assert_uint_eq(count_lines(output), 2);
        ck_assert_ptr_nonnull(strstr(output, "ROUND TRIP"));
        ctl("ping", "--no-header");
        ck_assert_uint_eq(count_lines(output), 1);
        ctl("ping", "--json");
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

        ctl("status");
        ck_assert_ptr_nonnull(strstr(output, "capacity"));
        ck_assert_ptr_nonnull(strstr(output, "16M"));
        ctl("status", "--bytes");
        ck_assert_ptr_nonnull(strstr(output, "16777216"));
        ctl("status", "--json");
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
        ctl("usage");
        ck_assert_uint_eq(count_lines(output), 11);
        ck_assert_ptr_nonnull(strstr(output, "PageCache        1.5M      1.5M "));
        ck_assert_ptr_nonnull(strstr(output, "exact"));
        ctl("usage", "--bytes", "--no-header");
        ck_assert_uint_eq(count_lines(output), 9);
        ck_assert_ptr_nonnull(strstr(output, "1572864"));

        ctl("usage", "--json");
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
        ctl("usage", "--known", "--json");
        list = parse("usage", FILEMEM_KINDS + 3);
        ck_assert_uint_eq(number(usage_row(list, "Tmpfs"), "allocated"), 4096);
        ck_assert_uint_eq(number(usage_row(list, "Tmpfs"), "committed"), 0);
        ck_assert(json_is_null(json_object_get(usage_row(list, "total"), "age_ns")));
        json_decref(list);
        ctl("usage", "--known");
        ck_assert_ptr_nonnull(strstr(output, "never counted"));
        filemem_close(session);
}
END_TEST

START_TEST(sessions_say_who_holds_what)
{
        filemem_session *session = open_session();
        json_t *list, *row;

        fill(session, 2 << 20, FILEMEM_TMPFS);
        ctl("sessions");
        ck_assert_uint_eq(count_lines(output), 3);
        ck_assert_ptr_nonnull(strstr(output, "LABEL"));
        ck_assert_ptr_nonnull(strstr(output, "filememctl"));
        ctl("sessions", "--json");
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
        ctl("limits");
        ck_assert_uint_eq(count_lines(output), 8);
        ctl("limits", "--json");
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

        ctl("dump", "--json");
        json_decref(parse("dump", 0));
        for (unsigned i = 0; i < 1300; i++)
                range = fill(session, 4096, i % 2 ? FILEMEM_TMPFS : FILEMEM_ANONYMOUS);
        ck_assert_int_eq(filemem_incref(session, range), 0);
        ctl("dump");
        ck_assert_uint_eq(count_lines(output), 1301);
        snprintf(expected, sizeof(expected), "%#" PRIx64 " %#" PRIx64, range.start, range.end);
        ck_assert_ptr_nonnull(strstr(output, expected));
        ctl("usage"); /* so that committed is known */
        ctl("dump", "--json");
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

static void assert_one_line(void)
{
        ck_assert_msg(count_lines(errors) == 1, "%s", errors);
        ck_assert(!strncmp(errors, "filememctl: ", 12));
        ck_assert_str_eq(output, "");
}

START_TEST(a_wrong_command_line_is_2)
{
        ck_assert_int_eq(run(FILEMEM_CTL, NULL), 2);
        assert_one_line();
        ck_assert_int_eq(run(FILEMEM_CTL, "fly", NULL), 2);
        assert_one_line();
        ck_assert_ptr_nonnull(strstr(errors, "fly"));
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", "pong", NULL), 2);
        assert_one_line();
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", "--fast", NULL), 2);
        assert_one_line();
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", "--known", NULL), 2);
        assert_one_line();
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", "--socket", NULL), 2);
        assert_one_line();
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", "--json=yes", NULL), 2);
        assert_one_line();
}
END_TEST

START_TEST(no_daemon_is_3)
{
        static const char *const commands[] = {"ping", "status", "usage", "sessions", "dump"};

        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
                ck_assert_int_eq(run(FILEMEM_CTL, commands[i], "-s", "/nonexistent/s", NULL), 3);
                assert_one_line();
                ck_assert_ptr_nonnull(strstr(errors, "/nonexistent/s"));
        }
}
END_TEST

START_TEST(help_and_version_need_no_daemon)
{
        ck_assert_int_eq(run(FILEMEM_CTL, "--help", NULL), 0);
        ck_assert_ptr_nonnull(strstr(output, "sessions"));
        ck_assert_ptr_nonnull(strstr(output, "Exit codes"));
        ck_assert_str_eq(errors, "");
        ck_assert_int_eq(run(FILEMEM_CTL, "help", NULL), 0);
        ck_assert_ptr_nonnull(strstr(output, "Usage: filememctl"));
        ck_assert_int_eq(run(FILEMEM_CTL, "--version", NULL), 0);
        ck_assert_str_eq(output, "filememctl " FILEMEM_VERSION "\n");
}
END_TEST

START_TEST(output_that_cannot_be_written_is_1)
{
        ck_assert_int_eq(run("/bin/sh", "-c", "exec \"$0\" --socket \"$1\" status >/dev/full",
                                 FILEMEM_CTL, the_daemon.socket, NULL),
                1);
        assert_one_line();
        ck_assert_int_eq(
                run("/bin/sh", "-c", "exec \"$0\" --help >/dev/full", FILEMEM_CTL, NULL), 1);
        assert_one_line();
}
END_TEST

START_TEST(the_socket_can_come_from_the_environment)
{
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", NULL), 0);
        setenv("FILEMEM_SOCKET", "/nonexistent", 1);
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", NULL), 3);
        ck_assert_int_eq(run(FILEMEM_CTL, "ping", "-s", the_daemon.socket, NULL), 0);
        unsetenv("FILEMEM_SOCKET");
}
END_TEST

/* ---- the demonstration ----------------------------------------------------------------------- */

static void write_file(const char *name, size_t size)
{
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", the_daemon.folder, name);
        file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        for (size_t i = 0; i < size; i++)
                fputc((int)(i * 2654435761u >> 13), file);
        ck_assert_int_eq(fclose(file), 0);
}

static const char *path(const char *name)
{
        static char paths[8][128];
        static unsigned next;
        char *result = paths[next++ % 8];

        snprintf(result, sizeof(paths[0]), "%s/%s", the_daemon.folder, name);
        return result;
}

START_TEST(the_demonstration_does_what_it_says)
{
        char command[512];
        json_t *list;

        write_file("large", 5 << 20);
        write_file("odd", 70001);
        write_file("byte", 1);
        write_file("empty", 0);
        write_file("-name with spaces", 4096);
        snprintf(command, sizeof(command),
                "echo \"stage $FILEMEM_STAGE\"; %s --socket %s usage --bytes --no-header",
                FILEMEM_CTL, the_daemon.socket);
        ck_assert_msg(
                run(FILEMEM_CKSUM, "--socket", the_daemon.socket, "--workers", "2", "--at-stage",
                        command, "--", path("large"), path("odd"), path("byte"), path("empty"),
                        path("-name with spaces"), path("missing"), the_daemon.folder, NULL) == 0,
                "%s", errors);
        ck_assert_str_eq(errors, "");
        ck_assert_ptr_nonnull(strstr(output, "stage before"));
        ck_assert_ptr_nonnull(strstr(output, "stage during"));
        ck_assert_ptr_nonnull(strstr(output, "stage after"));
        ck_assert_ptr_nonnull(strstr(output, "missing: skipped"));
        ck_assert_ptr_nonnull(strstr(output, "empty: empty"));
        ck_assert_ptr_nonnull(strstr(output, "Loaded 4 files"));
        ck_assert_ptr_nonnull(strstr(output, "killed by SIGKILL after 2.6 MB of"));
        ck_assert_ptr_nonnull(strstr(output, "All 5 checksums equal"));
        ck_assert_ptr_nonnull(strstr(output, "0 bytes are allocated in the pool and 0 bytes"));
        ctl("usage", "--json");
        list = parse("usage", FILEMEM_KINDS + 3);
        ck_assert_uint_eq(number(usage_row(list, "total"), "allocated"), 0);
        ck_assert_uint_eq(number(usage_row(list, "total"), "committed"), 0);
        json_decref(list);
}
END_TEST

START_TEST(the_demonstration_takes_many_small_files)
{
        const char *script =
                "i=0; while [ $i -lt 100 ]; do echo $i >\"$2/many$i\"; i=$((i+1)); done; "
                "exec \"$0\" --socket \"$1\" --workers 4 \"$2\"/many*";

        ck_assert_msg(run("/bin/sh", "-c", script, FILEMEM_CKSUM, the_daemon.socket,
                              the_daemon.folder, NULL) == 0,
                "%s", errors);
        ck_assert_ptr_nonnull(strstr(output, "Only the first 64 files"));
        ck_assert_ptr_nonnull(strstr(output, "All 64 checksums equal"));
}
END_TEST

START_TEST(the_demonstration_fails_when_it_should)
{
        write_file("some", 100000);
        /* No daemon. */
        ck_assert_int_eq(run(FILEMEM_CKSUM, "--socket", "/nonexistent", path("some"), NULL), 1);
        ck_assert_ptr_nonnull(strstr(errors, "/nonexistent"));
        /* Nothing to do. */
        ck_assert_int_eq(
                run(FILEMEM_CKSUM, "--socket", the_daemon.socket, path("missing"), NULL), 1);
        ck_assert_ptr_nonnull(strstr(errors, "no file"));
        /* A stage that fails. */
        ck_assert_int_eq(run(FILEMEM_CKSUM, "--socket", the_daemon.socket, "--at-stage", "false",
                                 path("some"), NULL),
                1);
        ck_assert_int_eq(run(FILEMEM_CKSUM, "--workers", "1", path("some"), NULL), 2);
        ck_assert_int_eq(run(FILEMEM_CKSUM, "--bytes", "much", NULL), 2);
        ck_assert_int_eq(run(FILEMEM_CKSUM, "--wings", NULL), 2);
}
END_TEST

START_TEST(a_file_that_changes_meanwhile_is_noticed)
{
        const char *script = "exec \"$0\" --socket \"$1\" --at-stage "
                             "'[ $FILEMEM_STAGE != during ] || echo more >>'\"$2/changing\" "
                             "\"$2/changing\" \"$2/same\"";

        write_file("changing", 100000);
        write_file("same", 100000);
        ck_assert_msg(run("/bin/sh", "-c", script, FILEMEM_CKSUM, the_daemon.socket,
                              the_daemon.folder, NULL) == 0,
                "%s", errors);
        ck_assert_ptr_nonnull(strstr(output, "changing: changed meanwhile"));
        ck_assert_ptr_nonnull(strstr(output, "All 1 checksums equal"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli");
        TCase *commands = harness_case(suite, "commands", 60);
        TCase *demonstration = harness_case(suite, "demonstration", 60);

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
        tcase_add_test(commands, the_socket_can_come_from_the_environment);
        tcase_add_checked_fixture(demonstration, start, stop);
        tcase_add_test(demonstration, the_demonstration_does_what_it_says);
        tcase_add_test(demonstration, the_demonstration_takes_many_small_files);
        tcase_add_test(demonstration, the_demonstration_fails_when_it_should);
        tcase_add_test(demonstration, a_file_that_changes_meanwhile_is_noticed);
        return harness_run(suite);
}
