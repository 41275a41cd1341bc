// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A journal: a memfd with records of one size, appended one after the other, that whoever gets the
 * memfd next can read. Memory outlives its process: all that was stored before SIGKILL is there. So
 * nothing is ever flushed, and the one question is what was stored in which order.
 *
 *      +--------+-----------------------+-----------------------+
 *      | header | area 0                | area 1                |
 *      +--------+-----------------------+-----------------------+
 *
 * One area is active. When it has grown the state itself is written to the other one as records
 * (a copy), and then that one becomes the active one by a single store. Both are sparse.
 *
 * A record counts when its commit word is stored, last and with release ordering. The word is a
 * checksum of the record, its place and its area, and never zero: so whatever has been scribbled on
 * is told from whatever was cut off. The count of records in the header follows the commit word:
 * it is that of the committed records, or one less, or the journal is damaged.
 *
 * Where there is no memory to grow, the area has failed from there on, and says so: what it says
 * was true up to some moment. A copy that succeeds is whole again.
 *
 * Not thread safe: who writes to a journal holds the lock of what it is about.
 */

/* What every record begins with. */
struct journal_mark {
        uint32_t commit; /* set here */
};

struct journal_header;
struct journal_area_header;

struct journal_area {
        struct journal_area_header *header;
        uint8_t *records;
        size_t record_size;
        uint64_t count; /* records */
        uint64_t room;  /* records that there is memory for */
        uint64_t low;   /* from that many on it is time to ask for more */
        uint64_t seed;
};

struct journal {
        int fd;
        uint8_t *map;
        struct journal_header *header;
        size_t area_size;
        size_t record_size;
        uint32_t version;
        unsigned active;
        bool copying; /* to the area that is not active */
        struct journal_area areas[2];
};

#define JOURNAL_RECORD_MAX 256

/* What a journal is made for. */
struct journal_format {
        const char *name;   /* of the memfd */
        uint32_t version;   /* of the records */
        size_t record_size; /* a multiple of 8, at most JOURNAL_RECORD_MAX */
        size_t area_size;   /* a multiple of the page size: no area grows beyond it */
};

/* Makes an empty one. Returns 0 or a negative errno. */
int journal_create(struct journal *journal, const struct journal_format *format);

/*
 * Opens one that was left, and takes over the descriptor on 0. Returns 0; -EPROTONOSUPPORT if a
 * newer version wrote it, which is left as it is; -EBADMSG if it is none; or another negative
 * errno.
 */
int journal_open(struct journal *journal, const struct journal_format *format, int fd);

/* Makes what journal_open() called -EBADMSG an empty one, on the same memfd. */
int journal_format(struct journal *journal, const struct journal_format *format, int fd);

/* Closes it. What never was opened is fine. */
void journal_close(struct journal *journal);

/* ---- reading --------------------------------------------------------------------------------- */

/*
 * Reads record `index` of the active area: one after the other from 0. Those of an older version
 * may be shorter, and end in zeros. Returns 1; 0 behind the last one; -EBADMSG where it is damaged,
 * or had failed.
 */
int journal_read(const struct journal *journal, uint64_t index, void *record);

/* Goes on behind `count` records that were read. Only where journal_is_current(). */
void journal_continue(struct journal *journal, uint64_t count);

/* Whether it is of this version, and not of an older one, which has to be copied first. */
bool journal_is_current(const struct journal *journal);

/* ---- writing --------------------------------------------------------------------------------- */

/* Returns 0, or a negative errno when the area has failed. */
int journal_append(struct journal *journal, const void *record);

/* Records of the active area. */
static inline uint64_t journal_count(const struct journal *journal)
{
        return journal->areas[journal->active].count;
}

bool journal_has_failed(const struct journal *journal);

/*
 * Where there is no room for a record the memory is asked for then and there, by a system call that
 * may last. So another thread asks for it before: one at a time, and the one that makes copies.
 * journal_needs() says what, if it is time; journal_fetch() asks for it, and needs no lock;
 * journal_add() makes it room. Fetch returns 0 or a negative errno, and then it is left at that.
 */
struct journal_extent {
        unsigned area;
        int64_t start; /* in the file */
        uint64_t length;
};

static inline bool journal_is_low(const struct journal *journal)
{
        const struct journal_area *area = &journal->areas[journal->active];

        return area->count >= area->low;
}

bool journal_needs(const struct journal *journal, struct journal_extent *ret);
int journal_fetch(const struct journal *journal, const struct journal_extent *extent);
void journal_add(struct journal *journal, const struct journal_extent *extent);

/*
 * A copy: begin; write the state with journal_copy(), and whatever changes of what has been written
 * already; end, which makes it the active one, or abandon. Then clear gives the memory of the other
 * area back: that takes system calls which last, and has to come before the next begin.
 */
void journal_copy_begin(struct journal *journal);
int journal_copy(struct journal *journal, const void *record);
int journal_copy_end(struct journal *journal);
void journal_copy_abandon(struct journal *journal);
int journal_clear(const struct journal *journal);
