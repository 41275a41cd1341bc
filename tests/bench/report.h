// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What scenarios measured, and how it is printed. A scenario is run several times; each time it
 * adds the same numbers to the same rows, and what is printed is the median of each.
 */
#define REPORT_REPEAT_MAX 32
#define REPORT_FIELDS_MAX 12
#define REPORT_ROWS_MAX   32

struct report_field {
        const char *name;
        double values[REPORT_REPEAT_MAX];
        size_t count;
};

struct report_row {
        char variant[32];
        uint64_t n;
        uint64_t op_hash; /* 0: the operations are not drawn */
        struct report_field fields[REPORT_FIELDS_MAX];
        size_t field_count;
        bool muted;
};

struct report {
        const char *scenario;
        bool json;
        bool muted; /* warming up: what is added is not kept */
        bool titled;
        struct report_row rows[REPORT_ROWS_MAX];
        size_t row_count;
};

/* A scenario begins: no rows. */
void report_begin(struct report *report, const char *scenario);

/*
 * The row of a variant (copied) at one size, made if it is not there. Only for a scenario with more
 * than REPORT_ROWS_MAX rows, which is a mistake of ours, it does not return.
 */
struct report_row *report_row(struct report *report, const char *variant, uint64_t n);

/* Adds a number of this repetition; name is a literal. "ratio" is made of ns_per_op and floor_ns.
 */
void report_add(struct report_row *row, const char *name, double value);

/* Prints the rows: a table for people, or an object per line. */
void report_print(struct report *report, FILE *stream);
