// SPDX-License-Identifier: Apache-2.0
/* filememctl, for who looks for whoever has the memory: sessions, what they hold, what they left.
 */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  UINT64_C(4096)
#define ALICE 60001
#define BOB   60002

static struct daemon the_daemon;

static void start(void)
{
        daemon_start(&the_daemon, "[daemon]\nsocket_mode = 0666\n"
                                  "[pool default]\njoin = *\ncapacity = 64M\n"
                                  "[pool closed]\ncapacity = 16M\njoin = 0\n");
        ck_assert_int_eq(chmod(the_daemon.folder, 0711), 0);
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

static filemem_session *open_session(const char *label)
{
        const struct filemem_options options = {.size = sizeof(options), .label = label};
        filemem_session *session;

        ck_assert_int_eq(filemem_open(NULL, &options, &session), 0);
        return session;
}

static struct filemem_range take(filemem_session *session, uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range;

        ck_assert_int_eq(filemem_allocate(session, length, kind, &range), 0);
        return range;
}

static struct filemem_range fill(filemem_session *session, uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range = take(session, length, kind);
        void *address;

        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        memset(address, 1, length);
        return range;
}

/* The list of a command's JSON. */
static json_t *ask(const char *name, const char *line, size_t count)
{
        json_error_t error;
        json_t *root = json_loads(ctl_get(line), JSON_REJECT_DUPLICATES, &error), *list;

        ck_assert_msg(root != NULL, "%s in %s", error.text, ctl_output);
        list = json_incref(json_object_get(root, name));
        json_decref(root);
        ck_assert_msg(json_array_size(list) == count, "%s", ctl_output);
        return list;
}

static uint64_t number(const json_t *list, size_t row, const char *key)
{
        const json_t *value = json_object_get(json_array_get(list, row), key);

        ck_assert_msg(json_is_integer(value), "%s is no number", key);
        return (uint64_t)json_integer_value(value);
}

static const char *text(const json_t *list, size_t row, const char *key)
{
        const json_t *value = json_object_get(json_array_get(list, row), key);

        ck_assert_msg(json_is_string(value), "%s is no text", key);
        return json_string_value(value);
}

static const char *line_of(const char *format, uint64_t a, uint64_t b)
{
        static char line[128];

        /* cppcheck-suppress wrongPrintfScanfArgNum ; a format may say less */
        snprintf(line, sizeof(line), format, a, b);
        return line;
}

/* ---- sessions -------------------------------------------------------------------------------- */

START_TEST(sessions_tell_what_they_do)
{
        filemem_session *session = open_session("worker");
        struct filemem_range range;
        json_t *list;

        for (int i = 0; i < 100; i++) {
                range = take(session, 16 * PAGE, FILEMEM_TMPFS);
                ck_assert_int_eq(filemem_decref(session, range), 0);
        }
        take(session, PAGE, FILEMEM_TMPFS);
        ck_assert_int_lt(filemem_decref(session, (struct filemem_range){8 << 20, 9 << 20}), 0);
        list = ask("sessions", "sessions --json --pool default", 1);
        ck_assert_uint_eq(number(list, 0, "allocated"), 1601 * PAGE);
        ck_assert_uint_eq(number(list, 0, "released"), 1600 * PAGE);
        ck_assert_uint_eq(number(list, 0, "operations"), 202);
        ck_assert_uint_eq(number(list, 0, "refusals"), 1);
        ck_assert_uint_gt(number(list, 0, "allocated_rate"), 0);
        ck_assert_uint_gt(number(list, 0, "operation_rate"), 0);
        ck_assert_uint_eq(number(list, 0, "queued"), 0);
        ck_assert_uint_le(number(list, 0, "idle_ns"), number(list, 0, "age_ns"));
        ck_assert_str_eq(text(list, 0, "access"), "rw");
        ck_assert_str_eq(text(list, 0, "command"), "test_cli_sessio");
        json_decref(list);
        filemem_close(session);
}
END_TEST

START_TEST(rates_are_those_of_a_while)
{
        filemem_session *session = open_session("worker");
        json_t *list;

        take(session, 1 << 20, FILEMEM_TMPFS);
        list = ask("sessions", "sessions --json --pool default --over 20ms", 1);
        ck_assert_uint_eq(number(list, 0, "allocated"), 1 << 20);
        ck_assert_uint_eq(number(list, 0, "allocated_rate"), 0);
        ck_assert_uint_eq(number(list, 0, "operation_rate"), 0);
        ck_assert_uint_ge(number(list, 0, "idle_ns"), 20000000);
        json_decref(list);
        filemem_close(session);
}
END_TEST

START_TEST(columns_are_chosen_and_sorted)
{
        filemem_session *sessions[3];

        for (unsigned i = 0; i < 3; i++) {
                sessions[i] = open_session((const char *[]){"b", "c", "a"}[i]);
                take(sessions[i], (9 + i) * PAGE, FILEMEM_TMPFS);
        }
        ck_assert_str_eq(ctl_get("sessions -p default -o label,held --sort label"),
                "LABEL HELD\na      44K\nb      36K\nc      40K\n");
        ck_assert_str_eq(ctl_get("sessions -p default -o Label,HELD --sort -held --bytes"),
                "LABEL  HELD\na     45056\nc     40960\nb     36864\n");
        ck_assert_str_eq(ctl_get("sessions -p default -o label,parent --sort parent --raw"),
                "label parent\nb -\nc -\na -\n");
        ck_assert_ptr_nonnull(strstr(ctl_get("sessions -o +refusals"), "LABEL      REFUSALS\n"));
        for (unsigned i = 0; i < 3; i++)
                filemem_close(sessions[i]);
}
END_TEST

/* ---- what they hold -------------------------------------------------------------------------- */

START_TEST(a_session_is_asked_what_it_holds)
{
        filemem_session *one = open_session("one"), *two = open_session("two");
        struct filemem_range range = fill(one, 8 * PAGE, FILEMEM_TMPFS), half;
        json_t *list;

        ctl_get("usage");
        list = ask("session", line_of("session %" PRIu64 " --json", filemem_session_id(one), 0), 1);
        ck_assert_uint_eq(number(list, 0, "start"), range.start);
        ck_assert_uint_eq(number(list, 0, "length"), 8 * PAGE);
        ck_assert_uint_eq(number(list, 0, "committed"), 8 * PAGE);
        ck_assert_uint_eq(number(list, 0, "count"), 1);
        json_decref(list);
        half = (struct filemem_range){range.start, range.start + 4 * PAGE};
        ck_assert_int_eq(filemem_incref(two, half), 0);
        ck_assert_int_eq(filemem_incref(two, half), 0);
        list = ask("session", line_of("session %" PRIu64 " --json", filemem_session_id(two), 0), 1);
        ck_assert_uint_eq(number(list, 0, "end"), half.end);
        ck_assert_uint_eq(number(list, 0, "count"), 2);
        ck_assert_uint_eq(number(list, 0, "refs"), 3);
        ck_assert_str_eq(text(list, 0, "kind"), "Tmpfs");
        json_decref(list);
        json_decref(ask(
                "session", line_of("session %" PRIu64 " --json", filemem_session_id(one), 0), 2));
        ctl_get(line_of("session %" PRIu64 " --limit 1", filemem_session_id(one), 0));
        ck_assert_ptr_nonnull(strstr(ctl_output, "1 part, 16K, of which 16K is committed.\n"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "--from 0x4000\n"));
        ctl_get(line_of("session %" PRIu64 " --from 0x4000 --raw -o start,length,refs",
                filemem_session_id(one), 0));
        ck_assert_str_eq(ctl_output, "start length refs\n16384 16384 1\n");
        filemem_close(one);
        ctl_fail(1, "session 999999");
        filemem_close(two);
}
END_TEST

/* More than one page of them, of one that is alone and of one that is not. */
START_TEST(many_holdings_come_in_pages)
{
        filemem_session *session = open_session(NULL), *other = NULL;
        char line[64];

        for (unsigned i = 0; i < 1500; i++)
                take(session, PAGE, i % 2 ? FILEMEM_TMPFS : FILEMEM_MAPPED);
        snprintf(line, sizeof(line), "session %" PRIu64 " --json", filemem_session_id(session));
        for (int i = 0; i < 2; i++) {
                json_t *list = ask("session", line, 1500);

                ck_assert_uint_eq(number(list, 1499, "end"), 1500 * PAGE);
                json_decref(list);
                if (!other) {
                        other = open_session(NULL);
                        take(other, PAGE, FILEMEM_TMPFS);
                }
        }
        filemem_close(session);
        filemem_close(other);
}
END_TEST

START_TEST(holders_of_a_range_are_found)
{
        filemem_session *one = open_session("one"), *two = open_session("two");
        struct filemem_range range = take(one, 16 * PAGE, FILEMEM_TMPFS);
        json_t *list;

        ck_assert_int_eq(
                filemem_incref(two, (struct filemem_range){range.start + 8 * PAGE, range.end}), 0);
        list = ask("holders",
                line_of("holders %#" PRIx64 "-%#" PRIx64 " --json", range.start, range.end), 2);
        ck_assert_uint_eq(number(list, 0, "session"), filemem_session_id(one));
        ck_assert_uint_eq(number(list, 0, "held"), 16 * PAGE);
        ck_assert_uint_eq(number(list, 1, "held"), 8 * PAGE);
        ck_assert_str_eq(text(list, 1, "label"), "two");
        json_decref(list);
        json_decref(ask("holders", line_of("holders %" PRIu64 "+4K --json", range.start, 0), 1));
        ck_assert_str_eq(ctl_get("holders 32M"), "Nobody holds any of it.\n");
        ck_assert_str_eq(ctl_fail(1, "holders 1T"),
                "holders: range ends beyond the capacity of the pool: 'filememctl status' shows "
                "it");
        filemem_close(one);
        filemem_close(two);
}
END_TEST

START_TEST(leaks_are_what_the_idle_hold)
{
        filemem_session *one = open_session("one"), *two = open_session("two");
        json_t *list;

        take(one, 4 * PAGE, FILEMEM_TMPFS);
        take(one, 64 * PAGE, FILEMEM_MAPPED);
        list = ask("leaks", "leaks --idle 1ns --json", 2);
        ck_assert_uint_eq(number(list, 0, "length"), 64 * PAGE);
        ck_assert_uint_eq(number(list, 1, "length"), 4 * PAGE);
        ck_assert_uint_eq(number(list, 1, "session"), filemem_session_id(one));
        json_decref(list);
        ck_assert_str_eq(
                ctl_get("leaks"), "No session that holds anything said nothing for 1m0s.\n");
        ctl_get("leaks --idle 1ns");
        ck_assert_ptr_nonnull(strstr(ctl_output, "1 session that said nothing for 1ns holds "));
        json_decref(ask("leaks", "leaks --idle 1ns --json --pool closed", 0));
        filemem_close(one);
        filemem_close(two);
}
END_TEST

START_TEST(trim_waits_until_all_is_given_back)
{
        filemem_session *session = open_session(NULL);
        struct filemem_range range = fill(session, 16 << 20, FILEMEM_TMPFS);
        uint64_t stored;
        void *address;

        ck_assert_int_eq(filemem_map(session, range, PROT_READ | PROT_WRITE, &address), 0);
        ck_assert_int_eq(filemem_decref(session, range), 0);
        ctl_get("trim");
        ck_assert_int_eq(filemem_total_usage(session, &stored), 0);
        ck_assert_uint_eq(stored, 0);
        memset(address, 1, PAGE); /* through a stale mapping */
        ck_assert_ptr_nonnull(strstr(ctl_get("trim -o given_back"), "4K\n"));
        ck_assert_int_eq(filemem_total_usage(session, &stored), 0);
        ck_assert_uint_eq(stored, 0);
        filemem_close(session);
}
END_TEST

/* ---- who may see what ------------------------------------------------------------------------ */

/* What one user's command prints, in ctl_output; returns its exit code. */
static int run_as(uid_t uid, const char *line)
{
        char command[512];

        snprintf(command, sizeof(command),
                "help >/dev/null; setpriv --reuid %u --regid %u --clear-groups %s %s", uid, uid,
                FILEMEM_CTL, line);
        return ctl_run(command);
}

/* A session of that user which holds this range; ends with the descriptor. */
static pid_t hold_as(uid_t uid, struct filemem_range range, uint64_t *ret_id)
{
        int ends[2];
        pid_t child;

        ck_assert_int_eq(pipe(ends), 0);
        child = fork();
        if (!child) {
                filemem_session *session;
                uint64_t id;

                if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0 ||
                        filemem_open(NULL, NULL, &session) < 0 ||
                        filemem_incref(session, range) < 0)
                        _exit(1);
                id = filemem_session_id(session);
                if (write(ends[1], &id, sizeof(id)) == sizeof(id))
                        pause();
                _exit(0);
        }
        close(ends[1]);
        ck_assert_int_eq(read(ends[0], ret_id, sizeof(*ret_id)), sizeof(*ret_id));
        close(ends[0]);
        return child;
}

START_TEST(a_user_sees_its_own)
{
        filemem_session *session = open_session("root's");
        struct filemem_range range = take(session, 4 * PAGE, FILEMEM_TMPFS);
        char line[128];
        uint64_t alice;
        pid_t child;

        if (geteuid() != 0) {
                fputs("skipped: being somebody else needs root\n", stderr);
                filemem_close(session);
                return;
        }
        child = hold_as(ALICE, range, &alice);
        ck_assert_int_eq(run_as(ALICE, "sessions --raw --no-header -p default -o uid"), 0);
        ck_assert_str_eq(ctl_output, "60001\n");
        snprintf(line, sizeof(line), "session %" PRIu64 " --raw --no-header -o count,refs", alice);
        ck_assert_int_eq(run_as(ALICE, line), 0);
        ck_assert_str_eq(ctl_output, "1 2\n");
        ck_assert_int_eq(run_as(BOB, line), 1);
        ck_assert_str_eq(ctl_errors, "filememctl: session: the session is another user's: ask as "
                                     "that user or as an administrator\n");
        snprintf(line, sizeof(line), "holders %#" PRIx64 "-%#" PRIx64, range.start, range.end);
        ck_assert_int_eq(run_as(ALICE, line), 0);
        ck_assert_ptr_nonnull(strstr(ctl_output, " 60001 "));
        ck_assert_ptr_null(strstr(ctl_output, "root's"));
        ck_assert_ptr_nonnull(strstr(ctl_output, "1 more session of other users"));
        ck_assert_int_eq(run_as(BOB, "leaks --idle 1ns --json"), 0);
        ck_assert_ptr_nonnull(strstr(ctl_output, "[]"));
        ck_assert_int_eq(run_as(ALICE, "trim"), 1);
        ck_assert_ptr_nonnull(strstr(ctl_errors, "only an administrator may do this"));
        ck_assert_int_eq(run_as(ALICE, "holders 0 --pool closed"), 1);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        filemem_close(session);
}
END_TEST

START_TEST(who_made_a_private_pool_trims_it)
{
        const struct filemem_options options = {.size = sizeof(options), .private_pool = true};
        filemem_session *session;
        uint64_t bytes;

        ck_assert_int_eq(filemem_open(NULL, &options, &session), 0);
        ck_assert_int_eq(filemem_decref(session, fill(session, 1 << 20, FILEMEM_TMPFS)), 0);
        ck_assert_int_eq(filemem_trim(session, NULL, &bytes), 0);
        ck_assert_uint_le(bytes, 1 << 20);
        ck_assert_int_eq(filemem_total_usage(session, &bytes), 0);
        ck_assert_uint_eq(bytes, 0);
        filemem_close(session);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

/* What only the daemon knows to be wrong: also one sentence that says what to do. */
START_TEST(refusals_say_what_to_do)
{
        ck_assert_str_eq(ctl_fail(1, "usage nope"),
                "usage: there is no pool of that name: 'filememctl pools' lists those that you may "
                "know of");
        ck_assert_str_eq(ctl_fail(1, "sessions nope"),
                "sessions: there is no pool of that name: 'filememctl pools' lists those that you "
                "may know of");
        ck_assert_str_eq(ctl_fail(1, "leaks --pool nope"),
                "leaks: there is no pool of that name: 'filememctl pools' lists those that you may "
                "know of");
        ck_assert_str_eq(ctl_fail(1, "kick 999999"),
                "kick: there is no such session: 'filememctl sessions' lists them");
        ck_assert_str_eq(ctl_fail(1, "destroy nope --yes"),
                "destroy: there is no pool of that name: 'filememctl pools' lists those that you "
                "may know of");
        ck_assert_str_eq(ctl_fail(2, "holders 5"),
                "'5' is no range: the range has to start and end at a page: a multiple of 4K");
        ck_assert_str_eq(ctl_fail(2, "holders 8K-4K"),
                "'8K-4K' is no range: the range is empty: its end has to come after its start");
        ck_assert_str_eq(ctl_fail(2, "holders x"),
                "'x' is no range: write a range as START-END or START+LENGTH, such as "
                "0x200000-0x400000 or 2M+64K");
        ck_assert_str_eq(ctl_fail(2, "leaks --idle long"),
                "--idle: write a time as 30s, 500ms, 5m, 1.5h or 2d");
        ck_assert_str_eq(
                ctl_fail(2, "session 1 --limit 0"), "--limit: write a whole number above 0");
        ck_assert_str_eq(ctl_fail(2, "session 1 --from 99999999T"),
                "--from: write a size as 4096, 0x1000, 4K or 1.5M");
        ck_assert_str_eq(ctl_fail(3, "ping -s /nonexistent"),
                "cannot reach the daemon: /nonexistent: no daemon runs there (there is no such "
                "socket): start filememd, or say with --socket where it listens");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli sessions");
        TCase *tests = harness_case(suite, "cli sessions", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, sessions_tell_what_they_do);
        tcase_add_test(tests, rates_are_those_of_a_while);
        tcase_add_test(tests, columns_are_chosen_and_sorted);
        tcase_add_test(tests, a_session_is_asked_what_it_holds);
        tcase_add_test(tests, many_holdings_come_in_pages);
        tcase_add_test(tests, holders_of_a_range_are_found);
        tcase_add_test(tests, leaks_are_what_the_idle_hold);
        tcase_add_test(tests, trim_waits_until_all_is_given_back);
        tcase_add_test(tests, a_user_sees_its_own);
        tcase_add_test(tests, who_made_a_private_pool_trims_it);
        tcase_add_test(tests, refusals_say_what_to_do);
        return harness_run(suite);
}
