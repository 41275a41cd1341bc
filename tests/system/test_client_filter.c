// SPDX-License-Identifier: Apache-2.0
#include "test_client.h"

#include "filemem/filemem.h"
#include "support/harness.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB      (UINT64_C(1) << 20)
#define RELEASES 5000

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define ALLOW(name)                                                                                \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1),                                    \
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* The list of the header; exit_group is the test's own, for its end. All else kills the process. */
static int filter_system_calls(void)
{
        static struct sock_filter instructions[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                ALLOW(sendmsg), ALLOW(recvmsg), ALLOW(poll), ALLOW(mmap), ALLOW(munmap),
                ALLOW(madvise), ALLOW(futex), ALLOW(close), ALLOW(fstat), ALLOW(newfstatat),
                ALLOW(exit_group), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
        const struct sock_fprog program = {
                sizeof(instructions) / sizeof(instructions[0]), instructions};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

/* What a process does with a session. Returns how much of it was wrong. */
static int use_everything(filemem_session *mine)
{
        const int both = PROT_READ | PROT_WRITE;
        struct filemem_range range, none = {512 * MIB, 513 * MIB};
        struct filemem_usage usage;
        uint64_t total;
        void *address;
        int wrong = 0;

        wrong += filemem_ping(mine) != 0;
        wrong += filemem_allocate(mine, 40 * MIB, FILEMEM_ANONYMOUS, &range) != 0;
        wrong += filemem_incref(mine, range) != 0;
        wrong += filemem_map(mine, range, both, &address) != 0;
        memset(address, 1, MIB);
        wrong += filemem_decommit(mine, range, 0) != 0;
        wrong += filemem_total_usage(mine, &total) != 0 || total != 0;
        wrong += filemem_map_into(mine, range, NULL, both, FILEMEM_MAP_PRECOMMIT, &address) != 0;
        wrong += filemem_update_usage(mine, &usage) != 0;
        wrong += filemem_allocate_mode(mine, MIB, FILEMEM_TMPFS, FILEMEM_COMMIT, &range) != 0;
        wrong += filemem_allocate_mode(mine, MIB, FILEMEM_TMPFS, FILEMEM_POPULATE, &range) != 0;
        wrong += filemem_allocate(mine, 1, FILEMEM_ANONYMOUS, &range) != -EINVAL;
        /* More than the socket holds, each with an answer: the way that polls. */
        for (unsigned i = 0; i < RELEASES; i++)
                wrong += filemem_release(mine, none) != 0;
        wrong += filemem_ping(mine) != 0;
        wrong += filemem_lost_errors(mine, NULL, NULL, 0) != RELEASES;
        filemem_close(mine);
        return wrong;
}

START_TEST(after_open_only_the_listed_system_calls_are_made)
{
        pid_t child = fork();
        int status;

        if (child == 0) {
                filemem_session *mine;

                if (filemem_open(test_client_socket(), NULL, &mine) < 0 ||
                        filter_system_calls() < 0)
                        _exit(100);
                syscall(__NR_exit_group, use_everything(mine));
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
}
END_TEST

void test_client_filter(TCase *tests)
{
        tcase_add_test(tests, after_open_only_the_listed_system_calls_are_made);
}
