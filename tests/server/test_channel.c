// SPDX-License-Identifier: Apache-2.0
#include "server/channel.h"

#include "base/error.h"
#include "proto/fdset.h"
#include "server/closer.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct channel channel;
static struct closer *closer;
static int peer;
static uint8_t buffer[WIRE_MESSAGE_MAX];

static void connect_channel(void)
{
        int fds[2];

        ck_assert_int_eq(
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ck_assert_int_eq(closer_new(&closer), 0);
        channel_init(&channel, fds[0], closer);
        peer = fds[1];
}

static void disconnect_channel(void)
{
        channel_close(&channel);
        close(peer);
        closer = closer_free(closer);
}

static void peer_send(const void *data, size_t size, int fd, size_t count)
{
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        int fds[FDSET_MAX];

        for (size_t i = 0; i < count; i++)
                fds[i] = fd;
        if (count) {
                message.msg_control = control;
                fdset_attach(&message, fds, count);
        }
        ck_assert_int_eq(sendmsg(peer, &message, 0), (ssize_t)size);
}

/* ---- receiving ------------------------------------------------------------------------------- */

START_TEST(nothing_there_is_eagain)
{
        size_t size;

        connect_channel();
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), -EAGAIN);
        disconnect_channel();
}
END_TEST

START_TEST(packets_keep_their_edges)
{
        size_t size;

        connect_channel();
        peer_send("ab", 2, -1, 0);
        peer_send("cde", 3, -1, 0);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), 0);
        ck_assert_uint_eq(size, 2);
        ck_assert_mem_eq(buffer, "ab", 2);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), 0);
        ck_assert_uint_eq(size, 3);
        ck_assert_mem_eq(buffer, "cde", 3);
        disconnect_channel();
}
END_TEST

START_TEST(packet_of_the_limit_is_taken_and_one_byte_more_is_not)
{
        static uint8_t large[WIRE_MESSAGE_MAX + 1];
        size_t size;

        connect_channel();
        peer_send(large, WIRE_MESSAGE_MAX, -1, 0);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), 0);
        ck_assert_uint_eq(size, WIRE_MESSAGE_MAX);
        peer_send(large, sizeof(large), -1, 0);
        ck_assert_int_eq(
                channel_receive(&channel, false, buffer, &size), OUTCOME_MESSAGE_TOO_LARGE);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), -EAGAIN);
        disconnect_channel();
}
END_TEST

START_TEST(empty_packet_is_told_from_the_end)
{
        size_t size;

        connect_channel();
        peer_send("", 0, -1, 0);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), OUTCOME_MESSAGE_EMPTY);
        close(peer);
        peer = -1;
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), -ESHUTDOWN);
        channel_close(&channel);
        closer = closer_free(closer);
}
END_TEST

static void await_closed(void)
{
        for (int i = 0; i < 2000 && closer_is_busy(closer); i++)
                usleep(1000);
        ck_assert(!closer_is_busy(closer));
}

START_TEST(descriptors_are_closed_and_refused)
{
        size_t size, before;
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        connect_channel();
        before = harness_count_fds();
        peer_send("x", 1, fd, 1);
        ck_assert_int_eq(
                channel_receive(&channel, false, buffer, &size), OUTCOME_DESCRIPTOR_UNWANTED);
        await_closed();
        ck_assert_uint_eq(harness_count_fds(), before);
        peer_send("x", 1, fd, FDSET_MAX);
        ck_assert_int_eq(
                channel_receive(&channel, false, buffer, &size), OUTCOME_DESCRIPTOR_UNWANTED);
        await_closed();
        ck_assert_uint_eq(harness_count_fds(), before);
        close(fd);
        disconnect_channel();
}
END_TEST

START_TEST(careful_channel_lets_no_descriptor_in)
{
        size_t size, before;
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        connect_channel();
        before = harness_count_fds();
        ck_assert_int_eq(channel_receive(&channel, true, buffer, &size), -EAGAIN);
        peer_send("ab", 2, -1, 0);
        ck_assert_int_eq(channel_receive(&channel, true, buffer, &size), 0);
        ck_assert_uint_eq(size, 2);
        peer_send("x", 1, fd, FDSET_MAX);
        for (int i = 0; i < 2; i++) /* it stays where it is */
                ck_assert_int_eq(channel_receive(&channel, true, buffer, &size),
                        OUTCOME_DESCRIPTOR_UNWANTED);
        ck_assert(!closer_is_busy(closer));
        ck_assert_uint_eq(harness_count_fds(), before);
        close(fd);
        disconnect_channel();
}
END_TEST

START_TEST(drained_channel_gives_what_was_sent_and_then_ends)
{
        size_t size;

        connect_channel();
        peer_send("ab", 2, -1, 0);
        channel_drain(&channel);
        ck_assert_int_lt(send(peer, "c", 1, MSG_NOSIGNAL), 0);
        ck_assert_int_eq(errno, EPIPE);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), 0);
        ck_assert_int_eq(channel_receive(&channel, false, buffer, &size), -ESHUTDOWN);
        ck_assert_int_eq(channel_send(&channel, (const uint8_t *)"d", 1, -1), 0);
        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), 0), 1);
        disconnect_channel();
}
END_TEST

/* ---- sending --------------------------------------------------------------------------------- */

/* Sends numbered packets until one is queued. Returns how many there were. */
static uint32_t fill(void)
{
        static uint8_t packet[4096];
        uint32_t count = 0;

        while (!channel_blocked(&channel)) {
                memcpy(packet, &count, sizeof(count));
                ck_assert_int_eq(channel_send(&channel, packet, sizeof(packet), -1), 0);
                count++;
        }
        return count;
}

static void peer_expect(uint32_t number)
{
        uint32_t found;

        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), 0), 4096);
        memcpy(&found, buffer, sizeof(found));
        ck_assert_uint_eq(found, number);
}

START_TEST(what_has_no_room_waits_in_order)
{
        uint8_t packet[4096] = {0};
        uint32_t count, next = 0;

        connect_channel();
        count = fill();
        for (int i = 0; i < 3; i++, count++) {
                memcpy(packet, &count, sizeof(count));
                ck_assert_int_eq(channel_send(&channel, packet, sizeof(packet), -1), 0);
        }
        ck_assert_int_eq(channel_flush(&channel), 0);
        ck_assert(channel_blocked(&channel));
        while (channel_blocked(&channel)) {
                peer_expect(next++);
                ck_assert_int_eq(channel_flush(&channel), 0);
        }
        while (next < count)
                peer_expect(next++);
        disconnect_channel();
}
END_TEST

START_TEST(descriptor_waits_with_its_packet)
{
        alignas(struct cmsghdr) char control[FDSET_CONTROL_SIZE];
        struct iovec part = {.iov_base = buffer, .iov_len = sizeof(buffer)};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        struct fdset fds = {0};
        uint32_t count;

        connect_channel();
        count = fill();
        ck_assert_int_eq(channel_send(&channel, (const uint8_t *)"fd", 2, fd), 0);
        for (uint32_t i = 0; i < count; i++) {
                peer_expect(i);
                ck_assert_int_eq(channel_flush(&channel), 0);
        }
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        ck_assert_int_eq(recvmsg(peer, &message, MSG_CMSG_CLOEXEC), 2);
        fdset_consume(&fds, &message);
        ck_assert_uint_eq(fds.count, 1);
        fdset_close(&fds);
        close(fd);
        disconnect_channel();
}
END_TEST

START_TEST(without_memory_for_the_queue_it_fails)
{
        uint8_t packet[4096] = {0};
        int r;

        connect_channel();
        fill();
        fault_alloc_at(0);
        r = channel_send(&channel, packet, sizeof(packet), -1);
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert(fault_alloc_happened());
        disconnect_channel();
}
END_TEST

START_TEST(hang_up_is_an_error_and_no_signal)
{
        connect_channel();
        close(peer);
        ck_assert_int_eq(channel_send(&channel, (const uint8_t *)"x", 1, -1), -EPIPE);
        channel_close(&channel);
        closer = closer_free(closer);
}
END_TEST

START_TEST(hang_up_is_found_when_flushing)
{
        connect_channel();
        fill();
        close(peer);
        ck_assert_int_lt(channel_flush(&channel), 0);
        channel_close(&channel); /* and what is queued is freed */
        closer = closer_free(closer);
}
END_TEST

/* ---- closing --------------------------------------------------------------------------------- */

START_TEST(last_words_are_readable_although_packets_were_not_read)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        size_t before;

        connect_channel();
        before = harness_count_fds();
        for (size_t i = 0; i < 5; i++)
                peer_send("unread", 6, fd, i % 2);
        ck_assert_int_eq(channel_send(&channel, (const uint8_t *)"bye", 3, -1), 0);
        channel_close(&channel);
        await_closed();
        ck_assert_uint_eq(harness_count_fds(), before - 1);
        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), 0), 3);
        ck_assert_int_eq(recv(peer, buffer, sizeof(buffer), 0), 0);
        close(fd);
        close(peer);
        closer = closer_free(closer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("channel");
        TCase *tests = harness_case(suite, "receiving", 10);

        tcase_add_test(tests, nothing_there_is_eagain);
        tcase_add_test(tests, packets_keep_their_edges);
        tcase_add_test(tests, packet_of_the_limit_is_taken_and_one_byte_more_is_not);
        tcase_add_test(tests, empty_packet_is_told_from_the_end);
        tcase_add_test(tests, descriptors_are_closed_and_refused);
        tcase_add_test(tests, careful_channel_lets_no_descriptor_in);
        tcase_add_test(tests, drained_channel_gives_what_was_sent_and_then_ends);

        tests = harness_case(suite, "sending", 10);
        tcase_add_test(tests, what_has_no_room_waits_in_order);
        tcase_add_test(tests, descriptor_waits_with_its_packet);
        tcase_add_test(tests, without_memory_for_the_queue_it_fails);
        tcase_add_test(tests, hang_up_is_an_error_and_no_signal);
        tcase_add_test(tests, hang_up_is_found_when_flushing);

        tests = harness_case(suite, "closing", 10);
        tcase_add_test(tests, last_words_are_readable_although_packets_were_not_read);
        return harness_run(suite);
}
