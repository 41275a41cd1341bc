// SPDX-License-Identifier: Apache-2.0
/*
 * What docs/sandboxing.md says of older kernels: each test takes from this process and its daemon
 * what such a kernel does not have.
 */
#include "filemem/filemem.h"
#include "support/daemon.h"
#include "support/harness.h"
#include "support/honest.h"
#include "support/old_kernel.h"
#include "support/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451 /* Linux 6.5 */
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define PAGE UINT64_C(4096)

static const char config[] = "[pool default]\ncapacity = 64M\n";

/* ---- 6.5: SO_PEERPIDFD ------------------------------------------------------------------------
 */

/* A client that holds memory, with a child that sleeps and has its socket; the client dies. */
static pid_t leave_heir(const struct daemon *daemon)
{
        int ready[2];
        pid_t pid, heir;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
                struct raw raw;

                raw_open(&raw, daemon->socket, "parent");
                raw_get(&raw, 16 * PAGE, 3);
                heir = fork();
                if (heir == 0)
                        for (;;)
                                pause();
                _exit(write(ready[1], &heir, sizeof(heir)) != sizeof(heir));
        }
        ck_assert_int_eq(read(ready[0], &heir, sizeof(heir)), sizeof(heir));
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        close(ready[0]);
        close(ready[1]);
        return heir;
}

static size_t count_entries(struct raw *raw)
{
        Filemem__DumpEntry *entries;
        size_t count = raw_dump_all(raw, &entries);

        free(entries);
        return count;
}

START_TEST(before_6_5_a_child_that_keeps_the_socket_keeps_the_memory_until_it_dies)
{
        struct honest honest;
        struct daemon daemon;
        pid_t heir;

        old_kernel_without(SYS_getsockopt, 2, SO_PEERPIDFD, ENOPROTOOPT);
        daemon_start(&daemon, config);
        honest_open(&honest, daemon.socket);
        heir = leave_heir(&daemon);
        for (int i = 0; i < 20; i++) {
                raw_settle(&honest.raw);
                ck_assert_uint_eq(count_entries(&honest.raw), 2);
                usleep(5000);
        }
        ck_assert_int_eq(kill(heir, SIGKILL), 0);
        honest_await_alone(&honest, "heir");
        honest_close(&honest);
        daemon_stop(&daemon);
}
END_TEST

/* ---- 6.5: cachestat ---------------------------------------------------------------------------
 */

static Filemem__UsageReport ask_usage(struct raw *raw)
{
        struct raw_operation operation;

        raw_update_usage(&operation);
        return *raw_do(raw, &operation)->usage;
}

static uint64_t stored(const struct raw *raw)
{
        struct stat info;

        ck_assert_int_eq(fstat(raw->memfd, &info), 0);
        return (uint64_t)info.st_blocks * 512;
}

/* Pages that nobody has touched are in the total; what was written where nobody holds it is found.
 */
START_TEST(before_6_5_pages_that_were_never_touched_are_in_the_total_only)
{
        struct raw_operation operation;
        Filemem__UsageReport usage;
        struct daemon daemon;
        struct raw raw;
        uint64_t start;

        old_kernel_without(SYS_cachestat, OLD_KERNEL_WHOLE_CALL, 0, ENOSYS);
        daemon_start(&daemon, config);
        raw_open(&raw, daemon.socket, "old");
        ck_assert_int_eq(fallocate(raw.memfd, FALLOC_FL_KEEP_SIZE, 0, 16 * (off_t)PAGE), 0);
        ck_assert_int_eq(pwrite(raw.memfd, "x", 1, 1 << 20), 1);
        usage = ask_usage(&raw);
        ck_assert_uint_eq(usage.total, 17 * PAGE);
        /* The one that was written is stray, and punched; it may be so already. */
        for (int i = 0; i < 1000 && stored(&raw) != 16 * PAGE; i++)
                usleep(5000);
        ck_assert_uint_eq(stored(&raw), 16 * PAGE);
        /* They go with a range that they have become part of. */
        start = raw_get(&raw, 32 * PAGE, 1);
        ck_assert_uint_eq(start, 0);
        raw_decref(&operation, 0, 32 * PAGE);
        raw_do(&raw, &operation);
        raw_settle(&raw);
        ck_assert_uint_eq(stored(&raw), 0);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

/* ---- 6.3: MFD_NOEXEC_SEAL ---------------------------------------------------------------------
 */

START_TEST(before_6_3_the_mode_keeps_the_memory_from_being_executed)
{
        char *const nothing[] = {NULL};
        struct daemon daemon;
        struct stat info;
        struct raw raw;

        old_kernel_without(SYS_memfd_create, 1, MFD_NOEXEC_SEAL, EINVAL);
        daemon_start(&daemon, config);
        raw_open(&raw, daemon.socket, "old");
        ck_assert_int_eq(fstat(raw.memfd, &info), 0);
        ck_assert_uint_eq(info.st_mode & 07777, 0600);
        fexecve(raw.memfd, nothing, nothing);
        ck_assert_int_eq(errno, EACCES);
        raw_close(&raw);
        daemon_stop(&daemon);
}
END_TEST

/* ---- 5.14 and 4.14: madvise -------------------------------------------------------------------
 */

START_TEST(before_5_14_there_is_no_precommit)
{
        struct filemem_range range;
        filemem_session *session;
        struct daemon daemon;
        void *address;

        old_kernel_without(SYS_madvise, 2, MADV_POPULATE_WRITE, EINVAL);
        daemon_start(&daemon, config);
        ck_assert_int_eq(filemem_open(daemon.socket, NULL, &session), 0);
        ck_assert_int_eq(filemem_allocate(session, 16 * PAGE, FILEMEM_ANONYMOUS, &range), 0);
        ck_assert_int_eq(filemem_map_into(session, range, NULL, PROT_READ | PROT_WRITE,
                                 FILEMEM_MAP_PRECOMMIT, &address),
                -ENOSYS);
        ck_assert_int_eq(filemem_map_into(session, range, NULL, PROT_READ, 0, &address), 0);
        munmap(address, 16 * PAGE);
        filemem_close(session);
        daemon_stop(&daemon);
}
END_TEST

START_TEST(before_4_14_there_are_no_sessions)
{
        filemem_session *session;
        struct daemon daemon;

        daemon_start(&daemon, config);
        old_kernel_without(SYS_madvise, 2, MADV_WIPEONFORK, EINVAL);
        ck_assert_int_eq(filemem_open(daemon.socket, NULL, &session), -EINVAL);
        ck_assert_ptr_nonnull(strstr(filemem_open_error(), "forked child"));
        daemon_stop(&daemon);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("old kernels");
        TCase *tests = harness_case(suite, "old kernels", 60);

        tcase_add_test(
                tests, before_6_5_a_child_that_keeps_the_socket_keeps_the_memory_until_it_dies);
        tcase_add_test(tests, before_6_5_pages_that_were_never_touched_are_in_the_total_only);
        tcase_add_test(tests, before_6_3_the_mode_keeps_the_memory_from_being_executed);
        tcase_add_test(tests, before_5_14_there_is_no_precommit);
        tcase_add_test(tests, before_4_14_there_are_no_sessions);
        return harness_run(suite);
}
