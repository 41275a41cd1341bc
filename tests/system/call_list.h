// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The lists of system calls in docs/sandboxing.md, and filters made of them. A list is the table
 * under a heading; a row of it begins with one name, or with the names of calls that do the same,
 * one of which a C library makes. Errors fail the test.
 */
#define CALL_ROWS_MAX  40
#define CALL_NAMES_MAX 4

struct call_list {
        size_t rows;
        struct {
                size_t names;
                char name[CALL_NAMES_MAX][32];
        } row[CALL_ROWS_MAX];
};

/* Adds the rows under a heading to a list, which begins empty. */
void call_list_read(struct call_list *list, const char *heading);

/* A program that allows the list, and exit_group; anything else kills the process. */
struct call_filter {
        struct sock_filter code[512];
        unsigned short length;
};

/* without: a row that is left out; list->rows for none. */
void call_filter_make(const struct call_list *list, size_t without, struct call_filter *ret);

/* For the calling thread, for ever. Returns 0 or a negative errno. */
int call_filter_apply(const struct call_filter *filter);
