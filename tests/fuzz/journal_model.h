// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/record.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the records of a pool's journal say, naively: an array with a place for each page and one
 * for each page of each holder.
 */
#define MODEL_PAGES 4096u
#define MODEL_SLOTS 6u

struct journal_model {
        bool damaged;              /* a record cannot be true, or says so itself */
        uint8_t kept[MODEL_PAGES]; /* 0: a gap; else the kind + 1 */
        struct model_holder {
                uint64_t session; /* 0: there is none */
                uint32_t refs[MODEL_PAGES];
                uint8_t kinds[MODEL_PAGES];
        } holders[MODEL_SLOTS];
};

/* Slots of records are below MODEL_SLOTS, or above all that there may be. */
void journal_model_init(struct journal_model *model);
void journal_model_apply(struct journal_model *model, const struct record *record);

/* All was applied: whether what is held is what was given. */
void journal_model_finish(struct journal_model *model);

/* Whether somebody holds the page. */
bool journal_model_is_held(const struct journal_model *model, uint32_t page);
