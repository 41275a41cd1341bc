// SPDX-License-Identifier: Apache-2.0
#include "call_list.h"

#include "support/harness.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the document -----------------------------------------------------------------------------
 */

/* The names in backticks of a row's first cell. */
static void read_row(struct call_list *list, char *line)
{
        char *end = strchr(line + 1, '|'), *at = line;

        ck_assert_ptr_nonnull(end);
        ck_assert_uint_lt(list->rows, CALL_ROWS_MAX);
        *end = 0;
        while ((at = strchr(at, '`'))) {
                size_t *names = &list->row[list->rows].names, length = strcspn(at + 1, "`");

                ck_assert_uint_lt(*names, CALL_NAMES_MAX);
                ck_assert_uint_lt(length, sizeof(list->row[0].name[0]));
                memcpy(list->row[list->rows].name[(*names)++], at + 1, length);
                at += length + 2;
        }
        list->rows++;
}

void call_list_read(struct call_list *list, const char *heading)
{
        FILE *file = fopen(FILEMEM_SANDBOXING, "re");
        size_t before = list->rows;
        bool inside = false;
        char line[1024];

        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof(line), file)) {
                line[strcspn(line, "\n")] = 0;
                if (line[0] == '#')
                        inside = strcmp(line, heading) == 0;
                else if (inside && strncmp(line, "| `", 3) == 0)
                        read_row(list, line);
        }
        fclose(file);
        ck_assert_msg(list->rows > before, "there is no list under '%s'", heading);
}

/* ---- filters ----------------------------------------------------------------------------------
 */

static void allow(scmp_filter_ctx filter, const char *name)
{
        int number = seccomp_syscall_resolve_name(name);

        ck_assert_msg(number != __NR_SCMP_ERROR, "there is no system call %s", name);
        if (number >= 0) /* below that are those of other architectures */
                ck_assert_int_eq(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), 0);
}

static void export(scmp_filter_ctx filter, struct call_filter *ret)
{
        int fd = memfd_create("filter", MFD_CLOEXEC);
        ssize_t size;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(seccomp_export_bpf(filter, fd), 0);
        size = pread(fd, ret->code, sizeof(ret->code), 0);
        ck_assert_int_gt(size, 0);
        ck_assert_uint_lt((size_t)size, sizeof(ret->code));
        ret->length = (unsigned short)((size_t)size / sizeof(ret->code[0]));
        close(fd);
}

void call_filter_make(const struct call_list *list, size_t without, struct call_filter *ret)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

        ck_assert_ptr_nonnull(filter);
        allow(filter, "exit_group"); /* the test's own, for its end */
        if (harness_slowness() > 1)  /* a sanitizer's own, for its locks */
                allow(filter, "sched_yield");
        for (size_t i = 0; i < list->rows; i++)
                for (size_t j = 0; j < list->row[i].names && i != without; j++)
                        allow(filter, list->row[i].name[j]);
        export(filter, ret);
        seccomp_release(filter);
}

int call_filter_apply(const struct call_filter *filter)
{
        struct sock_fprog program = {filter->length, (struct sock_filter *)(uintptr_t)filter->code};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}
