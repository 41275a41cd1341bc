// SPDX-License-Identifier: Apache-2.0
#include "map_glyph.h"

/*
 * Colours of the 256 that lie near those of Okabe and Ito, which people with any colour vision tell
 * apart, and that can be read on light and on dark ground.
 */
static const unsigned char colours[MAP_CONTENTS] = {
        [FILEMEM_SYSTEM] = 244,
        [FILEMEM_ANONYMOUS] = 32,
        [FILEMEM_PAGE_CACHE] = 214,
        [FILEMEM_TMPFS] = 36,
        [FILEMEM_RAMDISKFS] = 175,
        [FILEMEM_MAPPED] = 75,
        [MAP_FREED] = 244,
        [MAP_STRAY] = 160,
        [MAP_FREE] = 244,
};

static const char letters[MAP_CONTENTS] = {
        [FILEMEM_SYSTEM] = 'S',
        [FILEMEM_ANONYMOUS] = 'A',
        [FILEMEM_PAGE_CACHE] = 'P',
        [FILEMEM_TMPFS] = 'T',
        [FILEMEM_RAMDISKFS] = 'R',
        [FILEMEM_MAPPED] = 'M',
        [MAP_FREED] = 'x',
        [MAP_STRAY] = '!',
        [MAP_FREE] = '.',
};

/* How much of what is held is committed: nothing or little, up to half, more, all but little. */
static unsigned shade_of(uint64_t committed, uint64_t held)
{
        if (committed * 10 >= held * 9)
                return 3;
        if (committed * 2 >= held)
                return 2;
        return committed * 10 >= held ? 1 : 0;
}

static const char *block(unsigned shade, bool sparse)
{
        static const char *const blocks[] = {"░", "▒", "▓", "█"};

        if (sparse)
                return shade < 2 ? "▂" : "▄";
        return blocks[shade];
}

static void set_colour(struct map_pen *pen, int content)
{
        unsigned colour = content == MAP_FREE ? 0 : colours[content];

        if (!pen->look->colour || colour == pen->colour)
                return;
        if (!colour)
                fputs("\033[m", pen->where);
        else
                fprintf(pen->where, "\033[38;5;%um", colour);
        pen->colour = colour;
}

static void write_glyph(struct map_pen *pen, int content, unsigned shade, bool sparse)
{
        const struct map_look *look = pen->look;

        set_colour(pen, content);
        if (look->colour && look->unicode && content < FILEMEM_KINDS)
                fputs(block(shade, sparse), pen->where);
        else if (look->unicode && content == MAP_FREE)
                fputs("·", pen->where);
        else if (look->unicode && content == MAP_FREED)
                fputs("×", pen->where);
        else if (content < FILEMEM_KINDS && shade < 2)
                fputc(letters[content] - 'A' + 'a', pen->where);
        else
                fputc(letters[content], pen->where);
}

void map_pen_cell(struct map_pen *pen, const struct map_cell *cell, uint64_t length)
{
        uint64_t held = map_cell_held(cell);

        write_glyph(pen, map_cell_content(cell),
                held ? shade_of(map_cell_committed(cell), held) : 0, held * 2 < length);
}

void map_pen_sample(struct map_pen *pen, int content, bool committed)
{
        write_glyph(pen, content, committed ? 3 : 0, false);
}

void map_pen_lift(struct map_pen *pen)
{
        set_colour(pen, MAP_FREE);
}

const char *map_glyph_explain(const struct map_look *look)
{
        if (look->colour && look->unicode)
                return "░▒▓█ from 0, 10%, 50%, 90% of it committed; ▂▄ less than half of the cell "
                       "held";
        return "Capital letters: half of it or more is committed.";
}
