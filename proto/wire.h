// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/arena.h"
#include "proto/filemem.pb-c.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Messages to bytes and back, within the limits of the protocol. Knows no socket and no request's
 * meaning.
 */
#define WIRE_MAJOR 1
#define WIRE_MINOR 1

#define WIRE_MESSAGE_MAX    65536u /* bytes of one packet */
#define WIRE_GREETING_MAX   4096u  /* bytes of Hello, and of what answers it */
#define WIRE_OPERATIONS_MAX 256u   /* in one request */
#define WIRE_LABEL_MAX      64u    /* bytes */
#define WIRE_POOL_MAX       64u    /* bytes of a pool's name */
#define WIRE_TEXT_MAX       120u   /* bytes of a refusal's sentence */
#define WIRE_VERSION_MAX    31u    /* bytes of a daemon's version */
#define WIRE_ACCOUNTING_MAX 15u    /* bytes of the word for how pages are counted */
#define WIRE_PAGE_MAX       512u   /* entries of one dump or sessions page */

/*
 * What decoding one message may take: for the message and for protobuf-c's notes on the way. A
 * request of 256 operations takes about 40 KiB, a full page at most 110 KiB; one of 64 KiB that is
 * made to be expensive would take 4 MiB: that is refused.
 */
#define WIRE_ARENA_SIZE (256u << 10)

/*
 * An upper bound of what a result other than a page adds to a reply, whatever its numbers, as long
 * as its strings keep the limits above: 230 bytes for a UsageReport of all six kinds, 203 for a
 * StatusReport, 224 for a PoolReport, 126 for a refusal. 256 of them and the envelope (at most 139
 * bytes) fit into a message; what is left over is for pages. A seventh kind would need a new bound.
 */
#define WIRE_RESULT_MAX 240u

/*
 * Decode a message into the arena. Return 0; -EMSGSIZE if it is longer than WIRE_MESSAGE_MAX;
 * -EBADMSG if it cannot be decoded or takes more than the arena has left.
 */
int wire_decode_to_daemon(
        struct arena *arena, const void *data, size_t size, Filemem__ToDaemon **ret);
int wire_decode_to_client(
        struct arena *arena, const void *data, size_t size, Filemem__ToClient **ret);

/*
 * Encode a message into `buffer` of WIRE_MESSAGE_MAX bytes. Return its size, or -EMSGSIZE if it
 * would be longer.
 */
ssize_t wire_encode_to_daemon(const Filemem__ToDaemon *message, uint8_t *buffer);
ssize_t wire_encode_to_client(const Filemem__ToClient *message, uint8_t *buffer);
