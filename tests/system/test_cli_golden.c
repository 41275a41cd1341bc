// SPDX-License-Identifier: Apache-2.0
/*
 * What every command prints, whole: for people, raw and as JSON, compared with files. What differs
 * from run to run is masked, and columns of it are left out where the width would change with it.
 * FILEMEM_GOLDEN_WRITE=1 writes the files anew: look at what has changed.
 */
#include "ctl.h"
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static struct daemon the_daemon;
static filemem_session *sessions[3];
static char ids[3][24];

/* ---- what there is to be seen ---------------------------------------------------------------- */

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

/* Two share a range in one pool, and one has half of his touched in another. */
static void start(void)
{
        struct filemem_range range;

        daemon_start(&the_daemon, "[pool default]\njoin = *\ncapacity = 64M\n"
                                  "[pool second]\njoin = *\ncapacity = 16M\n");
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("COLUMNS", "80", 1);
        sessions[0] = open_session(NULL, "web server");
        sessions[1] = open_session(NULL, "cache");
        sessions[2] = open_session("second", NULL);
        for (int i = 0; i < 3; i++)
                snprintf(ids[i], sizeof(ids[i]), "%llu",
                        (unsigned long long)filemem_session_id(sessions[i]));
        range = fill(sessions[0], 2 << 20, FILEMEM_PAGE_CACHE);
        range.end = range.start + (1 << 20);
        ck_assert_int_eq(filemem_incref(sessions[1], range), 0);
        fill(sessions[1], 3 * PAGE, FILEMEM_TMPFS);
        fill(sessions[2], 64 * PAGE, FILEMEM_ANONYMOUS);
        ck_assert_int_eq(filemem_allocate(sessions[2], 64 * PAGE, FILEMEM_MAPPED, &range), 0);
        ctl_get("usage --by pool"); /* so that what is committed is known */
}

static void stop(void)
{
        for (int i = 0; i < 3; i++)
                filemem_close(sessions[i]);
        daemon_stop(&the_daemon);
}

/* ---- masks ----------------------------------------------------------------------------------- */

/* Replaces what matches, or its first group. */
static void mask(char *text, const char *pattern, const char *by)
{
        static char masked[1 << 20];
        const char *from = text;
        regmatch_t match[2];
        size_t used = 0;
        regex_t regex;

        ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED), 0);
        while (regexec(&regex, from, 2, match, 0) == 0) {
                const regmatch_t *part = match[1].rm_so >= 0 ? &match[1] : &match[0];

                used += (size_t)snprintf(
                        masked + used, sizeof(masked) - used, "%.*s%s", (int)part->rm_so, from, by);
                from += part->rm_eo;
        }
        snprintf(masked + used, sizeof(masked) - used, "%s", from);
        strcpy(text, masked);
        regfree(&regex);
}

static const char *const changing_keys[] = {"version", "pid", "uid", "gid", "age_ns", "idle_ns",
        "uptime_ns", "time_ns", "at_ns", "host_permille", "requests", "operations", "refusals",
        "sessions_total", "accounting", "scans", "reclaimed", "punches", "entries", "metadata",
        "allocated_rate", "released_rate", "operation_rate", "swapped", "user", "session_id",
        "user_maximum", "total", "total_maximum", "command", "time", "limits"};

/* limits: the numbers of all users and sessions are the configuration's and the moment's. */
static void mask_json(char *text, const char *command)
{
        for (size_t i = 0; i < sizeof(changing_keys) / sizeof(changing_keys[0]); i++) {
                char pattern[128];
                const char *key = changing_keys[i];

                if (strcmp(command, "limits") != 0 && !strncmp(key, "total", 5))
                        continue;
                if (!strcmp(command, "limits") && !strcmp(key, "limits"))
                        continue; /* the name of its list */
                if (!strcmp(command, "help"))
                        continue;
                snprintf(pattern, sizeof(pattern), "\"%s\": ?(\"[^\"]*\"|[0-9]+|null|true|false)",
                        key);
                mask(text, pattern, "*");
        }
}

static void mask_text(char *text)
{
        for (int i = 2; i >= 0; i--) {
                char pattern[64];

                snprintf(pattern, sizeof(pattern), "session (%s) --from", ids[i]);
                mask(text, pattern, "N");
        }
        mask(text, "([0-9]+(\\.[0-9])?(ns|us|ms|s))", "TIME");
        mask(text, "The host has ([^ ]+)\\.", "MUCH");
        mask(text, "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\\.[0-9]+", "TIME");
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void compare(const char *name, const char *text)
{
        char path[512], *expected;

        snprintf(path, sizeof(path), "%s/%s", FILEMEM_GOLDEN, name);
        if (getenv("FILEMEM_GOLDEN_WRITE")) {
                FILE *file = fopen(path, "we");

                ck_assert_ptr_nonnull(file);
                fputs(text, file);
                ck_assert_int_eq(fclose(file), 0);
                return;
        }
        expected = ctl_read_file(path);
        ck_assert_msg(!strcmp(text, expected), "%s is not what it was:\n%s\nbut:\n%s", name,
                expected, text);
        free(expected);
}

/*
 * command: its words, where %0 to %2 are sessions. columns: those that people see, without what
 * changes; NULL: the usual ones.
 */
static const struct golden {
        const char *name;
        const char *command;
        const char *columns;
} goldens[] = {
        {"ping", "ping", NULL},
        {"status", "status second",
                "pools,pool,pool_sessions,capacity,size,page_size,exec,zero,huge"},
        {"usage", "usage", "group,allocated,committed"},
        {"usage-by-session", "usage --by session", "group,name,pool,allocated,committed"},
        {"usage-by-pool", "usage --by pool",
                "group,allocated,committed,swapped,reclaimable,stray,leased"},
        {"usage-by-label", "usage --by label", "group,allocated,committed"},
        {"pools", "pools", NULL},
        {"limits", "limits second", "limit,session,pool,pool_maximum"},
        {"sessions", "sessions", "session,pool,access,held,holdings,queued,parent,label"},
        {"sessions-sorted", "sessions -p default --sort -held", "label,held"},
        {"session", "session %1", NULL},
        {"holders", "holders 0x0-0x200000", "session,held,most,label"},
        {"leaks", "leaks --idle 1ns", "session,pool,start,end,length,kind,committed,label"},
        {"trim", "trim second", NULL},
        {"dump", "dump", NULL},
        {"gaps", "gaps second", NULL},
        {"map", "map second --range 224K-288K", NULL},
        {"help", "help", "command,word,help"},
};

/* The words with the numbers of sessions. */
static void expand(const char *command, char *ret, size_t size)
{
        size_t used = 0;

        for (; *command; command++) {
                if (*command == '%')
                        used += (size_t)snprintf(
                                ret + used, size - used, "%s", ids[*++command - '0']);
                else
                        ret[used++] = *command;
        }
        ret[used] = 0;
}

static void run(const struct golden *golden, const char *how, const char *extension)
{
        char line[512], name[64];
        bool json = !strcmp(how, "--json");

        expand(golden->command, line, sizeof(line) - 128);
        if (golden->columns && !json) {
                strcat(line, " -o ");
                strcat(line, golden->columns);
        }
        strcat(line, " ");
        strcat(line, how);
        ctl_get(line);
        if (json) {
                size_t length = strcspn(golden->command, " ");
                char command[32];

                snprintf(command, sizeof(command), "%.*s", (int)length, golden->command);
                mask_json(ctl_output, command);
        } else if (strcmp(golden->name, "help") != 0) {
                mask_text(ctl_output);
        }
        if (!strcmp(golden->name, "ping") || !strcmp(golden->name, "trim"))
                mask(ctl_output, strcmp(how, "--raw") ? "$^" : "([0-9]+)\n$", "TIME");
        snprintf(name, sizeof(name), "%s.%s", golden->name, extension);
        compare(name, ctl_output);
}

START_TEST(output_is_what_it_was)
{
        const struct golden *golden = &goldens[_i];

        run(golden, "", "txt");
        run(golden, "--raw", "raw");
        run(golden, "--json", "json");
}
END_TEST

/* On a terminal: headers in bold, and what is wrong in a colour. */
START_TEST(colours_are_what_they_were)
{
        ctl_get("pools --color");
        compare("pools-color.txt", ctl_output);
        ctl_get("pools --color=auto");
        ck_assert_ptr_null(strchr(ctl_output, '\033'));
        setenv("NO_COLOR", "1", 1);
        ctl_get("pools --color");
        ck_assert_ptr_nonnull(strchr(ctl_output, '\033'));
        unsetenv("NO_COLOR");
}
END_TEST

START_TEST(help_is_what_it_was)
{
        compare("help-usage.txt", ctl_get("help usage"));
        compare("help-all.txt", ctl_get("help"));
}
END_TEST

/* Its numbers are of the moment, and so is how wide they are: what is left is where they stand. */
START_TEST(top_is_what_it_was)
{
        compare("top.txt", ctl_get("top --batch --limit 1 --order held | sed -E "
                                   "'s/[-+]?[0-9][0-9.]*(ns|us|ms|s|"
                                   "[BKMG])?\\b/#/g; s/ +/ /g; s/^ //; s/^# # [^ ]+ /# # USER /'"));
}
END_TEST

/* These do something and print nothing. */
START_TEST(what_is_done_says_nothing)
{
        char line[64];

        snprintf(line, sizeof(line), "kick %s", ids[2]);
        ck_assert_str_eq(ctl_get(line), "");
        ck_assert_str_eq(ctl_get("reload"), "");
        ck_assert_str_eq(ctl_get("destroy second"), "");
}
END_TEST

START_TEST(a_trace_is_what_it_was)
{
        struct filemem_range range;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (!child) {
                /* until the parent has seen enough */
                filemem_session *worker;

                if (filemem_open(NULL, NULL, &worker) < 0)
                        _exit(1);
                for (;;) {
                        filemem_allocate(worker, 2 * PAGE, FILEMEM_MAPPED, &range);
                        filemem_decref(worker, range);
                        filemem_decref(worker, range);
                        usleep(1000);
                }
        }
        ctl_get("trace -n 64 -o operation,error,length,kind --raw --no-header | sort -u");
        compare("trace.raw", ctl_output);
        ctl_get("trace -n 64 -o operation,error,length,kind --no-header | tr -s ' ' | sort -u");
        compare("trace.txt", ctl_output);
        ctl_get("trace -n 64 -o operation,error,length,kind --json | tr -d ' \\n' | "
                "sed 's/{\"trace\":\\[//g; s/\\]}//g; s/},*{/}\\n{/g; s/$/\\n/' | sort -u");
        compare("trace.json", ctl_output);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cli golden");
        TCase *tests = harness_case(suite, "cli golden", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_loop_test(tests, output_is_what_it_was, 0, sizeof(goldens) / sizeof(goldens[0]));
        tcase_add_test(tests, colours_are_what_they_were);
        tcase_add_test(tests, help_is_what_it_was);
        tcase_add_test(tests, top_is_what_it_was);
        tcase_add_test(tests, what_is_done_says_nothing);
        tcase_add_test(tests, a_trace_is_what_it_was);
        return harness_run(suite);
}
