// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME LOG_LIMIT_TIME
#define NOW  (1000 * TIME)

/* ---- lines ----------------------------------------------------------------------------------- */

static int saved, pipe_fds[2];
static char text[65536];

/* stderr becomes a pipe. */
static void catch_begin(void)
{
        saved = dup(STDERR_FILENO);
        ck_assert_int_eq(pipe(pipe_fds), 0);
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[1]);
}

static const char *catch_end(void)
{
        ssize_t n;

        dup2(saved, STDERR_FILENO);
        close(saved);
        n = read(pipe_fds[0], text, sizeof(text) - 1);
        close(pipe_fds[0]);
        text[n > 0 ? n : 0] = '\0';
        return text;
}

static unsigned count_lines(void)
{
        unsigned lines = 0;

        for (const char *p = text; (p = strchr(p, '\n')); p++)
                lines++;
        return lines;
}

static struct log_about of_user(uid_t uid)
{
        return (struct log_about){.uid = uid};
}

START_TEST(a_line_says_who_speaks)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        errno = EDOM;
        log_event(LOG_SERVING, log_nobody(), "listening on %s", "somewhere");
        ck_assert_int_eq(errno, EDOM);
        ck_assert_str_eq(catch_end(), "filememd: listening on somewhere\n");
}
END_TEST

START_TEST(a_pipe_to_the_journal_gets_the_level)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, true);
        log_event(LOG_PUNCH_FAILED, log_of_pool("p"), "broken");
        ck_assert_str_eq(catch_end(), "<3>broken\n");
}
END_TEST

START_TEST(lines_below_the_level_are_not_written)
{
        catch_begin();
        log_setup(LOG_LEVEL_WARNING, false);
        log_event(LOG_SERVING, log_nobody(), "no");
        log_event(LOG_FILES_LIMITED, log_nobody(), "yes");
        ck_assert_str_eq(catch_end(), "filememd: yes\n");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_ends)
{
        char longer[4000];

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        log_event(LOG_SERVING, log_nobody(), "%s", longer);
        catch_end();
        ck_assert_uint_eq(strlen(text), 1024);
        ck_assert_int_eq(text[1023], '\n');
}
END_TEST

static struct log_record taken;
static char taken_message[256];
static bool takes;

static bool take(const struct log_record *record)
{
        taken = *record;
        strcpy(taken_message, record->message);
        return takes;
}

START_TEST(a_sink_gets_what_a_line_is_about)
{
        struct log_about about = {.session = 7, .pool = "frames", .uid = 1000, .pid = 42};

        log_setup(LOG_LEVEL_INFO, true);
        log_set_sink(take);
        takes = true;
        catch_begin();
        log_event(LOG_SESSION_ENDED, about, "ended %d", 7);
        ck_assert_str_eq(catch_end(), "");
        ck_assert_str_eq(taken_message, "ended 7");
        ck_assert_str_eq(taken.event, "SESSION_ENDED");
        ck_assert_uint_eq(strlen(taken.id), 32);
        ck_assert_int_eq(taken.level, LOG_LEVEL_WARNING);
        ck_assert_uint_eq(taken.about.session, 7);
        ck_assert_str_eq(taken.about.pool, "frames");
        log_set_sink(NULL);
}
END_TEST

START_TEST(what_a_sink_does_not_take_is_on_stderr)
{
        log_setup(LOG_LEVEL_INFO, true);
        log_set_sink(take);
        takes = false;
        catch_begin();
        log_event(LOG_SERVING, log_nobody(), "here");
        ck_assert_str_eq(catch_end(), "<6>here\n");
        log_set_sink(NULL);
}
END_TEST

START_TEST(a_broken_invariant_is_a_line_and_the_end)
{
        int status;
        pid_t pid;

        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        pid = fork();
        if (pid == 0) {
                close(pipe_fds[0]);
                check(1 + 1 == 3);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        catch_end();
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        ck_assert_ptr_nonnull(strstr(text, "filememd: broken invariant: 1 + 1 == 3 ("));
}
END_TEST

/* ---- clients --------------------------------------------------------------------------------- */

START_TEST(a_user_cannot_flood_the_log)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        for (int i = 0; i < 1000; i++)
                log_event(LOG_SESSION_ENDED, of_user(1000), "client %d", i);
        catch_end();
        ck_assert_uint_eq(count_lines(), LOG_LIMIT_LINES);
}
END_TEST

START_TEST(a_user_cannot_hide_what_others_do_nor_what_else_it_does)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        for (int i = 0; i < 1000; i++)
                log_event(LOG_SESSION_ENDED, of_user(1000), "client %d", i);
        log_event(LOG_SESSION_ENDED, of_user(1001), "another user");
        log_event(LOG_CONNECTION_REFUSED, of_user(1000), "another kind");
        catch_end();
        ck_assert_uint_eq(count_lines(), LOG_LIMIT_LINES + 2);
}
END_TEST

START_TEST(what_was_left_out_is_counted)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        for (unsigned i = 0; i < LOG_LIMIT_LINES + 5; i++)
                log_event(LOG_SESSION_ENDED, of_user(1000), "client %u", i);
        log_flush(clock_now());
        log_flush(clock_now() + TIME);
        log_flush(clock_now() + TIME);
        catch_end();
        ck_assert_uint_eq(count_lines(), LOG_LIMIT_LINES + 1);
        ck_assert_ptr_nonnull(strstr(text, "filememd: left out 5 more lines of the kind "
                                           "SESSION_ENDED, which user 1000 caused\n"));
}
END_TEST

START_TEST(what_the_daemon_says_of_itself_is_not_limited)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        for (int i = 0; i < 100; i++)
                log_event(LOG_PUNCH_FAILED, log_nobody(), "again");
        catch_end();
        ck_assert_uint_eq(count_lines(), 100);
}
END_TEST

static void *flood(void *argument)
{
        for (int i = 0; i < 1000; i++)
                log_event(LOG_SESSION_ENDED, of_user(*(uid_t *)argument), "client %d", i);
        return NULL;
}

START_TEST(threads_share_the_limit)
{
        static uid_t uids[4] = {1, 1, 2, 2};
        pthread_t threads[4];

        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, flood, &uids[i]), 0);
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        catch_end();
        ck_assert_uint_eq(count_lines(), LOG_LIMIT_LINES + LOG_LIMIT_LINES);
}
END_TEST

/* ---- the limit: time is an argument ---------------------------------------------------------- */

static struct log_limit limit;
static struct log_window ended;

static void set_up(void)
{
        memset(&limit, 0, sizeof(limit));
}

static unsigned admit_many(unsigned kind, uid_t uid, uint64_t now, unsigned count)
{
        unsigned admitted = 0;

        for (unsigned i = 0; i < count; i++)
                admitted += log_limit_admit(&limit, kind, uid, now, &ended);
        return admitted;
}

START_TEST(a_window_ends_with_its_time)
{
        ck_assert_uint_eq(admit_many(1, 5, NOW, 13), 10);
        ck_assert(!log_limit_admit(&limit, 1, 5, NOW + TIME - 1, &ended));
        ck_assert_uint_eq(ended.left_out, 0);
        ck_assert(log_limit_admit(&limit, 1, 5, NOW + TIME, &ended));
        ck_assert_uint_eq(ended.left_out, 4);
        ck_assert_uint_eq(ended.uid, 5);
        ck_assert(log_limit_admit(&limit, 1, 5, NOW + TIME, &ended));
        ck_assert_uint_eq(ended.left_out, 0);
}
END_TEST

START_TEST(nothing_is_said_twice)
{
        admit_many(1, 5, NOW, 13);
        ck_assert(!log_limit_end(&limit, NOW + TIME - 1, &ended));
        ck_assert(log_limit_end(&limit, NOW + TIME, &ended));
        ck_assert_uint_eq(ended.left_out, 3);
        ck_assert(!log_limit_end(&limit, NOW + TIME, &ended));
        ck_assert(log_limit_admit(&limit, 1, 5, NOW + TIME, &ended));
        ck_assert_uint_eq(ended.left_out, 0);
}
END_TEST

START_TEST(many_users_share_what_is_left)
{
        unsigned lines = 0, left_out = 0;

        for (uid_t uid = 0; uid < 1000; uid++)
                lines += admit_many(1, uid, NOW, 20);
        ck_assert_uint_eq(lines / LOG_LIMIT_LINES, LOG_LIMIT_WINDOWS + 1);
        while (log_limit_end(&limit, NOW + TIME, &ended)) {
                ck_assert(ended.shared || ended.left_out == 10);
                left_out += ended.left_out;
        }
        ck_assert_uint_eq(lines + left_out, 20000);
}
END_TEST

START_TEST(another_kind_has_its_own_share_when_all_windows_are_taken)
{
        for (uid_t uid = 0; uid < 1000; uid++)
                admit_many(1, uid, NOW, 20);
        ck_assert_uint_eq(admit_many(2, 7, NOW, 20), LOG_LIMIT_LINES);
}
END_TEST

START_TEST(windows_are_free_again_after_their_time)
{
        for (uid_t uid = 0; uid < 1000; uid++)
                admit_many(1, uid, NOW, 1);
        ck_assert_uint_eq(admit_many(1, 5000, NOW + TIME, 20), LOG_LIMIT_LINES);
        while (log_limit_end(&limit, NOW + 2 * TIME, &ended))
                ck_assert(!ended.shared || ended.since == NOW);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("log");
        TCase *core = harness_case(suite, "core", 5);
        TCase *clients = harness_case(suite, "clients", 5);
        TCase *limits = harness_case(suite, "limit", 5);

        tcase_add_test(core, a_line_says_who_speaks);
        tcase_add_test(core, a_pipe_to_the_journal_gets_the_level);
        tcase_add_test(core, lines_below_the_level_are_not_written);
        tcase_add_test(core, a_line_that_is_too_long_is_cut_and_ends);
        tcase_add_test(core, a_sink_gets_what_a_line_is_about);
        tcase_add_test(core, what_a_sink_does_not_take_is_on_stderr);
        tcase_add_test(core, a_broken_invariant_is_a_line_and_the_end);
        tcase_add_test(clients, a_user_cannot_flood_the_log);
        tcase_add_test(clients, a_user_cannot_hide_what_others_do_nor_what_else_it_does);
        tcase_add_test(clients, what_was_left_out_is_counted);
        tcase_add_test(clients, what_the_daemon_says_of_itself_is_not_limited);
        tcase_add_test(clients, threads_share_the_limit);
        tcase_add_checked_fixture(limits, set_up, NULL);
        tcase_add_test(limits, a_window_ends_with_its_time);
        tcase_add_test(limits, nothing_is_said_twice);
        tcase_add_test(limits, many_users_share_what_is_left);
        tcase_add_test(limits, another_kind_has_its_own_share_when_all_windows_are_taken);
        tcase_add_test(limits, windows_are_free_again_after_their_time);
        return harness_run(suite);
}
