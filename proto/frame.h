// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A ToDaemon with a Request that is written in place, operation by operation, and gets its id last:
 * what comes before the operations goes into room that is left for it. So a request can be encoded
 * before its turn has come, and its operations are encoded once.
 */
#define FRAME_HEAD          20u /* bytes of room before the first operation */
#define FRAME_OPERATION_MAX 40u /* bytes of an operation of numbers, all maximal */

/*
 * Writes an operation to buffer[at], in `size` bytes; the first one to buffer[FRAME_HEAD]. Returns
 * where the next one goes, or -EMSGSIZE with nothing written.
 */
ssize_t frame_add(uint8_t *buffer, size_t size, size_t at, const Filemem__Operation *operation);

/*
 * The same of an operation whose message is two numbers, its fields 1 and 2: a Range, or a lazy
 * Allocate. These are most of all, and this takes a fifth of the time. There is room. Returns where
 * the next one goes.
 */
size_t frame_add_numbers(uint8_t *buffer, size_t at, Filemem__Operation__BodyCase body,
        bool no_reply, uint64_t first, uint64_t second);

/*
 * Writes what comes before the operations, which end at `end`. May be called again, with another
 * id. Returns where the message starts.
 */
size_t frame_close(uint8_t *buffer, size_t end, uint64_t id, bool acknowledge);
