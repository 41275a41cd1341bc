// SPDX-License-Identifier: Apache-2.0
#include "service/notify.h"
#include "service/service.h"
#include "service/store.h"

#include "base/clock.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* systemd hands sockets over from this number on. */
#define FIRST 3

static const char *folder;

/* Puts a socket where systemd would, whatever is there. */
static void hand_over(int type, int number, bool listening)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%d", folder, number);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        if (listening)
                ck_assert_int_eq(listen(fd, 1), 0);
        if (fd != number) {
                ck_assert_int_eq(dup2(fd, number), number);
                close(fd);
        }
}

static void say_count(const char *count)
{
        char pid[32];

        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", count, 1);
}

/* The listening socket, where nothing was kept. */
static int service_take_socket(int *ret)
{
        struct service_kept *kept;
        size_t count;
        int r = service_take_all(ret, &kept, &count);

        if (r == 0) {
                ck_assert_uint_eq(count, 0);
                free(kept);
        }
        return r;
}

/* What is at the numbers that the tests use comes back afterwards. */
static int saved[2];

static void save(void)
{
        for (int i = 0; i < 2; i++)
                saved[i] = fcntl(FIRST + i, F_DUPFD_CLOEXEC, 100);
        folder = harness_make_folder();
        unsetenv("NOTIFY_SOCKET");
        unsetenv("LISTEN_FDS");
}

static void restore(void)
{
        notify_close();
        for (int i = 0; i < 2; i++) {
                if (saved[i] < 0) {
                        close(FIRST + i);
                } else {
                        dup2(saved[i], FIRST + i);
                        close(saved[i]);
                }
        }
        harness_remove_folder(folder);
}

START_TEST(without_systemd_there_is_no_socket)
{
        int fd = -2;

        save();
        ck_assert(!service_is_used());
        ck_assert_int_eq(service_take_socket(&fd), 0);
        ck_assert_int_eq(fd, -1);
        service_notify_ready("nobody listens");
        service_notify_stopping();
        restore();
}
END_TEST

START_TEST(listening_seqpacket_socket_is_taken)
{
        int fd = -2;

        save();
        hand_over(SOCK_SEQPACKET, FIRST, true);
        say_count("1");
        ck_assert(service_is_used());
        ck_assert_int_eq(service_take_socket(&fd), 0);
        ck_assert_int_eq(fd, FIRST);
        ck_assert_ptr_null(getenv("LISTEN_FDS"));
        restore();
}
END_TEST

static void check_refused(int type, bool listening)
{
        int fd = -2;

        save();
        hand_over(type, FIRST, listening);
        say_count("1");
        ck_assert_int_eq(service_take_socket(&fd), -EPROTOTYPE);
        ck_assert_int_eq(fd, -2);
        restore();
}

START_TEST(stream_socket_is_refused)
{
        check_refused(SOCK_STREAM, true);
}
END_TEST

START_TEST(socket_that_does_not_listen_is_refused)
{
        check_refused(SOCK_SEQPACKET, false);
}
END_TEST

START_TEST(two_sockets_are_refused)
{
        int fd = -2;

        save();
        hand_over(SOCK_SEQPACKET, FIRST, true);
        hand_over(SOCK_SEQPACKET, FIRST + 1, true);
        say_count("2");
        ck_assert_int_eq(service_take_socket(&fd), -E2BIG);
        restore();
}
END_TEST

START_TEST(sockets_of_another_process_are_none)
{
        int fd = -2;

        save();
        setenv("LISTEN_PID", "1", 1);
        setenv("LISTEN_FDS", "1", 1);
        ck_assert(!service_is_used());
        ck_assert_int_eq(service_take_socket(&fd), 0);
        ck_assert_int_eq(fd, -1);
        restore();
}
END_TEST

/* Where systemd would listen. */
static int listen_as_manager(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        setenv("NOTIFY_SOCKET", address.sun_path, 1);
        return fd;
}

static const char *receive(int fd)
{
        static char buffer[256];
        ssize_t n = recv(fd, buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

        ck_assert_int_gt(n, 0);
        buffer[n] = 0;
        return buffer;
}

START_TEST(manager_is_notified)
{
        int fd;

        save();
        fd = listen_as_manager();
        ck_assert(service_is_used());
        service_notify_ready("All is well");
        ck_assert_str_eq(receive(fd), "READY=1\nSTATUS=All is well");
        service_notify_status("All is better");
        ck_assert_str_eq(receive(fd), "STATUS=All is better");
        ck_assert(service_notify_watchdog());
        ck_assert_str_eq(receive(fd), "WATCHDOG=1");
        service_notify_stopping();
        ck_assert_ptr_nonnull(strstr(receive(fd), "STOPPING=1"));
        close(fd);
        restore();
}
END_TEST

/* The kernel lets so few messages wait that this ends soon, and nothing here may wait for more. */
START_TEST(manager_that_does_not_read_holds_up_nobody)
{
        unsigned sent = 0;
        int fd;

        save();
        fd = listen_as_manager();
        while (service_notify_watchdog())
                ck_assert_uint_lt(sent++, 1000000);
        service_notify_status("nobody hears it");
        ck_assert(!service_notify_watchdog());
        while (sent--)
                ck_assert_str_eq(receive(fd), "WATCHDOG=1");
        ck_assert(service_notify_watchdog());
        ck_assert_str_eq(receive(fd), "WATCHDOG=1");
        close(fd);
        restore();
}
END_TEST

START_TEST(manager_that_is_gone_holds_up_nobody)
{
        save();
        close(listen_as_manager());
        ck_assert(service_notify_watchdog()); /* there is no use in trying again */
        service_notify_status("nobody hears it");
        restore();
}
END_TEST

START_TEST(reload_is_said_with_its_time)
{
        uint64_t before = clock_now() / NSEC_PER_USEC;
        static const char begin[] = "RELOADING=1\nMONOTONIC_USEC=";
        unsigned long long said;
        const char *text;
        int fd;

        save();
        fd = listen_as_manager();
        service_notify_reloading();
        text = receive(fd);
        ck_assert_int_eq(strncmp(text, begin, sizeof(begin) - 1), 0);
        said = strtoull(text + sizeof(begin) - 1, NULL, 10);
        ck_assert_uint_ge(said, before);
        ck_assert_uint_le(said, clock_now() / NSEC_PER_USEC);
        service_notify_reloaded();
        ck_assert_str_eq(receive(fd), "READY=1");
        close(fd);
        restore();
}
END_TEST

START_TEST(watchdog_is_asked_for_by_systemd)
{
        char pid[32];

        save();
        unsetenv("WATCHDOG_USEC");
        ck_assert_uint_eq(service_watchdog(), 0);
        setenv("WATCHDOG_USEC", "2500000", 1);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("WATCHDOG_PID", pid, 1);
        ck_assert_uint_eq(service_watchdog(), 2500 * NSEC_PER_MSEC);
        setenv("WATCHDOG_PID", "1", 1);
        ck_assert_uint_eq(service_watchdog(), 0);
        restore();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("service");
        TCase *tests = harness_case(suite, "service", 10);

        tcase_add_test(tests, without_systemd_there_is_no_socket);
        tcase_add_test(tests, listening_seqpacket_socket_is_taken);
        tcase_add_test(tests, stream_socket_is_refused);
        tcase_add_test(tests, socket_that_does_not_listen_is_refused);
        tcase_add_test(tests, two_sockets_are_refused);
        tcase_add_test(tests, sockets_of_another_process_are_none);
        tcase_add_test(tests, manager_is_notified);
        tcase_add_test(tests, manager_that_does_not_read_holds_up_nobody);
        tcase_add_test(tests, manager_that_is_gone_holds_up_nobody);
        tcase_add_test(tests, reload_is_said_with_its_time);
        tcase_add_test(tests, watchdog_is_asked_for_by_systemd);
        return harness_run(suite);
}
