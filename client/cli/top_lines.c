// SPDX-License-Identifier: Apache-2.0
#include "top_lines.h"

#include "human.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define SHOWN_POOLS 16 /* at most; a screen has no room for more */

void top_fit(char *line, size_t columns)
{
        mbstate_t state = {0};
        size_t used = 0;

        while (*line) {
                wchar_t letter;
                size_t bytes = mbrtowc(&letter, line, MB_LEN_MAX, &state);
                int width;

                if (bytes == (size_t)-1 || bytes == (size_t)-2) {
                        *line = '?'; /* not of this locale: one column */
                        bytes = 1;
                        width = 1;
                        state = (mbstate_t){0};
                } else {
                        width = wcwidth(letter);
                }
                if (width < 0 || used + (size_t)width > columns)
                        break;
                used += (size_t)width;
                line += bytes;
        }
        *line = 0;
}

/* A number of bytes that is known from a scan, if there was one. */
static const char *scanned_text(bool scanned, uint64_t bytes, char *text)
{
        return scanned ? human_size(bytes, text) : "-";
}

/* ---- the summary ----------------------------------------------------------------------------- */

static void write_daemon(
        const struct top_sample *sample, const struct top_view *view, top_line line)
{
        const struct filemem_statistics_totals *totals = &sample->totals;
        char up[HUMAN_MAX], seen[48] = "";

        if (!totals->all)
                snprintf(seen, sizeof(seen), " (%zu seen)", sample->sessions_count);
        snprintf(line, TOP_LINE_MAX,
                "filememd %s, pid %" PRIu64 ", up %s; %" PRIu64 " session%s%s, %" PRIu64
                " ops/s, %" PRIu64 " refused/s",
                totals->version, totals->pid, human_time(totals->now - totals->started_at, up),
                totals->sessions, totals->sessions == 1 ? "" : "s", seen, view->operations,
                view->refusals);
}

static uint64_t sum(const uint64_t *kinds)
{
        uint64_t all = 0;

        for (int kind = 0; kind < FILEMEM_STATISTICS_KINDS; kind++)
                all += kinds[kind];
        return all;
}

static void write_memory(const struct filemem_statistics_totals *totals, top_line line)
{
        char held[HUMAN_MAX], committed[HUMAN_MAX], stored[HUMAN_MAX], swapped[HUMAN_MAX],
                freed[HUMAN_MAX], stray[HUMAN_MAX];

        snprintf(line, TOP_LINE_MAX,
                "%s held, %s committed; %s stored, %s swapped, %s freed, %s stray",
                human_size(sum(totals->allocated), held),
                scanned_text(totals->scans > 0, sum(totals->committed), committed),
                human_size(totals->stored, stored),
                scanned_text(totals->scans > 0, totals->swapped, swapped),
                human_size(totals->reclaimable, freed),
                scanned_text(totals->scans > 0, totals->stray, stray));
}

/* Three in a line. */
static void write_kinds(const struct filemem_statistics_totals *totals, int first, top_line line)
{
        char held[HUMAN_MAX], committed[HUMAN_MAX];
        size_t used = 0;

        for (int kind = first; kind < first + 3; kind++)
                used += (size_t)snprintf(line + used, TOP_LINE_MAX - used, "%s%-10s %6s %6s",
                        kind > first ? "   " : "", filemem_kind_name((enum filemem_kind)kind),
                        human_size(totals->allocated[kind], held),
                        scanned_text(totals->scans > 0, totals->committed[kind], committed));
}

static void write_pool(const struct filemem_statistics_pool *pool, top_line line)
{
        char held[HUMAN_MAX], committed[HUMAN_MAX], stored[HUMAN_MAX], freed[HUMAN_MAX],
                stray[HUMAN_MAX], gap[HUMAN_MAX], capacity[HUMAN_MAX];

        snprintf(line, TOP_LINE_MAX, "%-16.16s %6s %6s %6s %6s %6s %7s %8s %8" PRIu64, pool->name,
                human_size(sum(pool->allocated), held),
                scanned_text(pool->scanned_at > 0, sum(pool->committed), committed),
                human_size(pool->stored, stored), human_size(pool->reclaimable, freed),
                scanned_text(pool->scanned_at > 0, pool->stray, stray),
                human_size(pool->largest_gap, gap), human_size(pool->capacity, capacity),
                pool->sessions);
}

/* Those of which most is held first; as many as wanted. Returns how many there are. */
static size_t choose_pools(const struct top_sample *sample, size_t wanted,
        const struct filemem_statistics_pool **chosen)
{
        size_t count = 0;

        if (wanted > SHOWN_POOLS)
                wanted = SHOWN_POOLS;
        for (size_t i = 0; i < sample->pools_count && wanted; i++) {
                const struct filemem_statistics_pool *pool = &sample->pools[i];
                size_t place = count < wanted ? count++ : count;

                for (; place > 0 && sum(chosen[place - 1]->allocated) < sum(pool->allocated);
                        place--)
                        if (place < wanted)
                                chosen[place] = chosen[place - 1];
                if (place < wanted)
                        chosen[place] = pool;
        }
        return count;
}

size_t top_write_head(
        const struct top_sample *sample, const struct top_view *view, size_t pools, top_line *lines)
{
        static const char kinds[] = "KIND         HELD COMMIT";
        const struct filemem_statistics_pool *chosen[SHOWN_POOLS];
        char title[64] = "POOL";
        size_t count = 0, shown = choose_pools(sample, pools, chosen);

        write_daemon(sample, view, lines[count++]);
        write_memory(&sample->totals, lines[count++]);
        snprintf(lines[count++], TOP_LINE_MAX, "%s   %s   %s", kinds, kinds, kinds);
        write_kinds(&sample->totals, 0, lines[count++]);
        write_kinds(&sample->totals, 3, lines[count++]);
        if (sample->pools_count > shown)
                snprintf(title, sizeof(title), "POOL (%zu of %zu)", shown, sample->pools_count);
        snprintf(lines[count++], TOP_LINE_MAX, "%-16.16s %6s %6s %6s %6s %6s %7s %8s %8s", title,
                "HELD", "COMMIT", "STORED", "FREED", "STRAY", "MAX-GAP", "CAPACITY", "SESSIONS");
        for (size_t i = 0; i < shown; i++)
                write_pool(chosen[i], lines[count++]);
        lines[count++][0] = 0;
        return count;
}

/* ---- sessions -------------------------------------------------------------------------------- */

void top_write_header(top_line line)
{
        snprintf(line, TOP_LINE_MAX, "%6s %7s %-8s %-8s %6s %7s %7s %7s %5s %s", "ID", "PID",
                "USER", "POOL", "HELD", "GROWTH", "ALLOC/s", "FREE/s", "OPS/s", "LABEL");
}

/* Numbers of up to five digits as they are. */
static const char *count_text(uint64_t count, char *text)
{
        if (count < 100000)
                snprintf(text, HUMAN_MAX, "%" PRIu64, count);
        else if (count < 10000000)
                snprintf(text, HUMAN_MAX, "%" PRIu64 "k", count / 1000);
        else
                snprintf(text, HUMAN_MAX, "%" PRIu64 "M", count / 1000000);
        return text;
}

static const char *growth_text(int64_t growth, char *text)
{
        text[0] = growth < 0 ? '-' : '+';
        if (!growth)
                return strcpy(text, "0");
        human_size((uint64_t)(growth < 0 ? -growth : growth), text + 1);
        return text;
}

void top_write_row(const struct top_row *row, top_line line)
{
        const struct filemem_statistics_session *session = row->session;
        char pid[24] = "-", held[HUMAN_MAX], growth[HUMAN_MAX + 1], allocating[HUMAN_MAX],
             releasing[HUMAN_MAX], operations[HUMAN_MAX];

        if (session->pid)
                snprintf(pid, sizeof(pid), "%" PRIu64, session->pid);
        snprintf(line, TOP_LINE_MAX, "%6" PRIu64 " %7s %-8.8s %-8.8s %6s %7s %7s %7s %5s %s",
                session->id, pid, top_user_name(session->uid),
                session->pool_name[0] ? session->pool_name : "-", human_size(session->held, held),
                growth_text(row->growth, growth), human_size(row->allocating, allocating),
                human_size(row->releasing, releasing), count_text(row->operations, operations),
                top_session_name(session));
}
