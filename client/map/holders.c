// SPDX-License-Identifier: Apache-2.0
#include "map/holders.h"

#include "human.h"
#include "map/markup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256

/* ---- sessions -------------------------------------------------------------------------------- */

static int keep_session(struct map_holders *holders, const struct filemem_session_info *info)
{
        struct filemem_session_info *more =
                reallocarray(holders->sessions, holders->sessions_count + 1, sizeof(*more));

        if (!more)
                return -ENOMEM;
        holders->sessions = more;
        holders->sessions[holders->sessions_count++] = *info;
        return 0;
}

static int list_sessions(filemem_session *session, const char *pool, struct map_holders *holders)
{
        struct filemem_session_info infos[PAGE];
        uint64_t after = 0;
        int count, r = 0;

        while ((count = filemem_sessions(session, after, infos, PAGE)) > 0) {
                for (int i = 0; r == 0 && i < count; i++)
                        if (infos[i].held && !strcmp(infos[i].pool, pool))
                                r = keep_session(holders, &infos[i]);
                if (r < 0)
                        return r;
                after = infos[count - 1].session;
        }
        return count;
}

/* ---- what they hold -------------------------------------------------------------------------- */

static void add_range(const struct map_grid *grid, struct filemem_range range, uint64_t *bytes)
{
        struct filemem_range shown = map_grid_clip(grid, range);

        if (shown.start == shown.end)
                return;
        for (size_t i = map_grid_first(grid, shown); i <= map_grid_last(grid, shown); i++) {
                struct filemem_range part = map_grid_part(grid, i, shown);

                bytes[i] += part.end - part.start;
        }
}

/* Sessions come one after the other: the one with most is first. */
static void rank(struct map_cell_holders *cell, uint32_t session, uint64_t bytes)
{
        size_t place = MAP_CELL_HOLDERS;

        cell->count++;
        while (place > 0 && cell->most[place - 1].bytes < bytes)
                place--;
        if (place == MAP_CELL_HOLDERS)
                return;
        memmove(&cell->most[place + 1], &cell->most[place],
                (MAP_CELL_HOLDERS - 1 - place) * sizeof(cell->most[0]));
        cell->most[place].session = session;
        cell->most[place].bytes = bytes;
}

/* bytes: a place for each cell, all 0, and so they are afterwards. */
static int ask_session(filemem_session *session, const struct map_grid *grid, uint32_t index,
        uint64_t *bytes, struct map_holders *holders)
{
        struct filemem_holding holdings[PAGE];
        uint64_t from = grid->range.start;
        int count;

        while ((count = filemem_holdings(
                        session, holders->sessions[index].session, from, holdings, PAGE)) > 0 &&
                from < grid->range.end) {
                for (int i = 0; i < count; i++)
                        add_range(grid, holdings[i].range, bytes);
                from = holdings[count - 1].range.end;
        }
        for (size_t i = 0; i < grid->count; i++) {
                if (bytes[i])
                        rank(&holders->cells[i], index, bytes[i]);
                bytes[i] = 0;
        }
        /* It may be gone meanwhile, or be somebody's of whom only that it is there is known. */
        return count == -ENOENT || count == -EPERM || count > 0 ? 0 : count;
}

int map_holders_make(
        filemem_session *session, const struct map_survey *survey, struct map_holders *ret)
{
        const struct map_grid *grid = &survey->grid;
        struct map_holders holders = {.cells = calloc(grid->count, sizeof(*holders.cells))};
        uint64_t *bytes = calloc(grid->count, sizeof(*bytes));
        int r = holders.cells && bytes ? list_sessions(session, survey->pool.name, &holders)
                                       : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < holders.sessions_count; i++)
                r = ask_session(session, grid, i, bytes, &holders);
        free(bytes);
        if (r < 0)
                map_holders_free(&holders);
        else
                *ret = holders;
        return r;
}

void map_holders_free(struct map_holders *holders)
{
        free(holders->sessions);
        free(holders->cells);
        *holders = (struct map_holders){0};
}

/* ---- text ------------------------------------------------------------------------------------ */

void map_holders_write(const struct map_holders *holders, size_t cell, FILE *where)
{
        const struct map_cell_holders *held = &holders->cells[cell];
        uint32_t written = 0;

        for (; written < MAP_CELL_HOLDERS && held->most[written].bytes; written++) {
                const struct filemem_session_info *info =
                        &holders->sessions[held->most[written].session];
                char size[HUMAN_MAX];

                fprintf(where, "%ssession %" PRIu64 " ", written ? ", " : "", info->session);
                if (info->label[0]) {
                        markup_xml(where, info->label);
                        fputc(' ', where);
                }
                if (info->pid > 0)
                        fprintf(where, "(pid %" PRId32 ") ", info->pid);
                fputs(human_size(held->most[written].bytes, size), where);
        }
        if (held->count > written)
                fprintf(where, ", and %" PRIu32 " more", held->count - written);
}
