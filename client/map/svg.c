// SPDX-License-Identifier: Apache-2.0
#include "map/svg.h"

#include "human.h"
#include "map/markup.h"
#include "map/svg_cells.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>

#define LEFT   76 /* of the cells; offsets stand there */
#define TOP    72
#define RIGHT  64
#define BOTTOM 254 /* below the cells: legend and fragmentation */

/* Where the parts below the cells are, from there on. */
#define LEGEND_Y 34
#define GAPS_Y   136
#define LINE     20

/*
 * The colours are those of Okabe and Ito, which people with any colour vision tell apart: k0 to k5
 * are the kinds, k6 is freed, k7 stray, e what is empty; l is what is not committed.
 */
static const char style[] =
        "<style>\n"
        "svg{background:#fff;font:13px system-ui,'DejaVu Sans',sans-serif;fill:#1b1f24}\n"
        ".g{fill:#fff}.t{font-size:17px;font-weight:600}.m{fill:#5d6670}.n{text-anchor:end}.o{font-"
        "size:11px}\n"
        ".e{fill:#edeff2}.k0{fill:#7d7d7d}.k1{fill:#0072b2}.k2{fill:#e69f00}.k3{fill:#009e73}\n"
        ".k4{fill:#cc79a7}.k5{fill:#56b4e9}.k6{fill:url(#freed)}.h{stroke:#7b8590;stroke-width:1.2}"
        "\n"
        ".k7{fill:#d1240f;stroke:#fff;stroke-width:1}.l{fill-opacity:.26}.b{fill:#8b97a5}\n"
        "@media (prefers-color-scheme:dark){\n"
        "svg{background:#16191d;fill:#e4e7eb}.g{fill:#16191d}.m{fill:#9aa5b1}.e{fill:#262b31}\n"
        ".k0{fill:#9c9c9c}.k1{fill:#2b8fd0}.k3{fill:#14b384}.h{stroke:#8490a0}\n"
        ".k7{fill:#ff5a3d;stroke:#16191d}.l{fill-opacity:.38}.b{fill:#6f7c8a}}\n"
        "</style>\n"
        "<defs><pattern id=\"freed\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">"
        "<path class=\"h\" d=\"M-1 5L5-1M-1 1L1-1M3 5L5 3\"/></pattern></defs>\n";

static void write_size(FILE *where, uint64_t bytes)
{
        char text[HUMAN_MAX];

        fputs(human_size(bytes, text), where);
}

static void write_offset(FILE *where, uint64_t offset)
{
        if (offset)
                write_size(where, offset);
        else
                fputc('0', where);
}

static void write_head(const struct map_survey *survey, FILE *where)
{
        const struct map_grid *grid = &survey->grid;
        char age[HUMAN_MAX];

        fprintf(where, "<text class=\"t\" x=\"%d\" y=\"28\">Pool ", LEFT);
        markup_xml(where, survey->pool.name);
        fprintf(where, "</text>\n<text class=\"m\" x=\"%d\" y=\"50\">", LEFT);
        write_offset(where, grid->range.start);
        fputs(" to ", where);
        write_size(where, grid->range.end);
        fputs(" of ", where);
        write_size(where, survey->pool.capacity);
        fputs("; a cell is ", where);
        write_size(where, grid->cell_size);
        fprintf(where, "; %" PRIu64 " range%s; committed was ", survey->entries,
                survey->entries == 1 ? "" : "s");
        if (survey->usage.age_ns == UINT64_MAX)
                fputs("never counted</text>\n", where);
        else
                fprintf(where, "counted %s ago%s</text>\n", human_time(survey->usage.age_ns, age),
                        survey->usage.exact ? "" : ", in part an estimate");
}

/* How much of a row is held, in percent. */
static unsigned row_share(const struct map_grid *grid, size_t first, size_t end)
{
        uint64_t held = 0;
        uint64_t length = map_grid_range(grid, end - 1).end - map_grid_range(grid, first).start;

        for (size_t i = first; i < end; i++)
                held += map_cell_held(&grid->cells[i]);
        return (unsigned)((__uint128_t)held * 100 / length);
}

static void write_row(const struct map_survey *survey, const struct map_holders *holders,
        size_t first, size_t columns, FILE *where)
{
        const struct map_grid *grid = &survey->grid;
        size_t end = grid->count - first > columns ? first + columns : grid->count;

        fprintf(where,
                "<g transform=\"translate(%d %zu)\">\n<text class=\"m n o\" x=\"-8\" y=\"10\">",
                LEFT, TOP + first / columns * SVG_STEP);
        write_offset(where, map_grid_range(grid, first).start);
        fprintf(where, "</text><text class=\"m n o\" x=\"%zu\" y=\"10\">%u%%</text>\n",
                columns * SVG_STEP + RIGHT - 24, row_share(grid, first, end));
        for (size_t i = first; i < end; i++)
                svg_cell_write(survey, holders, i, (unsigned)(i - first) * SVG_STEP, where);
        fputs("</g>\n", where);
}

/* ---- below the cells --------------------------------------------------------------------------
 */

static void write_legend_text(const struct map_survey *survey, int content, FILE *where)
{
        const struct map_cell *total = &survey->total;

        fprintf(where, "<tspan>%s</tspan> <tspan class=\"m\">", map_content_name(content));
        if (content == MAP_FREE) {
                write_size(where, survey->gaps.bytes);
        } else if (content == MAP_FREED) {
                write_size(where, total->freed);
        } else if (content == MAP_STRAY) {
                write_size(where, survey->asked_stray ? total->stray : survey->usage.stray);
                if (!survey->asked_stray && survey->usage.stray)
                        fputs(", where is not known", where);
        } else {
                write_size(where, total->held[content]);
                if (total->held[content]) {
                        fputs(", ", where);
                        write_size(where, total->committed[content]);
                        fputs(" committed", where);
                }
        }
        fputs("</tspan>", where);
}

static void write_legend(const struct map_survey *survey, double width, double y, FILE *where)
{
        static const int contents[] = {FILEMEM_ANONYMOUS, FILEMEM_PAGE_CACHE, FILEMEM_TMPFS,
                FILEMEM_RAMDISKFS, FILEMEM_MAPPED, FILEMEM_SYSTEM, MAP_FREED, MAP_STRAY, MAP_FREE};

        for (int i = 0; i < MAP_CONTENTS; i++) {
                int row = i / 3, column = i % 3;
                double x = LEFT + width / 3 * column, line = y + LINE * row;

                svg_swatch_write(contents[i], false, x, line - 11, where);
                fprintf(where, "<text x=\"%.6g\" y=\"%.6g\">", x + 20, line);
                write_legend_text(survey, contents[i], where);
                fputs("</text>\n", where);
        }
        fprintf(where,
                "<text class=\"m\" x=\"%d\" y=\"%.6g\">A cell is filled from the left by what is "
                "held of "
                "it, and solid from below as far as that is committed.</text>\n",
                LEFT, y + 3 * LINE + 4);
}

/* A line with a bar of `share` of the width that there is for it. */
static void write_bar(
        const char *label, double share, double x, double y, double width, FILE *where)
{
        fprintf(where, "<text class=\"m n\" x=\"%.6g\" y=\"%.6g\">%s</text>", x + 76, y, label);
        fprintf(where, "<rect class=\"e\" x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"10\"/>",
                x + 86, y - 9, width);
        fprintf(where, "<rect class=\"b\" x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"10\"/>",
                x + 86, y - 9, width * share);
        fprintf(where, "<text x=\"%.6g\" y=\"%.6g\">", x + 96 + width, y);
}

static double share_of(uint64_t part, uint64_t whole)
{
        return whole ? (double)part / (double)whole : 0;
}

static void write_reach(const struct map_gaps *gaps, double width, double y, FILE *where)
{
        const struct {
                const char *label;
                uint64_t bytes;
        } lines[] = {
                {"pages", gaps->bytes},
                {"64K each", gaps->fits_64k},
                {"2M each", gaps->fits_huge},
                {"in one", gaps->largest_fit},
        };

        fprintf(where, "<text x=\"%d\" y=\"%.6g\">What of the free ", LEFT, y);
        write_size(where, gaps->bytes);
        fputs(" can be allocated as</text>\n", where);
        for (int i = 0; i < 4; i++) {
                double share = share_of(lines[i].bytes, gaps->bytes);

                write_bar(lines[i].label, share, LEFT, y + LINE * (i + 1.2), width * 0.2, where);
                write_size(where, lines[i].bytes);
                fprintf(where, ", %.0f%%</text>\n", share * 100);
        }
}

static void write_gaps(const struct map_gaps *gaps, double x, double width, double y, FILE *where)
{
        static const char *const labels[] = {
                "below 64K", "64K to 2M", "2M to 16M", "to 128M", "to 1G", "from 1G"};

        fprintf(where, "<text x=\"%.6g\" y=\"%.6g\">%" PRIu64 " gap%s", x, y, gaps->count,
                gaps->count == 1 ? "" : "s");
        if (gaps->count) {
                fputs(", the largest of ", where);
                write_size(where, gaps->largest.end - gaps->largest.start);
                fprintf(where, " at %#" PRIx64, gaps->largest.start);
        }
        fputs("</text>\n", where);
        for (int i = 0; i < MAP_GAP_CLASSES; i++) {
                double line = y + 16 * (i + 1.5);

                write_bar(labels[i], share_of(gaps->class_bytes[i], gaps->bytes), x, line,
                        width * 0.2, where);
                fprintf(where, "%" PRIu64 ", ", gaps->class_count[i]);
                write_size(where, gaps->class_bytes[i]);
                fputs("</text>\n", where);
        }
}

static void write_all(const struct map_survey *survey, const struct map_holders *holders,
        size_t columns, FILE *where)
{
        const struct map_grid *grid = &survey->grid;
        size_t rows = (grid->count - 1) / columns + 1;
        double width = (double)(columns * SVG_STEP), below = (double)(TOP + rows * SVG_STEP);

        if (width < 560)
                width = 560;
        fprintf(where,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>Memory of pool ",
                LEFT + width + RIGHT, below + BOTTOM, LEFT + width + RIGHT, below + BOTTOM);
        markup_xml(where, survey->pool.name);
        fprintf(where, "</title>\n%s<rect class=\"g\" width=\"100%%\" height=\"100%%\"/>\n", style);
        write_head(survey, where);
        for (size_t i = 0; i < grid->count; i += columns)
                write_row(survey, holders, i, columns, where);
        write_legend(survey, width, below + LEGEND_Y, where);
        write_reach(&survey->gaps, width, below + GAPS_Y, where);
        write_gaps(&survey->gaps, LEFT + width / 2, width, below + GAPS_Y, where);
        fputs("</svg>\n", where);
}

int map_svg_write(const struct map_survey *survey, const struct map_holders *holders,
        size_t columns, FILE *where)
{
        /* SVG has decimal points, whatever the user's language has. */
        locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before;

        if (plain == (locale_t)0)
                return -ENOMEM;
        before = uselocale(plain);
        write_all(survey, holders, columns, where);
        uselocale(before);
        freelocale(plain);
        return 0;
}
