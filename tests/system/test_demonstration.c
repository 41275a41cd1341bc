// SPDX-License-Identifier: Apache-2.0
/* The demonstration, filemem-cksum, with the real daemon. */
#include "ctl.h"
#include "support/daemon.h"
#include "support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct daemon the_daemon;

/* Commands are run where the daemon has its files. */
static char before[160];

static void start(void)
{
        daemon_start(&the_daemon, NULL);
        setenv("FILEMEM_SOCKET", the_daemon.socket, 1);
        snprintf(before, sizeof(before), "cd %s && ", the_daemon.folder);
}

static void stop(void)
{
        daemon_stop(&the_daemon);
}

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

/* Returns the exit code. */
static int run_cksum(const char *words)
{
        char command[1024];

        snprintf(command, sizeof(command), "%s" FILEMEM_CKSUM " %s", before, words);
        return ctl_shell(command);
}

static void run_well(const char *words)
{
        ck_assert_msg(run_cksum(words) == 0, "%s", ctl_errors);
        ck_assert_str_eq(ctl_errors, "");
}

static void check_says(const char *text)
{
        ck_assert_msg(strstr(ctl_output, text) != NULL, "no \"%s\" in %s", text, ctl_output);
}

START_TEST(it_does_what_it_says)
{
        write_file("large", 5 << 20);
        write_file("odd", 70001);
        write_file("byte", 1);
        write_file("empty", 0);
        write_file("-name with spaces", 4096);
        run_well("--workers 2 --at-stage 'echo \"stage $FILEMEM_STAGE\"; " FILEMEM_CTL
                 " usage --bytes --no-header' -- large odd byte empty '-name with spaces' missing "
                 ".");
        check_says("stage before");
        check_says("stage during");
        check_says("stage after");
        check_says("missing: skipped");
        check_says("empty: empty");
        check_says("Loaded 4 files");
        check_says("killed by SIGKILL after 2.6 MB of");
        check_says("All 5 checksums equal");
        check_says("0 bytes are allocated in the pool and 0 bytes");
        ck_assert_str_eq(
                ctl_get("usage --raw --no-header --by pool -o allocated,committed"), "0 0\n0 0\n");
}
END_TEST

START_TEST(it_takes_many_small_files)
{
        char name[16];

        for (int i = 0; i < 100; i++) {
                snprintf(name, sizeof(name), "many%d", i);
                write_file(name, 3);
        }
        run_well("--workers 4 many*");
        check_says("Only the first 64 files");
        check_says("All 64 checksums equal");
}
END_TEST

START_TEST(it_fails_when_it_should)
{
        write_file("some", 100000);
        /* No daemon. */
        ck_assert_int_eq(run_cksum("--socket /nonexistent some"), 1);
        ck_assert_ptr_nonnull(strstr(ctl_errors, "/nonexistent"));
        /* Nothing to do. */
        ck_assert_int_eq(run_cksum("missing"), 1);
        ck_assert_ptr_nonnull(strstr(ctl_errors, "no file"));
        /* A stage that fails. */
        ck_assert_int_eq(run_cksum("--at-stage false some"), 1);
        ck_assert_int_eq(run_cksum("--workers 1 some"), 2);
        ck_assert_int_eq(run_cksum("--bytes much"), 2);
        ck_assert_int_eq(run_cksum("--wings"), 2);
}
END_TEST

START_TEST(a_file_that_changes_meanwhile_is_noticed)
{
        write_file("changing", 100000);
        write_file("same", 100000);
        run_well("--at-stage '[ $FILEMEM_STAGE != during ] || echo more >>changing' changing same");
        check_says("changing: changed meanwhile");
        check_says("All 1 checksums equal");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("demonstration");
        TCase *tests = harness_case(suite, "demonstration", 60);

        tcase_add_checked_fixture(tests, start, stop);
        tcase_add_test(tests, it_does_what_it_says);
        tcase_add_test(tests, it_takes_many_small_files);
        tcase_add_test(tests, it_fails_when_it_should);
        tcase_add_test(tests, a_file_that_changes_meanwhile_is_noticed);
        return harness_run(suite);
}
