// SPDX-License-Identifier: Apache-2.0
#include "top_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

const char *const top_orders[TOP_ORDERS + 1] = {
        [TOP_GROWTH] = "growth",
        [TOP_HELD] = "held",
        [TOP_ALLOCATING] = "alloc",
        [TOP_RELEASING] = "free",
        [TOP_OPERATIONS] = "ops",
        [TOP_RANGES] = "ranges",
        [TOP_ID] = "id",
        [TOP_LABEL] = "label",
};

bool top_same_daemon(const struct top_sample *one, const struct top_sample *other)
{
        return one->totals.pid == other->totals.pid &&
               one->totals.started_at == other->totals.started_at &&
               other->totals.now >= one->totals.now;
}

/* ---- rates ----------------------------------------------------------------------------------- */

/* A second, of what was counted in ns; counters that went back have not counted. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t ns)
{
        if (now <= before || !ns)
                return 0;
        return (uint64_t)((__uint128_t)(now - before) * SECOND / ns);
}

static int64_t signed_rate(uint64_t now, uint64_t before, uint64_t ns)
{
        return now >= before ? (int64_t)rate(now, before, ns) : -(int64_t)rate(before, now, ns);
}

static const struct filemem_statistics_session *find(const struct top_sample *sample, uint64_t id)
{
        size_t low = 0, high = sample->sessions_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (sample->sessions[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < sample->sessions_count && sample->sessions[low].id == id
                       ? &sample->sessions[low]
                       : NULL;
}

/* One that was not there before began with nothing, when it was opened. */
static void work_out(
        struct top_row *row, const struct top_sample *sample, const struct top_sample *before)
{
        static const struct filemem_statistics_session nothing;
        const struct filemem_statistics_session *now = row->session, *then = find(before, now->id);
        uint64_t since = then ? before->totals.now : now->opened_at;
        uint64_t ns = sample->totals.now > since ? sample->totals.now - since : 0;

        if (!then)
                then = &nothing;
        if (then == &nothing && ns < SECOND)
                ns = SECOND; /* what came in a moment is not much a second */
        row->growth = signed_rate(now->held, then->held, ns);
        row->allocating = rate(now->allocated_bytes, then->allocated_bytes, ns);
        row->releasing = rate(now->released_bytes, then->released_bytes, ns);
        row->operations = rate(now->operations, then->operations, ns);
}

/* ---- order ----------------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
        return (a < b) - (a > b); /* largest first */
}

static int compare_by(enum top_order order, const struct top_row *a, const struct top_row *b)
{
        switch (order) {
        case TOP_GROWTH:
                return (a->growth < b->growth) - (a->growth > b->growth);
        case TOP_HELD:
                return compare_numbers(a->session->held, b->session->held);
        case TOP_ALLOCATING:
                return compare_numbers(a->allocating, b->allocating);
        case TOP_RELEASING:
                return compare_numbers(a->releasing, b->releasing);
        case TOP_OPERATIONS:
                return compare_numbers(a->operations, b->operations);
        case TOP_RANGES:
                return compare_numbers(a->session->ranges, b->session->ranges);
        case TOP_LABEL:
                return strcmp(a->session->label, b->session->label);
        case TOP_ID:
        default:
                return compare_numbers(b->session->id, a->session->id);
        }
}

/* Where that is the same: who holds more, then who came first. */
static int compare(const void *a, const void *b, void *context)
{
        const struct top_view *view = context;
        int r = compare_by(view->order, a, b);

        if (view->reversed)
                r = -r;
        if (r == 0)
                r = compare_by(TOP_HELD, a, b);
        return r ? r : compare_by(TOP_ID, a, b);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool is_wanted(const struct top_view *view, const struct filemem_statistics_session *session)
{
        return !view->filter[0] || strcasestr(session->pool_name, view->filter) ||
               strcasestr(top_user_name(session->uid), view->filter) ||
               strcasestr(top_session_name(session), view->filter);
}

int top_view_update(
        struct top_view *view, const struct top_sample *sample, const struct top_sample *before)
{
        static const struct top_sample none;
        uint64_t since;

        if (!top_same_daemon(before, sample))
                before = &none;
        since = before->totals.now ? before->totals.now : sample->totals.started_at;
        if (view->room < sample->sessions_count) {
                struct top_row *rows =
                        reallocarray(view->rows, sample->sessions_room, sizeof(view->rows[0]));

                if (!rows)
                        return -ENOMEM;
                view->rows = rows;
                view->room = sample->sessions_room;
        }
        view->operations = rate(
                sample->totals.operations, before->totals.operations, sample->totals.now - since);
        view->refusals =
                rate(sample->totals.refusals, before->totals.refusals, sample->totals.now - since);
        view->count = 0;
        for (size_t i = 0; i < sample->sessions_count; i++) {
                struct top_row *row = &view->rows[view->count];

                if (!is_wanted(view, &sample->sessions[i]))
                        continue;
                row->session = &sample->sessions[i];
                work_out(row, sample, before);
                view->count++;
        }
        if (view->count)
                qsort_r(view->rows, view->count, sizeof(view->rows[0]), compare, view);
        return 0;
}

void top_view_deinit(struct top_view *view)
{
        free(view->rows);
        view->rows = NULL;
        view->count = view->room = 0;
}
