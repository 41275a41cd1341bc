// SPDX-License-Identifier: Apache-2.0
#include "proto/fdset.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];

static void open_pair(void)
{
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_pair(void)
{
        close(ends[0]);
        close(ends[1]);
}

/* Sends `count` copies of fd. Returns what sendmsg() says. */
static ssize_t send_copies(int fd, size_t count)
{
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * (FDSET_MAX + 1))];
        struct iovec data = {(char *)"x", 1};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control};
        int fds[FDSET_MAX + 1] = {0};

        for (size_t i = 0; i < count; i++)
                fds[i] = fd;
        fdset_attach(&message, fds, count);
        return sendmsg(ends[0], &message, MSG_NOSIGNAL);
}

static void receive(struct fdset *set, size_t control_size, int *flags)
{
        _Alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        char byte;
        struct iovec data = {&byte, 1};
        struct msghdr message = {
                .msg_iov = &data,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = control_size,
        };

        ck_assert_int_eq(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), 1);
        *flags = message.msg_flags;
        fdset_consume(set, &message);
}

static void assert_same_file(int a, int b)
{
        struct stat one, other;

        ck_assert_int_eq(fstat(a, &one), 0);
        ck_assert_int_eq(fstat(b, &other), 0);
        ck_assert_uint_eq(one.st_ino, other.st_ino);
        ck_assert_uint_eq(one.st_dev, other.st_dev);
}

START_TEST(a_descriptor_travels_and_is_handed_over_once)
{
        struct fdset set;
        int flags, fd;

        ck_assert_int_eq(send_copies(ends[0], 1), 1);
        receive(&set, FDSET_CONTROL_SIZE, &flags);
        ck_assert_uint_eq(set.count, 1);
        fd = fdset_steal(&set, 0);
        ck_assert_int_ge(fd, 0);
        assert_same_file(fd, ends[0]);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_eq(fdset_steal(&set, 0), -1);
        ck_assert_int_eq(fdset_steal(&set, 1), -1);
        fdset_close(&set);
        ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
        close(fd);
}
END_TEST

START_TEST(a_message_without_descriptors_gives_an_empty_set)
{
        struct fdset set;
        int flags;

        memset(&set, 0xff, sizeof(set));
        ck_assert_int_eq(send_copies(-1, 0), 1);
        receive(&set, FDSET_CONTROL_SIZE, &flags);
        ck_assert_uint_eq(set.count, 0);
        ck_assert_int_eq(fdset_steal(&set, 0), -1);
        fdset_close(&set);
}
END_TEST

START_TEST(as_many_as_the_kernel_passes_fit)
{
        size_t before = harness_count_fds();
        struct fdset set;
        int flags;

        ck_assert_int_eq(send_copies(ends[0], FDSET_MAX), 1);
        receive(&set, FDSET_CONTROL_SIZE, &flags);
        ck_assert_uint_eq(set.count, FDSET_MAX);
        ck_assert_int_eq(flags & MSG_CTRUNC, 0);
        assert_same_file(set.fds[FDSET_MAX - 1], ends[0]);
        fdset_close(&set);
        ck_assert_uint_eq(harness_count_fds(), before);
}
END_TEST

START_TEST(the_kernel_passes_no_more_than_that)
{
        ck_assert_int_eq(send_copies(ends[0], FDSET_MAX + 1), -1);
        ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(what_the_control_buffer_cuts_off_is_not_leaked)
{
        size_t before = harness_count_fds();
        struct fdset set;
        int flags;

        ck_assert_int_eq(send_copies(ends[0], 10), 1);
        receive(&set, CMSG_SPACE(sizeof(int) * 4), &flags);
        ck_assert_int_ne(flags & MSG_CTRUNC, 0);
        ck_assert_uint_eq(set.count, 4);
        fdset_close(&set);
        ck_assert_uint_eq(harness_count_fds(), before);
}
END_TEST

START_TEST(what_the_set_cannot_hold_is_closed)
{
        /* Not from the kernel, which stops at FDSET_MAX: two blocks of control data, put together.
         */
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * FDSET_MAX) + CMSG_SPACE(sizeof(int) * 2)];
        } control = {.bytes = {0}};
        struct msghdr message = {.msg_control = control.bytes, .msg_controllen = sizeof(control)};
        size_t before = harness_count_fds();
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        struct fdset set;
        int fds[FDSET_MAX + 2];

        for (size_t i = 0; i < FDSET_MAX + 2; i++)
                fds[i] = dup(ends[0]);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * FDSET_MAX);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * FDSET_MAX);
        header = CMSG_NXTHDR(&message, header);
        ck_assert_ptr_nonnull(header);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * 2);
        memcpy(CMSG_DATA(header), fds + FDSET_MAX, sizeof(int) * 2);

        fdset_consume(&set, &message);
        ck_assert_uint_eq(set.count, FDSET_MAX);
        ck_assert_int_eq(fcntl(fds[FDSET_MAX], F_GETFD), -1);
        ck_assert_int_eq(fcntl(fds[FDSET_MAX + 1], F_GETFD), -1);
        fdset_close(&set);
        ck_assert_uint_eq(harness_count_fds(), before);
}
END_TEST

START_TEST(other_control_data_is_passed_over)
{
        struct fdset set;
        int flags, on = 1;

        ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
        ck_assert_int_eq(send_copies(ends[0], 2), 1);
        receive(&set, FDSET_CONTROL_SIZE, &flags);
        ck_assert_uint_eq(set.count, 2);
        fdset_close(&set);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fdset");
        TCase *tests = harness_case(suite, "fdset", 5);

        tcase_add_checked_fixture(tests, open_pair, close_pair);
        tcase_add_test(tests, a_descriptor_travels_and_is_handed_over_once);
        tcase_add_test(tests, a_message_without_descriptors_gives_an_empty_set);
        tcase_add_test(tests, as_many_as_the_kernel_passes_fit);
        tcase_add_test(tests, the_kernel_passes_no_more_than_that);
        tcase_add_test(tests, what_the_control_buffer_cuts_off_is_not_leaked);
        tcase_add_test(tests, what_the_set_cannot_hold_is_closed);
        tcase_add_test(tests, other_control_data_is_passed_over);
        return harness_run(suite);
}
