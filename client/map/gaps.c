// SPDX-License-Identifier: Apache-2.0
#include "map/gaps.h"

#define SMALL_SIZE (UINT64_C(64) << 10)

const uint64_t map_gap_limits[MAP_GAP_CLASSES] = {
        UINT64_C(64) << 10,
        UINT64_C(2) << 20,
        UINT64_C(16) << 20,
        UINT64_C(128) << 20,
        UINT64_C(1) << 30,
        UINT64_MAX,
};

void map_gaps_init(struct map_gaps *gaps, uint64_t page_size, uint64_t huge_size)
{
        *gaps = (struct map_gaps){.page_size = page_size, .huge_size = huge_size};
}

/* From the first hugepage boundary on; 0 if that is not in it. */
static uint64_t aligned_length(struct filemem_range gap, uint64_t huge_size)
{
        uint64_t skip = (huge_size - gap.start % huge_size) % huge_size;
        uint64_t length = gap.end - gap.start;

        return length > skip ? length - skip : 0;
}

static uint64_t largest_fit(const struct map_gaps *gaps, struct filemem_range gap)
{
        uint64_t length = gap.end - gap.start, aligned = aligned_length(gap, gaps->huge_size);

        if (aligned >= gaps->huge_size)
                return aligned;
        return length < gaps->huge_size ? length : gaps->huge_size - gaps->page_size;
}

void map_gaps_add(struct map_gaps *gaps, struct filemem_range gap)
{
        uint64_t length = gap.end - gap.start, fit;
        unsigned class = 0;

        if (!length)
                return;
        while (class < MAP_GAP_CLASSES - 1 && length >= map_gap_limits[class])
                class ++;
        gaps->class_count[class]++;
        gaps->class_bytes[class] += length;
        gaps->count++;
        gaps->bytes += length;
        if (length > gaps->largest.end - gaps->largest.start)
                gaps->largest = gap;
        gaps->fits_64k += length / SMALL_SIZE * SMALL_SIZE;
        gaps->fits_huge += aligned_length(gap, gaps->huge_size) / gaps->huge_size * gaps->huge_size;
        fit = largest_fit(gaps, gap);
        if (fit > gaps->largest_fit)
                gaps->largest_fit = fit;
}
