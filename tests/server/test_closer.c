// SPDX-License-Identifier: Apache-2.0
#include "server/closer.h"

#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct closer *closer;

static void await_idle(void)
{
        for (int i = 0; i < 5000 && closer_is_busy(closer); i++)
                usleep(1000);
        ck_assert(!closer_is_busy(closer));
}

START_TEST(what_it_gets_is_closed)
{
        size_t before;

        ck_assert_int_eq(closer_new(&closer), 0);
        before = harness_count_fds();
        for (int i = 0; i < 1000; i++)
                closer_close(closer, open("/dev/null", O_RDONLY | O_CLOEXEC), false);
        closer_close(closer, -1, false); /* is none */
        await_idle();
        ck_assert_uint_eq(harness_count_fds(), before);
        closer = closer_free(closer);
}
END_TEST

START_TEST(it_is_through_when_it_is_freed)
{
        size_t before = harness_count_fds();

        ck_assert_int_eq(closer_new(&closer), 0);
        for (int i = 0; i < 1000; i++)
                closer_close(closer, open("/dev/null", O_RDONLY | O_CLOEXEC), i % 2 == 0);
        closer = closer_free(closer);
        ck_assert_uint_eq(harness_count_fds(), before);
}
END_TEST

/* Of a connection, not of a socket that came with a message: that may be read by others. */
START_TEST(only_what_may_be_is_discarded)
{
        int own[2], foreign[2];
        char byte;

        ck_assert_int_eq(closer_new(&closer), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, own), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, foreign), 0);
        ck_assert_int_eq(send(own[0], "x", 1, 0), 1);
        ck_assert_int_eq(send(foreign[0], "x", 1, 0), 1);
        closer_close(closer, own[1], true);
        closer_close(closer, dup(foreign[1]), false);
        await_idle();
        ck_assert_int_eq(recv(own[0], &byte, 1, 0), 0); /* and no ECONNRESET */
        ck_assert_int_eq(recv(foreign[1], &byte, 1, MSG_DONTWAIT), 1);
        close(own[0]);
        close(foreign[0]);
        close(foreign[1]);
        closer = closer_free(closer);
}
END_TEST

/* A TCP socket that waits in close(), for so many seconds, for its other end to read. *ret: that.
 */
static int make_lingering(int seconds, int *ret)
{
        const struct linger linger = {.l_onoff = 1, .l_linger = seconds};
        struct sockaddr_in address = {.sin_family = AF_INET};
        static const char bytes[65536];
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
        *ret = accept(listener, NULL, NULL);
        ck_assert_int_ge(*ret, 0);
        close(listener);
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
        }
        return fd;
}

/* And nothing is left behind for good: neither what comes after it nor memory. */
START_TEST(who_is_held_up_is_left_behind_and_frees)
{
        size_t before = harness_count_fds();
        int other;

        ck_assert_int_eq(closer_new(&closer), 0);
        closer_close(closer, make_lingering(60, &other), false);
        for (int i = 0; i < 10; i++)
                closer_close(closer, open("/dev/null", O_RDONLY | O_CLOEXEC), false);
        closer = closer_free(closer);
        ck_assert_uint_gt(harness_count_fds(), before + 10);
        close(other); /* which ends the waiting */
        for (int i = 0; i < 6000 && harness_count_fds() != before; i++)
                usleep(5000);
        ck_assert_uint_eq(harness_count_fds(), before);
}
END_TEST

/* Whether an empty connection is closed by the caller, while the thread is held up. */
static bool is_closed_here(void)
{
        size_t before;
        int other, fds[2];
        bool here;

        ck_assert_int_eq(closer_new(&closer), 0);
        before = harness_count_fds();
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        closer_close(closer, make_lingering(60, &other), false);
        closer_close_empty(closer, fds[1]);
        here = fcntl(fds[1], F_GETFD) < 0;
        close(other);
        await_idle();
        close(fds[0]);
        ck_assert_uint_eq(harness_count_fds(), before);
        closer = closer_free(closer);
        return here;
}

START_TEST(a_connection_without_anything_in_it_needs_no_thread_where_closing_is_quick)
{
        unsigned long major, minor;
        struct utsname name;
        char *end;

        ck_assert_int_eq(uname(&name), 0);
        major = strtoul(name.release, &end, 10);
        ck_assert_int_eq(*end, '.');
        minor = strtoul(end + 1, NULL, 10);
        ck_assert_int_eq(is_closed_here(), major * 1000 + minor >= 6009);
        ck_assert_int_ge(personality(UNAME26), 0); /* this is Linux 2.6 from now on */
        ck_assert(!is_closed_here());
}
END_TEST

START_TEST(out_of_memory_is_an_error)
{
        int r;

        fault_alloc_at(0);
        r = closer_new(&closer);
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_ptr_null(closer_free(NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("closer");
        TCase *tests = harness_case(suite, "closer", 60);

        tcase_add_test(tests, what_it_gets_is_closed);
        tcase_add_test(tests, it_is_through_when_it_is_freed);
        tcase_add_test(tests, only_what_may_be_is_discarded);
        tcase_add_test(tests, who_is_held_up_is_left_behind_and_frees);
        tcase_add_test(
                tests, a_connection_without_anything_in_it_needs_no_thread_where_closing_is_quick);
        tcase_add_test(tests, out_of_memory_is_an_error);
        return harness_run(suite);
}
