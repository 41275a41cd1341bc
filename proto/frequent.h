// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/arena.h"
#include "proto/filemem.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The messages that there are most of, by hand, in a fifth of the time that protobuf-c takes:
 * requests of lazy allocations, increfs and decrefs, and the replies to them. For wire.c alone.
 *
 * All else is left to protobuf-c: refusals, other operations, unknown fields, fields twice or in
 * another order than every encoder has them. So what is done here has the same result there.
 */
#define FREQUENT_MAX 256u /* operations, or results */

/*
 * Return whether it is such a message, and there was room in the arena; else the arena is as it
 * was.
 */
bool frequent_decode_request(
        struct arena *arena, const uint8_t *data, size_t size, Filemem__ToDaemon **ret);
bool frequent_decode_reply(
        struct arena *arena, const uint8_t *data, size_t size, Filemem__ToClient **ret);

/* Returns the bytes that it has written to `buffer`, of which there are enough; 0: not such one. */
size_t frequent_encode_reply(const Filemem__ToClient *message, uint8_t *buffer);
