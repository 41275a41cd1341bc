// SPDX-License-Identifier: Apache-2.0
#include "cksum/crc.h"

#include <endian.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x04c11db7)

/* tables[k][b]: the remainder of byte b with k zero bytes behind it, so that eight go at a time. */
static uint32_t tables[8][256];

void crc_prepare(void)
{
        for (uint32_t byte = 0; byte < 256; byte++) {
                uint32_t crc = byte << 24;

                for (int bit = 0; bit < 8; bit++)
                        crc = crc & UINT32_C(0x80000000) ? crc << 1 ^ POLYNOMIAL : crc << 1;
                tables[0][byte] = crc;
        }
        for (int k = 1; k < 8; k++)
                for (int byte = 0; byte < 256; byte++) {
                        uint32_t crc = tables[k - 1][byte];

                        tables[k][byte] = crc << 8 ^ tables[0][crc >> 24];
                }
}

static uint32_t load_big_endian(const unsigned char *bytes)
{
        uint32_t word;

        memcpy(&word, bytes, sizeof(word));
        return be32toh(word);
}

static uint32_t add_byte(uint32_t crc, unsigned byte)
{
        return crc << 8 ^ tables[0][(crc >> 24 ^ byte) & 255];
}

uint32_t crc_update(uint32_t crc, const void *data, size_t size)
{
        const unsigned char *bytes = data;

        for (; size >= 8; size -= 8, bytes += 8) {
                uint32_t one = crc ^ load_big_endian(bytes);
                uint32_t two = load_big_endian(bytes + 4);

                crc = tables[7][one >> 24] ^ tables[6][one >> 16 & 255] ^
                      tables[5][one >> 8 & 255] ^ tables[4][one & 255] ^ tables[3][two >> 24] ^
                      tables[2][two >> 16 & 255] ^ tables[1][two >> 8 & 255] ^ tables[0][two & 255];
        }
        for (; size; size--)
                crc = add_byte(crc, *bytes++);
        return crc;
}

uint32_t crc_finish(uint32_t crc, uint64_t total)
{
        for (; total; total >>= 8)
                crc = add_byte(crc, total & 255);
        return ~crc;
}
