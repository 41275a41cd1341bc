// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/crash.h"
#include "journal/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

/* ---- room ------------------------------------------------------------------------------------ */

/* What comes behind the room of an area: `length` bytes of it, or what there may be. */
static bool next_extent(const struct journal *journal, const struct journal_area *area,
        uint64_t length, struct journal_extent *ret)
{
        uint64_t have = area->room * area->record_size;

        if (have + length > journal->area_size)
                length = JOURNAL_STEP;
        *ret = (struct journal_extent){
                .area = (unsigned)(area - journal->areas),
                .start = (area->records - journal->map) + (int64_t)have,
                .length = length,
        };
        return have + length <= journal->area_size;
}

int journal_fetch(const struct journal *journal, const struct journal_extent *extent)
{
        int r;

        do
                r = fallocate(journal->fd, 0, extent->start, (off_t)extent->length);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        /* Before 5.14 each page is a fault when it is first written to. */
        (void)madvise(journal->map + extent->start, extent->length, MADV_POPULATE_WRITE);
        return 0;
}

void journal_add(struct journal *journal, const struct journal_extent *extent)
{
        struct journal_area *area = &journal->areas[extent->area];
        uint64_t end = (uint64_t)(extent->start - (area->records - journal->map)) + extent->length;
        uint64_t room = end / area->record_size;

        if (room > area->room)
                journal_set_room(area, room);
}

bool journal_needs(const struct journal *journal, struct journal_extent *ret)
{
        const struct journal_area *area = &journal->areas[journal->active];
        const struct journal_area *copy = &journal->areas[!journal->active];
        uint64_t steps;

        if (journal->copying && copy->count >= copy->low)
                area = copy;
        if (area->count < area->low || atomic_load(&area->header->failed))
                return false;
        /* By half of what it has: for what is written while the next piece is on its way. */
        steps = area->room * area->record_size / 2 / JOURNAL_STEP;
        return next_extent(journal, area, (steps ? steps : 1) * JOURNAL_STEP, ret);
}

/* Memory for some more records, here and now. Returns 0 or a negative errno. */
static int make_room(struct journal *journal, struct journal_area *area)
{
        struct journal_extent extent;
        int r;

        if (!next_extent(journal, area, JOURNAL_STEP, &extent))
                return -ENOSPC;
        r = journal_fetch(journal, &extent);
        if (r == 0)
                journal_add(journal, &extent);
        return r;
}

/* ---- records --------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void store(
        struct journal_area *area, const uint8_t *record, size_t size)
{
        uint8_t *place = area->records + area->count * size;
        uint32_t word = journal_check(area, area->count, record, size);

        crash_point();
        memcpy(place + sizeof(word), record + sizeof(word), size - sizeof(word));
        crash_point();
        atomic_store_explicit(journal_commit_word(place), word, memory_order_release);
        crash_point();
        area->count++;
        atomic_store_explicit(&area->header->count, area->count, memory_order_release);
        crash_point();
}

static int append(struct journal *journal, struct journal_area *area, const void *record)
{
        if (__builtin_expect(area->count == area->room, 0)) {
                int r = -ENOSPC;

                if (!atomic_load_explicit(&area->header->failed, memory_order_relaxed))
                        r = make_room(journal, area);
                if (r < 0) {
                        atomic_store(&area->header->failed, 1);
                        return r;
                }
        }
        if (area->record_size == 32)
                store(area, record, 32); /* the usual size, in a straight line */
        else
                store(area, record, area->record_size);
        return 0;
}

int journal_append(struct journal *journal, const void *record)
{
        return append(journal, &journal->areas[journal->active], record);
}

bool journal_has_failed(const struct journal *journal)
{
        return atomic_load(&journal->areas[journal->active].header->failed);
}

/* ---- copies ---------------------------------------------------------------------------------- */

void journal_copy_begin(struct journal *journal)
{
        struct journal_area *area = &journal->areas[!journal->active];

        check(!journal->copying);
        area->seed = journal_mix(journal->areas[journal->active].seed, 1);
        area->record_size = journal->record_size;
        area->count = 0;
        journal_set_room(area, 0);
        area->header->version = journal->version;
        area->header->record_size = (uint32_t)journal->record_size;
        area->header->seed = area->seed;
        atomic_store(&area->header->count, 0);
        atomic_store(&area->header->failed, 0);
        journal->copying = true;
}

int journal_copy(struct journal *journal, const void *record)
{
        check(journal->copying);
        return append(journal, &journal->areas[!journal->active], record);
}

int journal_copy_end(struct journal *journal)
{
        check(journal->copying);
        journal->copying = false;
        if (atomic_load(&journal->areas[!journal->active].header->failed))
                return -ENOSPC;
        crash_point();
        journal->active = !journal->active;
        atomic_store_explicit(
                &journal->header->active, journal_selector(journal->active), memory_order_release);
        crash_point();
        return 0;
}

void journal_copy_abandon(struct journal *journal)
{
        journal->copying = false;
}
