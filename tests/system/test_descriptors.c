// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/error.h"
#include "test_daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- descriptors that are hard to close -------------------------------------------------------
 */

/* A TCP socket that takes a minute to close, because it lingers over data that nobody takes. */
static int make_lingering(int *ret_listener, int *ret_other)
{
        static const char data[65536];
        struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct linger linger = {.l_onoff = 1, .l_linger = 60};
        int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

        ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        ck_assert_int_eq(
                getsockname(listener, (struct sockaddr *)&address, &(socklen_t){sizeof(address)}),
                0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        *ret_other = accept(listener, NULL, NULL);
        while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
                ;
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        *ret_listener = listener;
        return fd;
}

/*
 * With `before`, the descriptor comes behind a message that ends the session: it is never received.
 * The daemon is stopped meanwhile, so that the last reference is its own, and finds all together.
 */
static void send_lingering(const struct daemon *daemon, const char *before)
{
        int listener, other, fd = make_lingering(&listener, &other);
        struct raw raw;

        ck_assert_int_eq(kill(daemon->pid, SIGSTOP), 0);
        raw_connect(&raw, daemon->socket);
        if (before)
                ck_assert_int_eq(raw_send_bytes(&raw, before, 1, NULL, 0), 0);
        ck_assert_int_eq(raw_send_bytes(&raw, "x", 1, &fd, 1), 0);
        close(fd);
        ck_assert_int_eq(kill(daemon->pid, SIGCONT), 0);
        raw_receive_goodbye(&raw);
        raw_receive_end(&raw);
        raw_close(&raw);
        close(listener);
        if (fork() ==
                0) /* so that the data stays untaken, and the test's descriptors are its own */
                for (;;)
                        pause();
        close(other);
}

static void check_lingering(const char *before)
{
        uint64_t begun = clock_now();
        struct raw_operation operation;
        struct daemon daemon;
        struct raw observer;

        daemon_start(&daemon, NULL);
        raw_open(&observer, daemon.socket, "observer");
        for (int i = 0; i < 3; i++)
                send_lingering(&daemon, before);
        raw_ping(&operation);
        raw_do(&observer, &operation);
        ck_assert_uint_lt(clock_now() - begun, 40 * NSEC_PER_SEC);
        ck_assert_int_eq(daemon_end(&daemon, SIGTERM), 0);
        ck_assert_uint_lt(clock_now() - begun, 50 * NSEC_PER_SEC);
        raw_close(&observer);
        daemon_remove(&daemon);
}

START_TEST(descriptor_that_lingers_holds_up_nobody)
{
        check_lingering(NULL);
}
END_TEST

START_TEST(descriptor_that_lingers_unreceived_holds_up_nobody)
{
        check_lingering("\xff");
}
END_TEST

/* ---- no descriptors left --------------------------------------------------------------------- */

#define FEW_FDS 40

/* What the daemon has used of the processor, in ns. */
static uint64_t cpu_time(const struct daemon *daemon)
{
        struct timespec used;
        clockid_t clock;

        ck_assert_int_eq(clock_getcpuclockid(daemon->pid, &clock), 0);
        ck_assert_int_eq(clock_gettime(clock, &used), 0);
        return (uint64_t)used.tv_sec * NSEC_PER_SEC + (uint64_t)used.tv_nsec;
}

/* Opens until it is refused. Returns how many it got. */
static int open_many(const struct daemon *daemon, struct raw *raws, int length)
{
        for (int i = 0; i < length; i++) {
                const Filemem__ToClient *message;

                raw_connect(&raws[i], daemon->socket);
                /* Refused at once, it may be too late to say Hello. */
                if (raw_send_bytes(&raws[i], "\x0a\x02\x08\x01", 4, NULL, 0) < 0)
                        ck_assert_int_eq(errno, EPIPE);
                message = raw_receive(&raws[i]);
                if (message->body_case == FILEMEM__TO_CLIENT__BODY_GOODBYE) {
                        ck_assert_str_eq(message->goodbye->text, error_text(OUTCOME_DAEMON_FULL));
                        raw_receive_end(&raws[i]);
                        raw_close(&raws[i]);
                        return i;
                }
                close(raws[i].memfd);
                raws[i].memfd = -1;
        }
        ck_abort_msg("it has more descriptors than it should");
}

START_TEST(without_descriptors_new_clients_are_told_and_old_ones_served)
{
        struct rlimit limit, few = {FEW_FDS, FEW_FDS};
        struct raw_operation operation;
        struct raw raws[FEW_FDS];
        struct daemon daemon;
        uint64_t before;
        int count;

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        daemon_start(&daemon, NULL);
        count = open_many(&daemon, raws, FEW_FDS);
        ck_assert_int_ge(count, 5);
        before = cpu_time(&daemon);
        usleep(300000);
        ck_assert_uint_lt(cpu_time(&daemon) - before, 100 * NSEC_PER_MSEC); /* it does not spin */
        ck_assert_int_eq(open_many(&daemon, &raws[count], 1), 0);
        raw_ping(&operation);
        for (int i = 0; i < count; i++)
                raw_do(&raws[i], &operation);
        raw_close(&raws[0]);
        raw_close(&raws[1]);
        raw_do(&raws[2], &operation);
        for (int i = 0; i < 1000; i++) { /* the hang-up may be seen a little later */
                raw_connect(&raws[0], daemon.socket);
                if (raw_send_bytes(&raws[0], "\x0a\x02\x08\x01", 4, NULL, 0) == 0 &&
                        raw_receive(&raws[0])->body_case == FILEMEM__TO_CLIENT__BODY_WELCOME)
                        break;
                raw_close(&raws[0]);
                usleep(5000);
        }
        raw_do(&raws[0], &operation);
        raw_close(&raws[0]);
        for (int i = 2; i < count; i++)
                raw_close(&raws[i]);
        daemon_stop(&daemon);
}
END_TEST

void add_descriptor_tests(Suite *suite)
{
        TCase *tests = harness_case(suite, "descriptors", 60);

        tcase_add_test(tests, descriptor_that_lingers_holds_up_nobody);
        tcase_add_test(tests, descriptor_that_lingers_unreceived_holds_up_nobody);
        tcase_add_test(tests, without_descriptors_new_clients_are_told_and_old_ones_served);
}
