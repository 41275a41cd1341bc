// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>

/* Gaps of a file, by their length: up to 64K, 2M, 16M, 128M, 1G, and more. */
#define MAP_GAP_CLASSES 6

/* What a class ends below, in bytes; UINT64_MAX for the last. */
extern const uint64_t map_gap_limits[MAP_GAP_CLASSES];

/*
 * How fragmented a part of a file is. Freed ranges are no gaps before they are given back: nothing
 * can be allocated there. An allocation of a hugepage (2 MiB) and more starts at a multiple of it.
 */
struct map_gaps {
        uint64_t page_size;
        uint64_t huge_size;
        uint64_t count;
        uint64_t bytes;
        struct filemem_range largest; /* empty if there is none */
        uint64_t class_count[MAP_GAP_CLASSES];
        uint64_t class_bytes[MAP_GAP_CLASSES];
        uint64_t fits_64k;    /* bytes that could be had as many allocations of 64 KiB */
        uint64_t fits_huge;   /* the same of hugepages; single pages can have all of it */
        uint64_t largest_fit; /* the largest single allocation */
};

void map_gaps_init(struct map_gaps *gaps, uint64_t page_size, uint64_t huge_size);

/* A whole gap; gaps do not touch each other. An empty one is none. */
void map_gaps_add(struct map_gaps *gaps, struct filemem_range gap);
