// SPDX-License-Identifier: Apache-2.0
/* Whether something is left in a connection that has ended: then closing it may take long. */
#include "server/channel.h"

#include "base/error.h"
#include "proto/fdset.h"
#include "server/closer.h"
#include "support/harness.h"
#include "support/old_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct channel channel;
static struct closer *closer;
static int peer;
static uint8_t buffer[WIRE_MESSAGE_MAX];
static size_t size;

static void begin(void)
{
        int fds[2];

        ck_assert_int_eq(
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ck_assert_int_eq(closer_new(&closer), 0);
        channel_init(&channel, fds[0], closer);
        peer = fds[1];
}

static void end(void)
{
        close(peer);
        closer = closer_free(closer);
}

/* fd: goes with it, or -1. */
static void send_packet(const char *data, size_t length, int fd)
{
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        if (fd >= 0) {
                message.msg_control = control;
                fdset_attach(&message, &fd, 1);
        }
        ck_assert_int_eq(sendmsg(peer, &message, 0), (ssize_t)length);
}

static void hang_up(void)
{
        close(peer);
        peer = -1;
        channel_note_hangup(&channel);
}

static int take(bool careful)
{
        return channel_receive(&channel, careful, buffer, &size);
}

static void await_closed(void)
{
        for (int i = 0; i < 2000 && closer_is_busy(closer); i++)
                usleep(1000);
        ck_assert(!closer_is_busy(closer));
}

/* The other end of what is hidden: readable when nobody has it any more. */
static void make_pipe(int pipes[2])
{
        ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
}

static bool is_let_go(int fd)
{
        char byte;
        ssize_t r = read(fd, &byte, 1);

        ck_assert(r == 0 || (r < 0 && errno == EAGAIN));
        return r == 0;
}

START_TEST(the_end_is_the_end_where_nothing_was_sent)
{
        begin();
        hang_up();
        ck_assert_int_eq(take(false), -ESHUTDOWN);
        ck_assert(channel.over);
        channel_close(&channel);
        end();
}
END_TEST

START_TEST(what_was_sent_before_the_end_is_received)
{
        begin();
        send_packet("ab", 2, -1);
        hang_up();
        ck_assert_int_eq(take(false), 0);
        ck_assert_uint_eq(size, 2);
        ck_assert(!channel.over);
        channel_note_hangup(&channel);
        ck_assert_int_eq(take(false), -ESHUTDOWN);
        ck_assert(channel.over);
        channel_close(&channel);
        end();
}
END_TEST

/* That it was looked for the end does not make packets look as if they had descriptors. */
START_TEST(what_was_sent_before_the_end_is_received_with_care)
{
        size_t peeked = 0;

        begin();
        send_packet("ab", 2, -1);
        send_packet("cd", 2, -1);
        hang_up();
        ck_assert_int_eq(take(true), 0);
        ck_assert_int_eq(channel_peek(&channel, buffer, &peeked), 0);
        ck_assert_uint_eq(peeked, 2);
        channel_note_hangup(&channel);
        ck_assert_int_eq(take(true), 0);
        ck_assert_int_eq(take(true), -ESHUTDOWN);
        ck_assert(!channel.over);
        channel_close(&channel);
        end();
}
END_TEST

/* An empty packet looks like the end, and what comes behind it is dropped by whoever closes. */
START_TEST(what_is_hidden_behind_an_empty_packet_is_left_to_the_thread)
{
        size_t before;
        int pipes[2];

        begin();
        make_pipe(pipes);
        send_packet("", 0, -1);
        send_packet("x", 1, pipes[1]);
        close(pipes[1]);
        hang_up();
        before = harness_count_fds();
        ck_assert_int_eq(take(false), -ESHUTDOWN);
        ck_assert(!channel.over);
        ck_assert_uint_eq(harness_count_fds(), before);
        ck_assert(!is_let_go(pipes[0]));
        channel_close(&channel);
        await_closed();
        ck_assert(is_let_go(pipes[0]));
        close(pipes[0]);
        end();
}
END_TEST

START_TEST(what_an_empty_packet_brings_is_refused)
{
        int pipes[2];

        begin();
        make_pipe(pipes);
        send_packet("", 0, pipes[1]);
        close(pipes[1]);
        hang_up();
        ck_assert_int_eq(take(false), OUTCOME_DESCRIPTOR_UNWANTED);
        ck_assert(!channel.over);
        channel_close(&channel);
        await_closed();
        ck_assert(is_let_go(pipes[0]));
        close(pipes[0]);
        end();
}
END_TEST

START_TEST(who_only_stopped_sending_reads_the_end)
{
        begin();
        ck_assert_int_eq(channel_send(&channel, (const uint8_t *)"bye", 3, -1), 0);
        ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
        channel_note_hangup(&channel);
        ck_assert_int_eq(take(false), -ESHUTDOWN);
        ck_assert(channel.over);
        channel_close(&channel);
        await_closed(); /* where a thread does it */
        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), 0), 3);
        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), 0), 0);
        end();
}
END_TEST

START_TEST(the_end_is_said_though_another_process_has_the_descriptor)
{
        int other;

        begin();
        other = fcntl(channel.fd, F_DUPFD_CLOEXEC, 0);
        ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
        channel_note_hangup(&channel);
        ck_assert_int_eq(take(false), -ESHUTDOWN);
        channel.shared = true;
        channel_close(&channel);
        await_closed();
        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), MSG_DONTWAIT), 0);
        close(other);
        end();
}
END_TEST

/* What it was sent and did not read is told once, in place of the end. */
START_TEST(who_left_answers_unread_is_no_trouble)
{
        int r;

        begin();
        ck_assert_int_eq(channel_send(&channel, (const uint8_t *)"bye", 3, -1), 0);
        hang_up();
        r = take(false);
        ck_assert(r == -ESHUTDOWN || r == -ECONNRESET);
        channel_close(&channel);
        end();
}
END_TEST

START_TEST(where_it_cannot_be_known_it_is_left_to_the_thread)
{
        begin();
        hang_up();
        old_kernel_without(SYS_setsockopt, 2, SO_PASSCRED, ENOMEM);
        ck_assert_int_eq(take(false), -ESHUTDOWN);
        ck_assert(!channel.over);
        channel_close(&channel);
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("channel_end");
        TCase *tests = harness_case(suite, "channel_end", 20);

        tcase_add_test(tests, the_end_is_the_end_where_nothing_was_sent);
        tcase_add_test(tests, what_was_sent_before_the_end_is_received);
        tcase_add_test(tests, what_was_sent_before_the_end_is_received_with_care);
        tcase_add_test(tests, what_is_hidden_behind_an_empty_packet_is_left_to_the_thread);
        tcase_add_test(tests, what_an_empty_packet_brings_is_refused);
        tcase_add_test(tests, who_only_stopped_sending_reads_the_end);
        tcase_add_test(tests, the_end_is_said_though_another_process_has_the_descriptor);
        tcase_add_test(tests, who_left_answers_unread_is_no_trouble);
        tcase_add_test(tests, where_it_cannot_be_known_it_is_left_to_the_thread);
        return harness_run(suite);
}
