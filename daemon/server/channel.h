// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * One end of a connection: a non-blocking SOCK_SEQPACKET socket, packets in, packets out. It knows
 * neither events nor what a packet means.
 *
 * What cannot be sent at once waits in a queue, which is how a client that does not read is
 * noticed: whoever uses a channel reads nothing more from it while channel_blocked(), so the queue
 * never holds more than the answers to one request. Not thread safe.
 */
struct channel_packet;
struct charge;
struct closer;

struct channel {
        int fd;
        struct closer *closer; /* borrowed */
        struct charge *charge; /* borrowed: who pays for the queue; NULL: nobody */
        bool sent;             /* a packet, since somebody put false here */
        bool shared;           /* another process has the descriptor, too */
        bool hung_up;          /* see channel_note_hangup() */
        bool over;             /* and nothing is left in it */
        STAILQ_HEAD(, channel_packet) queue;
};

/* Takes over the descriptor. What is to be closed goes to the closer, which outlives the channel.
 */
void channel_init(struct channel *channel, int fd, struct closer *closer);

/*
 * Receives one packet into `buffer` of WIRE_MESSAGE_MAX bytes. careful: this process may have no
 * numbers left for descriptors that come with it, and must not be made to drop them here: looks at
 * the packet first, which takes one system call more, and leaves it where it is. Returns
 *
 *   0                            it is there, *ret_size bytes, at least one;
 *   -EAGAIN                      there is none now;
 *   -ESHUTDOWN                   the other side, or channel_drain(), ended the stream;
 *   OUTCOME_DESCRIPTOR_UNWANTED  descriptors came with it, which are seen to;
 *   OUTCOME_MESSAGE_TOO_LARGE    it was larger than the buffer, and is lost;
 *   OUTCOME_MESSAGE_EMPTY        it had no byte at all;
 *   a negative errno             the connection is broken.
 */
int channel_receive(struct channel *channel, bool careful, uint8_t *buffer, size_t *ret_size);

/*
 * Looks at the next packet, and leaves it there. Returns 0 if it is one that can be worked on; 1 if
 * channel_receive() has to say what is wrong with it; or a negative errno as that.
 */
int channel_peek(struct channel *channel, uint8_t *buffer, size_t *ret_size);

/*
 * Sends a packet, or queues a copy of it behind what waits already. fd: a descriptor to go with it,
 * or -1; it is borrowed and has to stay open as long as the channel. Returns 0, or
 * OUTCOME_LIMIT_REPLIES or a negative errno, after which the connection is of no more use.
 */
int channel_send(struct channel *channel, const uint8_t *data, size_t size, int fd);

/* The same with a descriptor that is taken over, also when it fails. */
int channel_hand_over(struct channel *channel, const uint8_t *data, size_t size, int fd);

/* Sends what is queued as far as it goes. Returns 0 or a negative errno as channel_send(). */
int channel_flush(struct channel *channel);

/* Whether something is queued. */
bool channel_blocked(const struct channel *channel);

/*
 * From now on the other side can send nothing more: what it sent already is received as usual, then
 * comes -ESHUTDOWN.
 */
void channel_drain(struct channel *channel);

/*
 * Nothing more can be sent to it, says the loop. The next channel_receive() finds out whether that
 * was all, and then channel_close() needs no thread for what could be left.
 */
void channel_note_hangup(struct channel *channel);

/* Ends the connection. The other side can read all that was sent to it; what is queued is lost. */
void channel_close(struct channel *channel);
