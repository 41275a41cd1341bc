// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "support/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static size_t fds_before;

size_t harness_count_fds(void)
{
        size_t count = 0;
        DIR *folder = opendir("/proc/self/fd");

        ck_assert_ptr_nonnull(folder);
        while (readdir(folder))
                count++;
        closedir(folder);
        return count;
}

unsigned harness_slowness(void)
{
        const char *text = getenv("FILEMEM_TEST_SLOWNESS");
        unsigned slowness = text ? (unsigned)strtoul(text, NULL, 10) : 0;

        if (slowness)
                return slowness;
        return SANITIZED ? 10 : 1;
}

static void count_before(void)
{
        fds_before = harness_count_fds();
}

static void count_after(void)
{
        ck_assert_uint_eq(harness_count_fds(), fds_before);
}

TCase *harness_case(Suite *suite, const char *name, unsigned timeout)
{
        TCase *tests = tcase_create(name);

        tcase_add_checked_fixture(tests, count_before, count_after);
        tcase_set_timeout(tests, timeout * (harness_slowness() > 1 ? 6 : 1));
        suite_add_tcase(suite, tests);
        return tests;
}

int harness_run(Suite *suite)
{
        SRunner *runner = srunner_create(suite);
        int failed;

        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        if (!srunner_ntests_run(runner)) {
                fprintf(stderr, "no test was run\n");
                failed = 1;
        }
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

const char *harness_make_folder(void)
{
        static char path[64];

        ck_assert_msg(temporary_path(path, sizeof(path), "filemem-test.XXXXXX") == 0,
                "TMPDIR is too long for a socket in a folder below it");
        ck_assert_msg(mkdtemp(path), "making %s: %s", path, strerror(errno));
        return path;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
        (void)info;
        (void)type;
        (void)where;
        return remove(path);
}

void harness_remove_folder(const char *folder)
{
        ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
