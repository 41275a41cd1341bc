// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The page of statistics: memory that the daemon writes and others read. What the records in it
 * mean is not known here: see <filemem/statistics.h>.
 *
 *     struct page_header     what it is, how large, and where each section begins
 *     sections               each an array of blocks of one size
 *     block                  a sequence number and a record
 *
 * A record is words of 64 bits, of which the first is not 0; all are 0 where there is none. A block
 * is written by one thread and read by many without a lock (a seqlock): the sequence is odd while
 * it is written, and who reads the same even number before and after has read one record.
 * Everything is accessed by atomic loads and stores of words: release and acquire where the order
 * matters, which costs nothing more than relaxed ones on x86.
 *
 * Layout is for ever: sections are only added, and records only get longer. A reader takes of a
 * record what both know.
 */
#define PAGE_MAGIC       UINT64_C(0x31656761706d6966) /* "fimpage1" */
#define PAGE_SECTIONS    16
#define PAGE_RECORD_MAX  256 /* words */
#define PAGE_SECTION_MAX 65536

/* Records have texts in them too. */
typedef uint64_t __attribute__((may_alias)) page_word;

enum page_section_id {
        PAGE_TOTALS,
        PAGE_POOLS,
        PAGE_SESSIONS,
        PAGE_USERS,
        PAGE_DURATIONS,
        PAGE_REFUSALS,
        PAGE_SECTION_COUNT,
};

struct page_section {
        uint64_t offset;       /* bytes, of the first block */
        uint64_t words;        /* of a record; its block has one more */
        uint64_t capacity;     /* blocks */
        _Atomic uint64_t used; /* beyond these there is no record */
};

struct page_header {
        uint64_t magic;
        uint64_t size;          /* bytes of all */
        uint64_t section_count; /* that the writer knows */
        _Atomic uint64_t ended; /* not 0: nobody writes any more */
        _Atomic uint64_t beats; /* how often it was brought up to date */
        uint64_t reserved[3];
        struct page_section sections[PAGE_SECTIONS];
};

/* What a section is to have. */
struct page_plan {
        size_t record_size; /* bytes; a multiple of 8 */
        size_t capacity;
};

/* Bytes of a page with these sections. */
size_t page_size(const struct page_plan *plan, size_t count);

/* Writes the header into `memory`, which is zero and has that size. */
void page_init(void *memory, const struct page_plan *plan, size_t count);

/* Writes one record; NULL: there is none there any more. Only one thread may write. */
void page_write(
        struct page_header *page, enum page_section_id id, size_t place, const page_word *record);

/* Bytes of a record, as this page has it, and blocks to look at. Of no such section: 0. */
size_t page_record_size(const struct page_header *page, enum page_section_id id);
size_t page_used(const struct page_header *page, enum page_section_id id);

/* Whether `memory` of that size is a page, and all that its header says lies in it. */
bool page_is_valid(const void *memory, size_t size);

/*
 * Reads one record. size: of the caller's, a multiple of 8; what the page has less is zero. Returns
 * 1, 0 if there is none at that place, or -EAGAIN if it has not become even in many attempts: the
 * writer died in the middle of it, or was stopped.
 */
int page_read(const struct page_header *page, enum page_section_id id, size_t place, page_word *ret,
        size_t size);
