// SPDX-License-Identifier: Apache-2.0
#include "proto/page.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/* How often a reader tries, and from when on it lets others run in between. */
#define ATTEMPTS       1000
#define EAGER_ATTEMPTS 100

#define WORD sizeof(uint64_t)

size_t page_size(const struct page_plan *plan, size_t count)
{
        size_t size = sizeof(struct page_header);

        for (size_t i = 0; i < count; i++)
                size += (plan[i].record_size + WORD) * plan[i].capacity;
        return size;
}

void page_init(void *memory, const struct page_plan *plan, size_t count)
{
        struct page_header *page = memory;
        uint64_t offset = sizeof(*page);

        for (size_t i = 0; i < count; i++) {
                page->sections[i].offset = offset;
                page->sections[i].words = plan[i].record_size / WORD;
                page->sections[i].capacity = plan[i].capacity;
                offset += (plan[i].record_size + WORD) * plan[i].capacity;
        }
        page->size = offset;
        page->section_count = count;
        page->magic = PAGE_MAGIC;
}

static _Atomic uint64_t *find_block(
        const struct page_header *page, const struct page_section *section, size_t place)
{
        uintptr_t start = (uintptr_t)page + section->offset;

        return (_Atomic uint64_t *)(start + place * (section->words + 1) * WORD);
}

static void store_words(_Atomic uint64_t *block, const page_word *record, size_t words)
{
        for (size_t i = 0; i < words; i++) /* none before the sequence is odd */
                atomic_store_explicit(&block[1 + i], record ? record[i] : 0, memory_order_release);
}

void page_write(
        struct page_header *page, enum page_section_id id, size_t place, const page_word *record)
{
        struct page_section *section = &page->sections[id];
        _Atomic uint64_t *block = find_block(page, section, place);
        uint64_t sequence = atomic_load_explicit(block, memory_order_relaxed);

        if (!record && !atomic_load_explicit(&block[1], memory_order_relaxed))
                return;
        atomic_store_explicit(block, sequence + 1, memory_order_relaxed);
        store_words(block, record, section->words);
        atomic_store_explicit(block, sequence + 2, memory_order_release);
        if (place >= atomic_load_explicit(&section->used, memory_order_relaxed))
                atomic_store_explicit(&section->used, place + 1, memory_order_release);
}

size_t page_record_size(const struct page_header *page, enum page_section_id id)
{
        return id < page->section_count ? page->sections[id].words * WORD : 0;
}

size_t page_used(const struct page_header *page, enum page_section_id id)
{
        uint64_t used;

        if (id >= page->section_count)
                return 0;
        used = atomic_load_explicit(&page->sections[id].used, memory_order_acquire);
        return used < page->sections[id].capacity ? used : page->sections[id].capacity;
}

static bool is_section(const struct page_section *section, size_t size)
{
        if (section->words > PAGE_RECORD_MAX || section->capacity > PAGE_SECTION_MAX ||
                section->offset % WORD || section->offset < sizeof(struct page_header) ||
                section->offset > size)
                return false;
        return (section->words + 1) * WORD * section->capacity <= size - section->offset;
}

bool page_is_valid(const void *memory, size_t size)
{
        const struct page_header *page = memory;

        if (size < sizeof(*page) || page->magic != PAGE_MAGIC || page->size > size ||
                page->section_count > PAGE_SECTIONS)
                return false;
        for (size_t i = 0; i < page->section_count; i++)
                if (!is_section(&page->sections[i], size))
                        return false;
        return true;
}

/* Returns whether it was one record. */
static bool load_words(_Atomic uint64_t *block, page_word *ret, size_t words)
{
        uint64_t sequence = atomic_load_explicit(block, memory_order_acquire);

        if (sequence % 2)
                return false;
        for (size_t i = 0; i < words; i++) /* none after the sequence is looked at again */
                ret[i] = atomic_load_explicit(&block[1 + i], memory_order_acquire);
        return atomic_load_explicit(block, memory_order_relaxed) == sequence;
}

int page_read(const struct page_header *page, enum page_section_id id, size_t place, uint64_t *ret,
        size_t size)
{
        const struct page_section *section = &page->sections[id];
        size_t words;

        if (place >= page_used(page, id))
                return 0;
        words = size / WORD < section->words ? size / WORD : section->words;
        memset(ret, 0, size);
        for (int i = 0; i < ATTEMPTS; i++) {
                if (load_words(find_block(page, section, place), ret, words))
                        return ret[0] != 0;
                if (i > EAGER_ATTEMPTS)
                        sched_yield();
        }
        return -EAGAIN;
}
