// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "map.h"
#include "table.h"

static const struct column list[] = {
        {"pool", "pool", COLUMN_TEXT, .help = "the pool"},
        {"start", "start", COLUMN_OFFSET, .help = "what was looked at starts here"},
        {"end", "end", COLUMN_OFFSET, .help = "and ends here, within the size of the pool"},
        {"free", "free", COLUMN_BYTES, .help = "bytes that can be allocated page by page"},
        {"gaps", "gaps", COLUMN_NUMBER, .help = "into how many pieces that is cut"},
        {"largest", "largest gap", COLUMN_BYTES, .help = "how long the longest piece is"},
        {"largest_start", "which starts at", COLUMN_OFFSET, .help = "where the longest one starts",
                .maybe = true},
        {"fits_64k", "free as ranges of 64K", COLUMN_BYTES,
                .help = "bytes that can be allocated as ranges of 64 KiB"},
        {"fits_2m", "free as ranges of 2M", COLUMN_BYTES,
                .help = "bytes that can be allocated as ranges of 2 MiB"},
        {"fits_one", "largest range", COLUMN_BYTES, .help = "the largest single allocation"},
#define CLASS(key, header, text)                                                                   \
        {key, header, COLUMN_NUMBER, .help = "gaps " text},                                        \
        {                                                                                          \
                key "_bytes", header ", in bytes", COLUMN_BYTES, .help = "bytes in gaps " text     \
        }
        CLASS("below_64k", "gaps below 64K", "below 64 KiB"),
        CLASS("below_2m", "gaps from there to 2M", "from 64 KiB, below 2 MiB"),
        CLASS("below_16m", "gaps from there to 16M", "from 2 MiB, below 16 MiB"),
        CLASS("below_128m", "gaps from there to 128M", "from 16 MiB, below 128 MiB"),
        CLASS("below_1g", "gaps from there to 1G", "from 128 MiB, below 1 GiB"),
        CLASS("large", "gaps from 1G", "from 1 GiB"),
};

const struct columns gaps_columns = RECORD_OF(list);

#define COLUMNS (sizeof(list) / sizeof(list[0]))

static int print(const struct map_survey *survey, const struct options *options)
{
        const struct map_gaps *gaps = &survey->gaps;
        struct filemem_range range = survey->grid.range;
        struct cell cells[COLUMNS] = {
                CELL_TEXT(survey->pool.name),
                CELL_NUMBER(range.start),
                CELL_NUMBER(range.end < survey->pool.size ? range.end : survey->pool.size),
                CELL_NUMBER(gaps->bytes),
                CELL_NUMBER(gaps->count),
                CELL_NUMBER(gaps->largest.end - gaps->largest.start),
                gaps->count ? CELL_NUMBER(gaps->largest.start) : CELL_NONE,
                CELL_NUMBER(gaps->fits_64k),
                CELL_NUMBER(gaps->fits_huge),
                CELL_NUMBER(gaps->largest_fit),
        };

        for (size_t i = 0; i < MAP_GAP_CLASSES; i++) {
                cells[COLUMNS - 2 * (MAP_GAP_CLASSES - i)] = CELL_NUMBER(gaps->class_count[i]);
                cells[COLUMNS - 2 * (MAP_GAP_CLASSES - i) + 1] = CELL_NUMBER(gaps->class_bytes[i]);
        }
        return table_print_record("gaps", &gaps_columns, cells, options);
}

int gaps_run(filemem_session *session, const struct options *options)
{
        struct map_survey survey;
        int r = map_survey_asked(session, options, 1, false, &survey);

        if (r != 0)
                return r;
        r = print(&survey, options);
        map_survey_free(&survey);
        return r;
}
