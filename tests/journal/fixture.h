// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/harness.h"

#include "journal/journal.h"

/* A journal of numbered records, and the next one to have its memfd. */
struct entry {
        struct journal_mark mark;
        uint32_t number;
        uint64_t square;
        uint64_t filler[2];
};

#define AREA (1u << 20)
#define FULL (AREA / sizeof(struct entry))

extern const struct journal_format format;
extern struct journal journal;

/* The record of that number. */
struct entry make(uint32_t number);

void set_up(void);
void tear_down(void);

/* journal_append() of the record of that number; of those from 0 on, which have to be taken. */
int append(uint32_t number);
void append_many(uint32_t count);

/* As whoever gets the memfd next: journal_open(). */
int open_again(struct journal *again);

/* How many records are read, each of which has to be right; *ret_end is what ended it. */
uint64_t count_read(int *ret_end);
void assert_reads(uint64_t count, int end);

/* Where a record of the active area is. */
struct entry *place(uint32_t index);
