// SPDX-License-Identifier: Apache-2.0
#include "map/svg_cells.h"

#include "human.h"
#include "map/markup.h"

#include <inttypes.h>

/* A part of a cell: its width says how much of it, and what is solid of it how much is committed.
 */
static double write_stripe(
        int content, double x, double width, uint64_t length, uint64_t committed, FILE *where)
{
        double height = SVG_CELL * (double)committed / (double)length;

        if (width < 1)
                width = 1;
        if (x + width > SVG_CELL)
                x = SVG_CELL - width;
        if (height < 1)
                height = 1; /* which tells the colour where nothing is committed */
        if (committed < length)
                fprintf(where, "<path class=\"k%d l\" d=\"M%.3g 0h%.3gv12h-%.3gz\"/>", content, x,
                        width, width);
        fprintf(where, "<path class=\"k%d\" d=\"M%.3g 12h%.3gv-%.3gh-%.3gz\"/>", content, x, width,
                height, width);
        return x + width;
}

static void write_stray(FILE *where)
{
        fputs("<path class=\"k7\" d=\"M6 .5l5.5 5.5l-5.5 5.5l-5.5-5.5z\"/>", where);
}

static void write_contents(const struct map_cell *cell, uint64_t length, FILE *where)
{
        double x = 0, scale = SVG_CELL / (double)length;

        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                if (cell->held[kind])
                        x = write_stripe(kind, x, (double)cell->held[kind] * scale,
                                cell->held[kind], cell->committed[kind], where);
        if (cell->freed) {
                double width = (double)cell->freed * scale;

                if (width < 1)
                        width = 1;
                if (x + width > SVG_CELL)
                        x = SVG_CELL - width;
                fprintf(where, "<path class=\"k6\" d=\"M%.3g 0h%.3gv12h-%.3gz\"/>", x, width,
                        width);
        }
        if (cell->stray)
                write_stray(where);
}

static void write_bytes(FILE *where, const char *before, uint64_t bytes, const char *after)
{
        char text[HUMAN_MAX];

        fprintf(where, "%s%s%s", before, human_size(bytes, text), after);
}

static void write_title(const struct map_cell *cell, struct filemem_range range,
        const struct map_holders *holders, size_t index, FILE *where)
{
        fprintf(where, "<title>0x%" PRIx64 " to 0x%" PRIx64, range.start, range.end);
        write_bytes(where, ", ", range.end - range.start, "");
        for (int kind = 0; kind < FILEMEM_KINDS; kind++) {
                if (!cell->held[kind])
                        continue;
                fprintf(where, "\n%s: ", map_content_name(kind));
                write_bytes(where, "", cell->held[kind], " held, ");
                write_bytes(where, cell->estimated ? "about " : "", cell->committed[kind],
                        " committed");
        }
        if (cell->freed)
                write_bytes(where, "\nfreed, not given back yet: ", cell->freed, "");
        if (cell->stray)
                write_bytes(where, "\nstray: ", cell->stray, "");
        if (cell->preparing)
                write_bytes(where, "\nbeing prepared: ", cell->preparing, "");
        if (!cell->entries && !cell->stray)
                fputs("\nfree", where);
        if (cell->entries)
                fprintf(where, "\n%" PRIu64 " range%s, at most %" PRIu32 " reference%s",
                        cell->entries, cell->entries == 1 ? "" : "s", cell->refs,
                        cell->refs == 1 ? "" : "s");
        if (holders && holders->cells[index].count) {
                fputs("\nheld by ", where);
                map_holders_write(holders, index, where);
        }
        fputs("</title>", where);
}

void svg_cell_write(const struct map_survey *survey, const struct map_holders *holders,
        size_t index, unsigned x, FILE *where)
{
        const struct map_cell *cell = &survey->grid.cells[index];
        struct filemem_range range = map_grid_range(&survey->grid, index);

        fprintf(where, "<g transform=\"translate(%u)\">", x);
        write_title(cell, range, holders, index, where);
        fputs("<path class=\"e\" d=\"M0 0h12v12h-12z\"/>", where);
        write_contents(cell, range.end - range.start, where);
        fputs("</g>\n", where);
}

void svg_swatch_write(int content, bool committed, double x, double y, FILE *where)
{
        fprintf(where, "<g transform=\"translate(%.6g %.6g)\">", x, y);
        fputs("<path class=\"e\" d=\"M0 0h12v12h-12z\"/>", where);
        if (content == MAP_STRAY)
                write_stray(where);
        else if (content == MAP_FREED)
                fputs("<path class=\"k6\" d=\"M0 0h12v12h-12z\"/>", where);
        else if (content != MAP_FREE)
                write_stripe(content, 0, SVG_CELL, 2, committed ? 2 : 1, where);
        fputs("</g>", where);
}
