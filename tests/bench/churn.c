// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include "base/clock.h"
#include "bench/floor.h"
#include "bench/sequence.h"
#include "bench/stage.h"
#include "bench/statistics.h"
#include "bench/stopwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Scenario 3. It is played twice: once with no clock in between, for the cost of a step, and once
 * with every operation timed, for the percentiles.
 */
struct churn {
        struct stage stage;
        struct churn_sequence sequence;
        struct range *ranges;     /* of each slot */
        uint32_t *allocate_times; /* of each step */
        uint32_t *decref_times;
        uint64_t capacity;
        unsigned char *mapping; /* of a client, or NULL: nothing is touched */
};

static int renew(struct churn *churn, uint32_t slot, uint32_t pages, uint64_t step)
{
        int r = stage_allocate(&churn->stage, pages, alt(step), &churn->ranges[slot]);

        if (r == 0 && churn->mapping)
                churn->mapping[churn->ranges[slot].start] = 1;
        return r;
}

static int churn_fill(struct churn *churn)
{
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < churn->sequence.live; i++)
                r = renew(churn, i, churn->sequence.fill[i], i);
        return r;
}

static int churn_steps(struct churn *churn)
{
        const struct churn_sequence *sequence = &churn->sequence;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < sequence->steps; i++) {
                r = pool_decref(churn->stage.holder, churn->ranges[sequence->slot[i]]);
                if (r == 0)
                        r = renew(churn, sequence->slot[i], sequence->pages[i], i);
        }
        return r;
}

static int churn_steps_timed(struct churn *churn)
{
        const struct churn_sequence *sequence = &churn->sequence;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < sequence->steps; i++) {
                uint64_t start = clock_now(), middle;

                r = pool_decref(churn->stage.holder, churn->ranges[sequence->slot[i]]);
                middle = clock_now();
                if (r == 0)
                        r = renew(churn, sequence->slot[i], sequence->pages[i], i);
                churn->decref_times[i] = statistics_time(start, middle);
                churn->allocate_times[i] = statistics_time(middle, clock_now());
        }
        return r;
}

/* ---- what of it is reported --------------------------------------------------------------------
 */

/* Without a floor where a page is touched on the way: that is in the floor of the whole step. */
static void add_times(struct report_row *row, uint32_t *times, uint32_t count, bool touched)
{
        double sum = 0;

        for (uint32_t i = 0; i < count; i++)
                sum += times[i];
        report_add(row, "ns_per_op", sum / count);
        report_add(row, "p50_ns", statistics_percentile(times, count, 50));
        report_add(row, "p99_ns", statistics_percentile(times, count, 99));
        if (!touched)
                report_add(row, "floor_ns", floor_lock());
}

static int add_step(struct churn *churn, struct report_row *row, struct stopwatch passed)
{
        uint64_t replace;
        int r = 0;

        row->op_hash = churn->sequence.hash;
        report_add(row, "ns_per_op", (double)passed.time / churn->sequence.steps);
        report_add(row, "cpu_ns", (double)passed.cpu / churn->sequence.steps);
        if (churn->mapping) {
                r = floor_replace(&replace);
                report_add(row, "floor_ns", (double)replace);
        } else {
                report_add(row, "floor_ns", 2 * floor_lock());
        }
        return r;
}

static void add_metadata(struct churn *churn, struct report_row *row)
{
        struct pool_information pool;
        struct holder_information holder;

        pool_information(churn->stage.pool, &pool);
        holder_information(churn->stage.holder, &holder);
        report_add(row, "entries", (double)pool.entries);
        report_add(row, "holdings", (double)holder.holdings);
        report_add(row, "metadata_per_entry", (double)pool.metadata / (double)pool.entries);
        report_add(row, "metadata_per_entry_or_holding",
                (double)pool.metadata / (double)(pool.entries + holder.holdings));
}

static const char *const variants[2][3] = {
        {"step", "allocate", "decref"},
        {"touch1_step", "touch1_allocate", "touch1_decref"},
};

static int churn_report(struct churn *churn, struct report *report)
{
        const char *const *names = variants[churn->mapping != NULL];
        uint32_t live = churn->sequence.live, steps = churn->sequence.steps;
        struct stopwatch start = stopwatch_start(), passed;
        int r = churn_steps(churn);

        passed = stopwatch_read(&start);

        if (r == 0)
                r = add_step(churn, report_row(report, names[0], live), passed);
        if (r == 0)
                r = stage_wait_reclaimed(&churn->stage);
        if (r)
                return r;
        add_metadata(churn, report_row(report, names[0], live));
        r = churn_steps_timed(churn);
        if (r)
                return r;
        add_times(report_row(report, names[1], live), churn->allocate_times, steps, churn->mapping);
        add_times(report_row(report, names[2], live), churn->decref_times, steps, false);
        return 0;
}

/* ---- life --------------------------------------------------------------------------------------
 */

/* Beyond it is the machine's page faults that are measured, and for minutes. */
#define TOUCHED_LIVE_MAX 100000

/* Room for what is freed and not yet given back, and for what lies between. */
#define PAGES_PER_SLOT 256

static int map(struct churn *churn)
{
        void *address = mmap(NULL, churn->capacity, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_NORESERVE, pool_fd(churn->stage.pool), 0);

        if (address == MAP_FAILED)
                return -errno;
        churn->mapping = address;
        return 0;
}

static int churn_play(struct churn *churn, bool touch, struct report *report)
{
        int r = stage_open(&churn->stage, churn->capacity);

        if (r)
                return r;
        if (touch)
                r = map(churn);
        if (r == 0)
                r = churn_fill(churn);
        if (r == 0)
                r = churn_report(churn, report);
        if (churn->mapping)
                munmap(churn->mapping, churn->capacity);
        churn->mapping = NULL;
        stage_close(&churn->stage);
        return r;
}

static void churn_free(struct churn *churn)
{
        churn_sequence_deinit(&churn->sequence);
        free(churn->ranges);
        free(churn->allocate_times);
        free(churn->decref_times);
}

static int churn_both(struct churn *churn, struct report *report)
{
        uint32_t live = churn->sequence.live, steps = churn->sequence.steps;
        int r;

        churn->ranges = calloc(live, sizeof(*churn->ranges));
        churn->allocate_times = calloc(steps, sizeof(*churn->allocate_times));
        churn->decref_times = calloc(steps, sizeof(*churn->decref_times));
        if (!churn->ranges || !churn->allocate_times || !churn->decref_times)
                return -ENOMEM;
        r = churn_play(churn, false, report);
        if (r == 0 && live <= TOUCHED_LIVE_MAX)
                r = churn_play(churn, true, report);
        return r;
}

static int churn_live(uint32_t live, uint32_t steps, struct report *report)
{
        uint64_t pages = ((uint64_t)live + steps / 8) * PAGES_PER_SLOT;
        uint64_t capacity = pages * (uint64_t)sysconf(_SC_PAGESIZE);
        struct churn churn = {.capacity = (capacity + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE};
        int r = churn_sequence_init(&churn.sequence, live, steps);

        if (r == 0)
                r = churn_both(&churn, report);
        churn_free(&churn);
        return r;
}

int churn_run(const struct scenario_sizes *sizes, struct report *report)
{
        static const uint32_t lives[] = {10000, 100000, 1000000};
        int r = 0;

        if (sizes->n)
                return churn_live((uint32_t)sizes->n, 200000, report);
        if (sizes->quick)
                return churn_live(1000, 5000, report);
        for (size_t i = 0; r == 0 && i < sizeof(lives) / sizeof(*lives); i++)
                r = churn_live(lives[i], 200000, report);
        return r;
}
