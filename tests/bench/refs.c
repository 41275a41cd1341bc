// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/cleanup.h"
#include "bench/floor.h"
#include "bench/sequence.h"
#include "bench/stage.h"
#include "bench/stopwatch.h"

/* Scenario 4. */

#define OUTSTANDING 10000

struct refs {
        struct stage stage;
        struct refs_sequence sequence;
        struct range whole;
};

static struct range get_range(const struct refs *refs, uint32_t i)
{
        uint64_t page_size = refs->stage.page_size;

        return (struct range){
                .start = refs->whole.start + refs->sequence.start[i] * page_size,
                .end = refs->whole.start + refs->sequence.end[i] * page_size,
        };
}

static int take(struct refs *refs, uint32_t i)
{
        return pool_incref(refs->stage.holder, get_range(refs, i));
}

static int drop(struct refs *refs, uint32_t i)
{
        return pool_decref(refs->stage.holder, get_range(refs, i));
}

/* An operation is one IncRef or one DecRef. */
static void add(struct refs *refs, struct report *report, const char *variant,
        struct stopwatch passed, uint32_t pairs)
{
        struct report_row *row = report_row(report, variant, refs->sequence.pairs);

        row->op_hash = refs->sequence.hash;
        report_add(row, "ns_per_op", (double)passed.time / pairs / 2);
        report_add(row, "ns_per_pair", (double)passed.time / pairs);
        report_add(row, "cpu_ns", (double)passed.cpu / pairs / 2);
        report_add(row, "floor_ns", floor_lock());
}

static int refs_pair(struct refs *refs, struct report *report)
{
        struct stopwatch start = stopwatch_start();
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < refs->sequence.pairs; i++) {
                r = take(refs, i);
                if (r == 0)
                        r = drop(refs, i);
        }
        add(refs, report, "pair", stopwatch_read(&start), refs->sequence.pairs);
        return r;
}

/* Timed is what has both an IncRef and a DecRef: not the filling of the window, nor its end. */
static int refs_window(struct refs *refs, struct report *report)
{
        uint32_t pairs = refs->sequence.pairs;
        uint32_t window = pairs > OUTSTANDING ? OUTSTANDING : pairs / 2;
        struct pool_information information;
        struct stopwatch start;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < window; i++)
                r = take(refs, i);
        start = stopwatch_start();
        for (uint32_t i = window; r == 0 && i < pairs; i++) {
                r = take(refs, i);
                if (r == 0)
                        r = drop(refs, i - window);
        }
        if (r)
                return r;
        add(refs, report, "window", stopwatch_read(&start), pairs - window);
        pool_information(refs->stage.pool, &information);
        report_add(report_row(report, "window", pairs), "entries", (double)information.entries);
        for (uint32_t i = pairs - window; r == 0 && i < pairs; i++)
                r = drop(refs, i);
        return r;
}

static void refs_free(struct refs *refs)
{
        refs_sequence_deinit(&refs->sequence);
}

int refs_run(const struct scenario_sizes *sizes, struct report *report)
{
        cleanup_(refs_free) struct refs refs = {.whole = {0}};
        uint32_t pairs = sizes->n ? (uint32_t)sizes->n : sizes->quick ? 5000 : 500000;
        int r = refs_sequence_init(&refs.sequence, pairs);

        if (r)
                return r;
        r = stage_open(&refs.stage, REFS_PAGES * (uint64_t)sysconf(_SC_PAGESIZE));
        if (r)
                return r;
        r = stage_allocate(&refs.stage, REFS_PAGES, KIND_ANONYMOUS, &refs.whole);
        if (r == 0)
                r = refs_pair(&refs, report);
        if (r == 0)
                r = refs_window(&refs, report);
        stage_close(&refs.stage);
        return r;
}
