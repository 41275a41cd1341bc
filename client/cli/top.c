// SPDX-License-Identifier: Apache-2.0
#include "top.h"

#include "clock.h"
#include "command.h"
#include "complain.h"
#include "parse.h"
#include "terminal.h"
#include "top_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELAY_DEFAULT UINT64_C(1000000000)
#define BATCH_POOLS   16
#define BATCH_COLUMNS (TOP_LINE_MAX - 1)

/* How often a file waits for a daemon that has gone, before it gives up. */
#define BATCH_TRIES 20

/* ---- samples --------------------------------------------------------------------------------- */

const struct top_sample *top_sample_shown(const struct top *top)
{
        return &top->samples[top->current];
}

bool top_has_sample(const struct top *top)
{
        return top_sample_shown(top)->totals.now != 0;
}

int top_again(struct top *top)
{
        return top_view_update(&top->view, top_sample_shown(top), &top->samples[1 - top->current]);
}

/* What no daemon that comes back makes better. */
static bool is_final(int error)
{
        return error == -ENOMEM || error == -ENOSYS || error == -EPERM || error == -EPROTO;
}

int top_refresh(struct top *top)
{
        struct top_sample *before = &top->samples[1 - top->current], old;
        int r = top_source_read(&top->source, &top->spare, top->trouble, sizeof(top->trouble));

        if (r < 0)
                return is_final(r) ? r : 0;
        top->trouble[0] = 0;
        if (top->spare.totals.now == top_sample_shown(top)->totals.now &&
                top_same_daemon(top_sample_shown(top), &top->spare))
                return 0; /* nothing was written since */
        old = *before;
        *before = top->spare;
        top->spare = old;
        top->current = 1 - top->current;
        return top_again(top);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void print(struct top *top, size_t columns)
{
        static top_line lines[TOP_HEAD_LINES(BATCH_POOLS)];
        size_t count = top_write_head(top_sample_shown(top), &top->view, BATCH_POOLS, lines);

        for (size_t i = 0; i < count; i++) {
                top_fit(lines[i], columns);
                puts(lines[i]);
        }
        top_write_header(lines[0]);
        top_fit(lines[0], columns);
        puts(lines[0]);
        for (size_t i = 0; i < top->view.count; i++) {
                top_write_row(&top->view.rows[i], lines[0]);
                top_fit(lines[0], columns);
                puts(lines[0]);
        }
}

static int run_batch(struct top *top, uint64_t count)
{
        size_t columns = getenv("COLUMNS") ? terminal_columns() : BATCH_COLUMNS;
        unsigned tries = 0;

        for (uint64_t i = 0; i < count;) {
                int r = top_refresh(top);

                if (r < 0)
                        return r;
                if (top->trouble[0] && (!top_has_sample(top) || ++tries == BATCH_TRIES))
                        return -ECONNRESET;
                if (!top->trouble[0]) {
                        tries = 0;
                        if (i++)
                                putchar('\n');
                        print(top, columns);
                        if (fflush(stdout) != 0)
                                return 0; /* which the caller sees, and says */
                }
                if (i < count)
                        clock_wait(top->delay);
        }
        return 0;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum top_order find_order(const char *name)
{
        enum top_order order = TOP_GROWTH;

        while (name && order < TOP_ORDERS - 1 && strcmp(top_orders[order], name) != 0)
                order++;
        return order;
}

static int run(struct top *top, const struct options *options)
{
        uint64_t count = UINT64_MAX;

        if (!option_is_given(options, OPTION_BATCH) &&
                (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
                return (int)complain("top needs a terminal: say --batch where there is none");
        if (option_is_given(options, OPTION_LIMIT))
                parse_count(options->value[OPTION_LIMIT], &count);
        if (option_is_given(options, OPTION_BATCH))
                return run_batch(top, count);
        return top_screen_run(top, count);
}

int top_run(filemem_session *session, const struct options *options)
{
        struct top top = {
                .source = {.socket = options->value[OPTION_SOCKET], .given = session},
                .view = {.order = find_order(options->value[OPTION_ORDER])},
                .delay = DELAY_DEFAULT,
                .color = options->color,
        };
        int r;

        if (option_is_given(options, OPTION_DELAY))
                parse_time(options->value[OPTION_DELAY], &top.delay);
        r = run(&top, options);
        top_source_deinit(&top.source);
        top_view_deinit(&top.view);
        top_sample_deinit(&top.samples[0]);
        top_sample_deinit(&top.samples[1]);
        top_sample_deinit(&top.spare);
        if (r >= 0)
                return r;
        fprintf(stderr, "filememctl: top: %s\n", top.trouble[0] ? top.trouble : strerror(-r));
        return r == -ECONNRESET ? EXIT_CODE_UNREACHABLE : EXIT_CODE_REFUSED;
}
