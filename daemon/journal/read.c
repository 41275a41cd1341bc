// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "journal/private.h"

#include <errno.h>

static uint8_t *find(const struct journal_area *area, uint64_t index)
{
        return area->records + index * area->record_size;
}

static bool is_committed(const struct journal_area *area, uint64_t index)
{
        uint8_t *place = find(area, index);

        return atomic_load_explicit(journal_commit_word(place), memory_order_acquire) ==
               journal_check(area, index, place, area->record_size);
}

/*
 * Behind the last record. The count says that too, but one record may have been committed that was
 * not counted any more: so there is none behind that.
 */
static int at_end(const struct journal_area *area, uint64_t index, uint64_t count)
{
        return index < count || (index > count && is_committed(area, index)) ? -EBADMSG : 0;
}

int journal_read(const struct journal *journal, uint64_t index, void *record)
{
        const struct journal_area *area = &journal->areas[journal->active];
        size_t size = area->record_size;
        uint64_t count = atomic_load_explicit(&area->header->count, memory_order_acquire);
        uint8_t *place = find(area, index);
        uint32_t word;

        if (atomic_load(&area->header->failed) && index >= count)
                return -EBADMSG;
        if ((index + 1) * size > journal->area_size)
                return index < count ? -EBADMSG : 0;
        if (index > count)
                return at_end(area, index, count);
        word = atomic_load_explicit(journal_commit_word(place), memory_order_acquire);
        if (!word)
                return at_end(area, index, count);
        if (word != journal_check(area, index, place, size))
                return -EBADMSG;
        memcpy(record, place, size);
        memset((uint8_t *)record + size, 0, journal->record_size - size);
        return 1;
}

void journal_continue(struct journal *journal, uint64_t count)
{
        struct journal_area *area = &journal->areas[journal->active];
        uint64_t room = (count * area->record_size + JOURNAL_STEP - 1) / JOURNAL_STEP *
                        JOURNAL_STEP / area->record_size;

        check(journal_is_current(journal));
        area->count = count;
        atomic_store(&area->header->count, count);
        /* From the next whole step on: what there is already is not taken again. */
        journal_set_room(area, room > count ? room : count);
}

bool journal_is_current(const struct journal *journal)
{
        const struct journal_area *area = &journal->areas[journal->active];

        return area->header->version == journal->version &&
               area->record_size == journal->record_size;
}
