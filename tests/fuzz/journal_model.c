// SPDX-License-Identifier: Apache-2.0
#include "fuzz/journal_model.h"

#include "base/error.h"
#include "memory/private.h"

#include <string.h>

void journal_model_init(struct journal_model *model)
{
        memset(model, 0, sizeof(*model));
}

/* ---- what is taken --------------------------------------------------------------------------- */

static bool keep(struct journal_model *model, const struct record *record)
{
        for (uint32_t page = record->start; page < record->end; page++)
                if (model->kept[page])
                        return false;
        memset(model->kept + record->start, record->kind + 1, record->end - record->start);
        return true;
}

static bool give(struct journal_model *model, const struct record *record)
{
        for (uint32_t page = record->start; page < record->end; page++)
                if (!model->kept[page])
                        return false;
        memset(model->kept + record->start, 0, record->end - record->start);
        return true;
}

/* ---- what is held ---------------------------------------------------------------------------- */

static bool hold(struct model_holder *holder, const struct record *record, uint32_t refs)
{
        if (!refs || refs == REFS_PREPARING)
                return false;
        for (uint32_t page = record->start; page < record->end; page++)
                if (holder->refs[page])
                        return false;
        for (uint32_t page = record->start; page < record->end; page++) {
                holder->refs[page] = refs;
                holder->kinds[page] = record->kind;
        }
        return true;
}

static bool allocate(
        struct journal_model *model, struct model_holder *holder, const struct record *record)
{
        for (uint32_t page = record->start; page < record->end; page++)
                if (holder->refs[page])
                        return false;
        return keep(model, record) && hold(holder, record, 1);
}

static bool incref(
        const struct journal_model *model, struct model_holder *holder, const struct record *record)
{
        for (uint32_t page = record->start; page < record->end; page++)
                if (!model->kept[page] || holder->refs[page] >= REFS_PREPARING - 1)
                        return false;
        for (uint32_t page = record->start; page < record->end; page++)
                if (!holder->refs[page]++)
                        holder->kinds[page] = (uint8_t)(model->kept[page] - 1);
        return true;
}

static bool decref(struct model_holder *holder, const struct record *record)
{
        if (!record->value)
                return false;
        for (uint32_t page = record->start; page < record->end; page++)
                if (holder->refs[page] < record->value)
                        return false;
        for (uint32_t page = record->start; page < record->end; page++)
                holder->refs[page] -= record->value;
        return true;
}

static bool leave(struct model_holder *holder)
{
        for (uint32_t page = 0; page < MODEL_PAGES; page++)
                if (holder->refs[page])
                        return false;
        holder->session = 0;
        return true;
}

/* ---- one record ------------------------------------------------------------------------------ */

static bool apply_held(struct journal_model *model, const struct record *record)
{
        struct model_holder *holder = &model->holders[record->slot % MODEL_SLOTS];
        int result = record->type == RECORD_RESULT ? (int)record->value : 0;

        if (record->slot >= MODEL_SLOTS || !holder->session)
                return false;
        switch (record->type) {
        case RECORD_LEAVE:
                return leave(holder);
        case RECORD_HOLD:
                return hold(holder, record, record->value);
        case RECORD_ALLOCATE:
                return allocate(model, holder, record);
        case RECORD_INCREF:
                return incref(model, holder, record);
        case RECORD_DECREF:
                return decref(holder, record);
        default:
                return !record->request || result < OUTCOME_COUNT;
        }
}

static bool join(struct journal_model *model, const struct record *record)
{
        if (record->slot >= MODEL_SLOTS || model->holders[record->slot].session)
                return false;
        model->holders[record->slot].session = record->request;
        return true;
}

static bool range_is_valid(const struct record *record)
{
        return record->start < record->end && record->end <= MODEL_PAGES &&
               record->kind < KIND_COUNT;
}

static bool apply(struct journal_model *model, const struct record *record)
{
        switch (record->type) {
        case RECORD_KEEP:
                return range_is_valid(record) && keep(model, record);
        case RECORD_GIVE:
                return range_is_valid(record) && give(model, record);
        case RECORD_JOIN:
                return join(model, record);
        case RECORD_HOLD:
        case RECORD_ALLOCATE:
        case RECORD_INCREF:
        case RECORD_DECREF:
                return range_is_valid(record) && apply_held(model, record);
        case RECORD_LEAVE:
        case RECORD_RESULT:
                return apply_held(model, record);
        case RECORD_SIZE:
                return record->value <= MODEL_PAGES;
        default: /* RECORD_DAMAGE, and what is none */
                return false;
        }
}

void journal_model_apply(struct journal_model *model, const struct record *record)
{
        if (!model->damaged && !apply(model, record))
                model->damaged = true;
}

/* Whether the sum over all who hold the page can be. */
static bool page_is_right(const struct journal_model *model, uint32_t page)
{
        const struct model_holder *first = NULL;
        uint64_t refs = 0;

        for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++) {
                const struct model_holder *holder = &model->holders[slot];

                if (!holder->refs[page])
                        continue;
                if (!first)
                        first = holder;
                if (holder->kinds[page] != first->kinds[page])
                        return false;
                refs += holder->refs[page];
        }
        return refs < REFS_PREPARING && (!first || model->kept[page]);
}

void journal_model_finish(struct journal_model *model)
{
        for (uint32_t page = 0; page < MODEL_PAGES; page++)
                if (!page_is_right(model, page))
                        model->damaged = true;
}

bool journal_model_is_held(const struct journal_model *model, uint32_t page)
{
        for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++)
                if (model->holders[slot].refs[page])
                        return true;
        return false;
}
