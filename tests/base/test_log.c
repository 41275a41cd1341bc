// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int saved, pipe_fds[2];
static char text[8192];

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

START_TEST(a_line_says_who_speaks)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        errno = EDOM;
        log_info("listening on %s", "somewhere");
        ck_assert_int_eq(errno, EDOM);
        ck_assert_str_eq(catch_end(), "filememd: listening on somewhere\n");
}
END_TEST

START_TEST(the_journal_gets_the_level)
{
        catch_begin();
        log_setup(LOG_LEVEL_INFO, true);
        log_error("broken");
        ck_assert_str_eq(catch_end(), "<3>broken\n");
}
END_TEST

START_TEST(lines_below_the_level_are_not_written)
{
        catch_begin();
        log_setup(LOG_LEVEL_WARNING, false);
        log_info("no");
        log_warning("yes");
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
        log_info("%s", longer);
        catch_end();
        ck_assert_uint_eq(strlen(text), 1024);
        ck_assert_int_eq(text[1023], '\n');
}
END_TEST

START_TEST(clients_cannot_flood_the_log)
{
        unsigned lines = 0;

        catch_begin();
        log_setup(LOG_LEVEL_INFO, false);
        for (int i = 0; i < 1000; i++)
                log_client(LOG_LEVEL_INFO, "client %d", i);
        catch_end();
        for (const char *p = text; (p = strchr(p, '\n')); p++)
                lines++;
        ck_assert_uint_eq(lines, 10);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("log");
        TCase *core = harness_case(suite, "core", 5);

        tcase_add_test(core, a_line_says_who_speaks);
        tcase_add_test(core, the_journal_gets_the_level);
        tcase_add_test(core, lines_below_the_level_are_not_written);
        tcase_add_test(core, a_line_that_is_too_long_is_cut_and_ends);
        tcase_add_test(core, clients_cannot_flood_the_log);
        return harness_run(suite);
}
