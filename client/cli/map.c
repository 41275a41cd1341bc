// SPDX-License-Identifier: Apache-2.0
#include "map.h"

#include "command.h"
#include "complain.h"
#include "map/svg.h"
#include "map_options.h"
#include "map_text.h"
#include "terminal.h"

#include <errno.h>
#include <string.h>

#define ROWS_DEFAULT 16
#define ROWS_SVG     32

/* Where no terminal says how wide: a row of a round number of bytes. */
#define COLUMNS_PLAIN 64
#define COLUMNS_STEP  16

int map_survey_asked(filemem_session *session, const struct options *options, size_t cells,
        bool count, struct map_survey *ret)
{
        struct map_request request = {
                .pool = options->pool ? options->pool : DEFAULT_POOL,
                .known = !count || option_is_given(options, OPTION_KNOWN),
                .zoom = option_is_given(options, OPTION_RANGE),
                .cells = cells,
        };
        const struct filemem_options inside = {.size = sizeof(inside),
                .pool = request.pool,
                .label = "filememctl map",
                .read_only = true};
        int r;

        if (request.zoom)
                map_range_parse(options->value[OPTION_RANGE], &request.range);
        /* Not everybody who may ask about a pool may join it, and nobody a private one. */
        if (!count || filemem_open(options->value[OPTION_SOCKET], &inside, &request.inside) < 0)
                request.inside = NULL;
        r = map_survey_make(session, &request, ret);
        filemem_close(request.inside);
        if (r != -ERANGE)
                return r;
        return (int)complain("--range %s has nothing of the pool: 'filememctl pools' says how far "
                             "that goes",
                options->value[OPTION_RANGE]);
}

static size_t choose_columns(void)
{
        size_t columns = terminal_columns();

        if (columns < MAP_TEXT_MARGIN + COLUMNS_STEP)
                return COLUMNS_STEP / 2;
        return (columns - MAP_TEXT_MARGIN) / COLUMNS_STEP * COLUMNS_STEP;
}

static int write_svg(
        const struct map_survey *survey, const struct map_holders *holders, const char *path)
{
        bool to_stdout = strcmp(path, "-") == 0;
        FILE *file = to_stdout ? stdout : fopen(path, "we");
        int r;

        if (!file)
                return -errno;
        r = map_svg_write(survey, holders, COLUMNS_PLAIN, file);
        if (to_stdout)
                return r;
        if (r == 0 && fflush(file) != 0)
                r = -errno;
        if (fclose(file) != 0 && r == 0)
                r = -errno;
        return r;
}

static int print_svg(filemem_session *session, const struct map_survey *survey, const char *path)
{
        struct map_holders holders;
        int r = map_holders_make(session, survey, &holders);
        bool known = r == 0;

        /* A daemon that is older than that question has the picture all the same. */
        if (r < 0 && r != -ENOSYS)
                return r;
        r = write_svg(survey, known ? &holders : NULL, path);
        if (known)
                map_holders_free(&holders);
        if (r == 0)
                return 0;
        fprintf(stderr, "filememctl: map: cannot write %s: %s: say another file\n", path,
                strerror(-r));
        return EXIT_CODE_REFUSED;
}

static void print_text(
        const struct map_survey *survey, const struct options *options, size_t columns)
{
        const struct map_look look = {
                .columns = columns,
                .colour = options->color,
                .unicode = terminal_is_unicode(),
                .bytes = options->bytes,
                .bare = options->no_header,
        };

        map_text_write(survey, &look, stdout);
}

/* Whether it is to be a table. */
static bool is_table(const struct options *options)
{
        return !options_for_people(options) || option_is_given(options, OPTION_COLUMNS) ||
               option_is_given(options, OPTION_SORT);
}

int map_run(filemem_session *session, const struct options *options)
{
        const char *svg = options->value[OPTION_SVG];
        bool plain = svg || is_table(options);
        size_t columns = plain ? COLUMNS_PLAIN : choose_columns();
        size_t rows = svg ? ROWS_SVG : ROWS_DEFAULT;
        struct map_survey survey;
        int r;

        if (option_is_given(options, OPTION_ROWS))
                map_rows_parse(options->value[OPTION_ROWS], &rows);
        r = map_survey_asked(session, options, rows * columns, true, &survey);
        if (r != 0)
                return r;
        if (svg)
                r = print_svg(session, &survey, svg);
        else if (plain)
                r = map_table_print(&survey, options);
        else
                print_text(&survey, options, columns);
        map_survey_free(&survey);
        return r;
}
