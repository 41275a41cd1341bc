// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The checksum of cksum(1): CRC-32 as POSIX has it, highest bit first, with the length at the end.
 */

/* Makes the tables. Once, before there are other threads. */
void crc_prepare(void);

/* Begin with 0. */
uint32_t crc_update(uint32_t crc, const void *data, size_t size);

/* What cksum prints, after `total` bytes. */
uint32_t crc_finish(uint32_t crc, uint64_t total);
