// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include "clock.h"
#include "command.h"
#include "complain.h"
#include "parse.h"

#include <string.h>
#include <unistd.h>

static enum usage_by get_by(const struct options *options)
{
        const char *name = options->value[OPTION_BY];
        int by = USAGE_BY_KIND;

        while (name && strcmp(usage_by_names[by], name) != 0)
                by++;
        return (enum usage_by)by;
}

static int ask(filemem_session *session, const struct options *options, struct usage *ret)
{
        return usage_ask(session, get_by(options), options->pool,
                option_is_given(options, OPTION_KNOWN), ret);
}

#define WAIT_DEFAULT UINT64_C(1000000000)

/* The value of --watch or --delta, if it was said. */
static uint64_t get_time(const struct options *options, enum option_id id)
{
        uint64_t time = WAIT_DEFAULT;

        if (options->value[id])
                parse_time(options->value[id], &time);
        return time;
}

/* Each time on a screen of its own where there is one. */
static void begin_screen(const struct options *options)
{
        if (options_for_people(options) && isatty(STDOUT_FILENO))
                fputs("\033[H\033[2J", stdout);
        else if (options_for_people(options))
                putchar('\n');
}

/* Until somebody ends it, or nobody reads what it writes. *since: NULL for no differences. */
static int watch(filemem_session *session, const struct options *options, struct usage *since)
{
        bool delta = option_is_given(options, OPTION_DELTA);
        uint64_t time = get_time(options, OPTION_WATCH);
        struct usage usage;
        int r = 0;

        for (unsigned round = 0; r == 0; round++) {
                r = ask(session, options, &usage);
                if (r < 0)
                        break;
                if (round || (isatty(STDOUT_FILENO) && options_for_people(options)))
                        begin_screen(options);
                r = usage_print(&usage, since, options);
                if (delta) {
                        usage_free(since);
                        *since = usage;
                } else {
                        usage_free(&usage);
                }
                if (fflush(stdout) != 0)
                        break; /* which is told at the end */
                clock_wait(time);
        }
        return r;
}

static int once(filemem_session *session, const struct options *options, const struct usage *since)
{
        struct usage usage;
        int r = ask(session, options, &usage);

        if (r < 0)
                return r;
        r = usage_print(&usage, since, options);
        usage_free(&usage);
        return r;
}

/* What to compare with. Returns 0, a negative errno, or an exit code. */
static int get_since(filemem_session *session, const struct options *options, struct usage *ret)
{
        const char *path = options->value[OPTION_SINCE], *pool = options->pool, *sentence;
        enum usage_by by = get_by(options);
        int r;

        if (path) {
                if (!pool && by == USAGE_BY_KIND)
                        pool = DEFAULT_POOL;
                sentence = usage_read(path, by, pool, ret);
                return sentence ? (int)complain("--since: %s %s", path, sentence) : 0;
        }
        r = ask(session, options, ret);
        if (r == 0)
                clock_wait(get_time(options,
                        option_is_given(options, OPTION_WATCH) ? OPTION_WATCH : OPTION_DELTA));
        return r;
}

int usage_run(filemem_session *session, const struct options *options)
{
        bool differs =
                option_is_given(options, OPTION_SINCE) || option_is_given(options, OPTION_DELTA);
        struct usage since = {0};
        int r = differs ? get_since(session, options, &since) : 0;

        if (r)
                return r;
        if (option_is_given(options, OPTION_WATCH))
                r = watch(session, options, differs ? &since : NULL);
        else
                r = once(session, options, differs ? &since : NULL);
        usage_free(&since);
        return r;
}
