// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.h"

#include <stdatomic.h>
#include <string.h>

/* The first page of the file. */
#define JOURNAL_MAGIC  "filemem"
#define JOURNAL_LAYOUT 2u

struct journal_area_header {
        uint32_t version;
        uint32_t record_size;
        uint64_t seed; /* not that of the last use of the area: old records are none */
        _Atomic uint64_t count;
        _Atomic uint32_t failed;
        uint32_t reserved;
};

struct journal_header {
        char magic[8];           /* written last */
        uint32_t layout;         /* of this header */
        _Atomic uint32_t active; /* journal_selector() of an area */
        uint64_t area_size;
        uint64_t reserved;
        struct journal_area_header areas[2];
};

#define JOURNAL_HEADER_SIZE 4096u

/*
 * What selects an area, in one word as it is stored at once. The two differ in all bits: no byte of
 * it that changes makes the other area, which is empty or old, the journal.
 */
static inline uint32_t journal_selector(unsigned area)
{
        return area ? UINT32_MAX : 0;
}

/* Memory is taken in pieces of this many bytes, or in several of them at once. */
#define JOURNAL_STEP (UINT64_C(64) << 10)

/* More is asked for when a quarter of it is left: at full speed that is a moment. */
static inline void journal_set_room(struct journal_area *area, uint64_t room)
{
        uint64_t least = JOURNAL_STEP / 2 / area->record_size;
        uint64_t left = room / 4 > least ? room / 4 : least;

        area->room = room;
        area->low = room > left ? room - left : 0;
}

static inline uint64_t journal_mix(uint64_t hash, uint64_t word)
{
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

/* The commit word of a record at its place. */
static inline __attribute__((always_inline)) uint32_t journal_check(
        const struct journal_area *area, uint64_t index, const uint8_t *record, size_t size)
{
        uint64_t hash = journal_mix(area->seed, index), word;
        uint32_t first;

        memcpy(&first, record + sizeof(struct journal_mark), sizeof(first));
        hash = journal_mix(hash, first);
        for (size_t at = 8; at < size; at += 8) {
                memcpy(&word, record + at, 8);
                hash = journal_mix(hash, word);
        }
        hash >>= 32;
        return hash ? (uint32_t)hash : 1;
}

static inline _Atomic uint32_t *journal_commit_word(uint8_t *record)
{
        return (_Atomic uint32_t *)(void *)record;
}
