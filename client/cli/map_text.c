// SPDX-License-Identifier: Apache-2.0
#include "map_text.h"

#include "human.h"
#include "map_glyph.h"

#include <inttypes.h>

static const char *size_text(const struct map_look *look, uint64_t bytes, char *text)
{
        if (!look->bytes)
                return human_size(bytes, text);
        snprintf(text, HUMAN_MAX, "%" PRIu64, bytes);
        return text;
}

static void write_head(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        const struct map_grid *grid = &survey->grid;
        char start[HUMAN_MAX], end[HUMAN_MAX], capacity[HUMAN_MAX], cell[HUMAN_MAX];

        fprintf(where, "Pool %s: %s to %s of %s, a cell is %s\n\n", survey->pool.name,
                grid->range.start ? size_text(look, grid->range.start, start) : "0",
                size_text(look, grid->range.end, end),
                size_text(look, survey->pool.capacity, capacity),
                size_text(look, grid->cell_size, cell));
}

/* ---- the cells --------------------------------------------------------------------------------
 */

static void write_row(
        const struct map_survey *survey, const struct map_look *look, size_t first, FILE *where)
{
        const struct map_grid *grid = &survey->grid;
        struct filemem_range row = map_grid_range(grid, first);
        uint64_t held = 0;
        struct map_pen pen = {.look = look, .where = where};
        char offset[HUMAN_MAX];
        size_t i;

        fprintf(where, "%7s ", row.start ? human_size(row.start, offset) : "0");
        for (i = first; i < grid->count && i < first + look->columns; i++) {
                struct filemem_range range = map_grid_range(grid, i);

                map_pen_cell(&pen, &grid->cells[i], range.end - range.start);
                held += map_cell_held(&grid->cells[i]);
                row.end = range.end;
        }
        map_pen_lift(&pen);
        for (; i < first + look->columns; i++)
                fputc(' ', where);
        fprintf(where, " %3u%%\n", (unsigned)((__uint128_t)held * 100 / (row.end - row.start)));
}

/* ---- the legend -------------------------------------------------------------------------------
 */

static void write_legend_line(
        const struct map_look *look, int content, const char *what, FILE *where)
{
        struct map_pen pen = {.look = look, .where = where};

        fputs("  ", where);
        map_pen_sample(&pen, content, true);
        if (content < FILEMEM_KINDS)
                map_pen_sample(&pen, content, false);
        map_pen_lift(&pen);
        fputs(content < FILEMEM_KINDS ? "" : " ", where);
        fprintf(where, " %-10s %s\n", map_content_name(content), what);
}

static void write_kinds(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        for (int kind = 0; kind < FILEMEM_KINDS; kind++) {
                char held[HUMAN_MAX], committed[HUMAN_MAX], what[2 * HUMAN_MAX + 32];

                if (!survey->total.held[kind])
                        continue;
                snprintf(what, sizeof(what), "%s held, %s%s committed",
                        size_text(look, survey->total.held[kind], held),
                        survey->total.estimated ? "about " : "",
                        size_text(look, survey->total.committed[kind], committed));
                write_legend_line(look, kind, what, where);
        }
}

static void write_stray(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        char bytes[HUMAN_MAX], what[120];

        if (!survey->asked_stray && survey->usage.stray) {
                snprintf(what, sizeof(what),
                        "%s in the pool; where it lies is seen only by who may join the pool",
                        size_text(look, survey->usage.stray, bytes));
                write_legend_line(look, MAP_STRAY, what, where);
        }
        if (survey->total.stray) {
                snprintf(what, sizeof(what), "%s committed outside every range",
                        size_text(look, survey->total.stray, bytes));
                write_legend_line(look, MAP_STRAY, what, where);
        }
        if (survey->stray_beyond) {
                snprintf(what, sizeof(what), "%s more beyond what is shown",
                        size_text(look, survey->stray_beyond, bytes));
                write_legend_line(look, MAP_STRAY, what, where);
        }
}

static void write_legend(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        char bytes[HUMAN_MAX], age[HUMAN_MAX], what[80];

        fputc('\n', where);
        write_kinds(survey, look, where);
        if (survey->total.freed) {
                snprintf(what, sizeof(what), "%s not given back to the kernel yet",
                        size_text(look, survey->total.freed, bytes));
                write_legend_line(look, MAP_FREED, what, where);
        }
        write_stray(survey, look, where);
        write_legend_line(look, MAP_FREE, size_text(look, survey->gaps.bytes, bytes), where);
        fprintf(where, "%s\n", map_glyph_explain(look));
        fputs("At the end of a row: how much of it is held. ", where);
        if (survey->usage.age_ns == UINT64_MAX)
                fputs("Committed was never counted.\n", where);
        else
                fprintf(where, "Committed was counted %s ago%s.\n",
                        human_time(survey->usage.age_ns, age),
                        survey->usage.exact ? "" : " and is in part an estimate");
}

/* ---- fragmentation ----------------------------------------------------------------------------
 */

static void write_reach(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        const struct map_gaps *gaps = &survey->gaps;
        const struct {
                const char *name;
                uint64_t bytes;
        } lines[] = {
                {"single pages", gaps->bytes},
                {"64K each", gaps->fits_64k},
                {"2M each", gaps->fits_huge},
                {"one range", gaps->largest_fit},
        };
        char bytes[HUMAN_MAX];

        fprintf(where, "\nOf %s free, this much can be allocated as\n",
                size_text(look, gaps->bytes, bytes));
        for (int i = 0; i < 4; i++)
                fprintf(where, "  %-12s  %6s  %3u%%\n", lines[i].name,
                        size_text(look, lines[i].bytes, bytes),
                        gaps->bytes ? (unsigned)((__uint128_t)lines[i].bytes * 100 / gaps->bytes)
                                    : 0);
}

static void write_gaps(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        static const char *const names[MAP_GAP_CLASSES] = {
                "below 64K", "64K to 2M", "2M to 16M", "16M to 128M", "128M to 1G", "1G and more"};
        const struct map_gaps *gaps = &survey->gaps;
        char bytes[HUMAN_MAX];

        if (!gaps->count)
                return;
        fprintf(where, "Gaps by size; the largest of %" PRIu64 " is %s at %#" PRIx64 "\n",
                gaps->count, size_text(look, gaps->largest.end - gaps->largest.start, bytes),
                gaps->largest.start);
        for (int i = 0; i < MAP_GAP_CLASSES; i++)
                if (gaps->class_count[i])
                        fprintf(where, "  %-12s  %6s  in %" PRIu64 "\n", names[i],
                                size_text(look, gaps->class_bytes[i], bytes), gaps->class_count[i]);
}

void map_text_write(const struct map_survey *survey, const struct map_look *look, FILE *where)
{
        if (!look->bare)
                write_head(survey, look, where);
        for (size_t i = 0; i < survey->grid.count; i += look->columns)
                write_row(survey, look, i, where);
        if (look->bare)
                return;
        write_legend(survey, look, where);
        write_reach(survey, look, where);
        write_gaps(survey, look, where);
}
