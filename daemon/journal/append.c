// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "base/crash.h"
#include "journal/private.h"

#include <errno.h>
#include <fcntl.h>

/* Memory for some more records. Returns 0 or a negative errno. */
static int make_room(struct journal *journal, struct journal_area *area)
{
        uint64_t have = area->room * area->record_size, step = JOURNAL_STEP;
        off_t start = (area->records - journal->map) + (off_t)have;
        int r;

        if (have + step > journal->area_size)
                return -ENOSPC;
        do
                r = fallocate(journal->fd, 0, start, (off_t)step);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        area->room = (have + step) / area->record_size;
        return 0;
}

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
        area->count = area->room = 0;
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
        atomic_store_explicit(&journal->header->active, journal->active, memory_order_release);
        crash_point();
        return 0;
}

void journal_copy_abandon(struct journal *journal)
{
        journal->copying = false;
}
