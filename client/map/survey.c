// SPDX-License-Identifier: Apache-2.0
#include "map/survey.h"

#include "map/stored.h"

#include <errno.h>

#define PAGE 512

struct walk {
        filemem_session *session;
        const struct map_request *request;
        struct map_survey *survey;
        uint64_t from; /* all below is done */
        uint64_t end;  /* where to stop looking */
        size_t count;
        struct filemem_entry entries[PAGE];
        size_t suspects_count; /* gaps with stored pages in them: stray, if they still are gaps */
        struct filemem_range suspects[PAGE + 1];
};

static int64_t ask_stored(void *context, struct filemem_range range)
{
        return map_stored_bytes(filemem_fd(context), range);
}

/* Puts what is stored in a gap into the cells where it is, and what is beyond them aside. */
static void add_stray(struct walk *walk, struct filemem_range gap)
{
        struct map_survey *survey = walk->survey;
        struct map_grid *grid = &survey->grid;
        struct filemem_range shown = map_grid_clip(grid, gap);

        if (gap.end > grid->range.end) {
                struct filemem_range beyond = {
                        gap.start > grid->range.end ? gap.start : grid->range.end, gap.end};
                int64_t stored = ask_stored(walk->request->inside, beyond);

                survey->stray_beyond += stored > 0 ? (uint64_t)stored : 0;
        }
        if (shown.start == shown.end)
                return;
        for (size_t i = map_grid_first(grid, shown); i <= map_grid_last(grid, shown); i++) {
                int64_t stored = ask_stored(walk->request->inside, map_grid_part(grid, i, shown));

                grid->cells[i].stray += stored > 0 ? (uint64_t)stored : 0;
        }
}

static void take_gap(struct walk *walk, struct filemem_range gap)
{
        struct map_survey *survey = walk->survey;
        struct filemem_range counted = map_grid_clip(&survey->grid, gap);

        if (counted.end > survey->pool.size)
                counted.end = survey->pool.size;
        if (counted.start < counted.end)
                map_gaps_add(&survey->gaps, counted);
        if (gap.start < survey->grid.range.start)
                gap.start = survey->grid.range.start;
        if (walk->request->inside && gap.start < gap.end &&
                ask_stored(walk->request->inside, gap) > 0)
                walk->suspects[walk->suspects_count++] = gap;
}

static int read_page(struct walk *walk)
{
        int r = filemem_dump_of(
                walk->session, walk->request->pool, walk->from, walk->entries, PAGE);

        walk->count = r > 0 ? (size_t)r : 0;
        return r;
}

/* Where the page of entries that was read ends: nothing is known above. */
static uint64_t page_end(const struct walk *walk)
{
        return walk->count ? walk->entries[walk->count - 1].range.end : walk->end;
}

/*
 * Somebody may have allocated a gap and touched it between the daemon's answer and the kernel's. So
 * the daemon is asked again: what is a gap before and after the kernel was asked was one, but for
 * the few microseconds that it would take to come and go.
 */
static int confirm_suspects(struct walk *walk)
{
        size_t entry = 0;
        uint64_t end;
        int r;

        if (!walk->suspects_count)
                return 0;
        r = read_page(walk);
        if (r < 0)
                return r;
        end = page_end(walk);
        for (size_t i = 0; i < walk->suspects_count; i++) {
                struct filemem_range gap = walk->suspects[i];

                while (entry < walk->count && walk->entries[entry].range.end <= gap.start)
                        entry++;
                if ((entry == walk->count || walk->entries[entry].range.start >= gap.end) &&
                        gap.end <= end)
                        add_stray(walk, gap);
        }
        return 0;
}

/* One page of entries, and the gaps before each. Returns 1 if there is more, 0 at the end. */
static int walk_page(struct walk *walk)
{
        uint64_t at = walk->from, next;
        int r = read_page(walk);

        if (r < 0)
                return r;
        walk->suspects_count = 0;
        next = page_end(walk);
        for (size_t i = 0; i < walk->count && at < walk->end; i++) {
                const struct filemem_entry *entry = &walk->entries[i];

                if (entry->range.start > at)
                        take_gap(walk, (struct filemem_range){at, entry->range.start < walk->end
                                                                          ? entry->range.start
                                                                          : walk->end});
                at = entry->range.end;
                if (entry->range.start >= walk->survey->grid.range.end)
                        continue;
                walk->survey->entries++;
                map_grid_add(&walk->survey->grid, entry, walk->request->inside ? ask_stored : NULL,
                        walk->request->inside);
        }
        if (walk->count == 0 && at < walk->end)
                take_gap(walk, (struct filemem_range){at, walk->end});
        r = confirm_suspects(walk);
        if (r < 0)
                return r;
        walk->from = next;
        return next < walk->end;
}

static int walk_all(
        filemem_session *session, const struct map_request *request, struct map_survey *survey)
{
        struct walk walk = {
                .session = session,
                .request = request,
                .survey = survey,
                .from = survey->grid.range.start,
                .end = request->zoom ? survey->grid.range.end : survey->pool.capacity,
        };
        int r;

        survey->asked_stray = request->inside != NULL;
        do
                r = walk_page(&walk);
        while (r > 0);
        return r;
}

static int choose_range(const struct map_request *request, const struct filemem_pool *pool,
        struct filemem_range *ret)
{
        uint64_t page = pool->page_size;
        struct filemem_range range = {0, pool->size};

        if (request->zoom) {
                range = request->range;
                range.start -= range.start % page;
                if (range.end > pool->capacity)
                        range.end = pool->capacity;
                range.end += (page - range.end % page) % page;
        }
        if (range.start >= range.end)
                return -ERANGE;
        *ret = range;
        return 0;
}

static bool is_sane(const struct filemem_pool *pool)
{
        uint64_t page = pool->page_size;

        return page && !(page & (page - 1)) && pool->hugepage_size >= page && pool->size &&
               pool->size <= pool->capacity && pool->capacity <= (UINT64_C(1) << 62) &&
               pool->capacity % page == 0 && pool->size % page == 0;
}

int map_survey_make(
        filemem_session *session, const struct map_request *request, struct map_survey *ret)
{
        struct map_survey survey = {0};
        struct filemem_range range;
        int r = request->known ? filemem_usage_of(session, request->pool, &survey.usage)
                               : filemem_update_usage_of(session, request->pool, &survey.usage);

        if (r < 0)
                return r;
        r = filemem_pool_info_of(session, request->pool, &survey.pool);
        if (r < 0)
                return r;
        if (!is_sane(&survey.pool))
                return -EPROTO;
        r = choose_range(request, &survey.pool, &range);
        if (r < 0)
                return r;
        map_gaps_init(&survey.gaps, survey.pool.page_size, survey.pool.hugepage_size);
        r = map_grid_init(&survey.grid, range,
                map_cell_size(range.end - range.start, survey.pool.page_size, request->cells));
        if (r < 0)
                return r;
        r = walk_all(session, request, &survey);
        if (r < 0) {
                map_grid_deinit(&survey.grid);
                return r;
        }
        for (size_t i = 0; i < survey.grid.count; i++)
                map_cell_merge(&survey.total, &survey.grid.cells[i]);
        *ret = survey;
        return 0;
}

void map_survey_free(struct map_survey *survey)
{
        map_grid_deinit(&survey->grid);
}
