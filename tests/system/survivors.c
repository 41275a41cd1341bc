// SPDX-License-Identifier: Apache-2.0
#include "system/survivors.h"

#include "base/clock.h"
#include "system/survivors_board.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_PAGES 65536u

/* Calls of each client before and after each death. */
#define CALLS_BEFORE 15
#define CALLS_AFTER  10

#define PATIENCE_NS (60 * NSEC_PER_SEC)

static struct board *board;

static pid_t pids[CLIENTS_MAX];
static char sentence[300];

static void start_clients(const struct survivors_options *options)
{
        for (unsigned i = 0; i < options->clients; i++) {
                pids[i] = fork();
                if (pids[i] != 0)
                        continue;
                survivors_live(board, i, options->clients, options->seed, options->socket);
        }
}

static void end_clients(const struct survivors_options *options)
{
        for (unsigned i = 0; i < options->clients; i++)
                if (pids[i] > 0)
                        kill(pids[i], SIGKILL);
        for (unsigned i = 0; i < options->clients; i++)
                if (pids[i] > 0)
                        waitpid(pids[i], NULL, 0);
}

/* NULL, or what went wrong at a client. */
static const char *find_error(const struct survivors_options *options)
{
        for (unsigned i = 0; i < options->clients; i++) {
                int status;

                if (waitpid(pids[i], &status, WNOHANG) != pids[i])
                        continue;
                pids[i] = -1;
                snprintf(sentence, sizeof(sentence), "%s",
                        board->clients[i].error[0] ? board->clients[i].error : "a client died");
                return sentence;
        }
        return NULL;
}

static bool all_have_called(
        const struct survivors_options *options, const uint64_t *from, uint64_t more)
{
        for (unsigned i = 0; i < options->clients; i++)
                if (atomic_load(&board->clients[i].calls) < from[i] + more)
                        return false;
        return true;
}

static const char *await_calls(const struct survivors_options *options, uint64_t more)
{
        uint64_t from[CLIENTS_MAX] = {0}, until = clock_now() + PATIENCE_NS;

        for (unsigned i = 0; i < options->clients; i++)
                from[i] = atomic_load(&board->clients[i].calls);
        while (!all_have_called(options, from, more)) {
                const char *error = find_error(options);

                if (error)
                        return error;
                if (clock_now() > until)
                        return "clients hang";
                usleep(1000);
        }
        return NULL;
}

static bool all_rest(const struct survivors_options *options, unsigned round)
{
        for (unsigned i = 0; i < options->clients; i++)
                if (atomic_load(&board->clients[i].round) < round)
                        return false;
        return true;
}

static const char *await_rest(const struct survivors_options *options, unsigned round)
{
        uint64_t until = clock_now() + PATIENCE_NS;

        atomic_store(&board->round, round);
        atomic_store(&board->resting, true);
        while (!all_rest(options, round)) {
                const char *error = find_error(options);

                if (error)
                        return error;
                if (clock_now() > until)
                        return "clients do not come to rest";
                usleep(1000);
        }
        return NULL;
}

/* ---- the sums ---------------------------------------------------------------------------------
 */

static uint32_t held[POOL_PAGES];

static void sum_clients(const struct survivors_options *options)
{
        memset(held, 0, sizeof(held));
        for (unsigned i = 0; i < options->clients; i++)
                for (unsigned k = 0; k < OWNED_MAX; k++) {
                        const struct owned *owned = &board->clients[i].owned[k];

                        for (uint64_t page = owned->range.start / PAGE;
                                owned->refs && page < owned->range.end / PAGE; page++)
                                held[page] += owned->refs;
                }
}

/* What the daemon has of one entry. */
static const char *compare_entry(const struct filemem_entry *entry)
{
        for (uint64_t page = entry->range.start / PAGE; page < entry->range.end / PAGE; page++) {
                if (page >= POOL_PAGES || held[page] != entry->refs) {
                        snprintf(sentence, sizeof(sentence),
                                "page %" PRIu64 " has %u references, and should have %u", page,
                                entry->refs, page < POOL_PAGES ? held[page] : 0);
                        return sentence;
                }
                held[page] = 0;
        }
        return NULL;
}

static const char *compare(filemem_session *watcher)
{
        struct filemem_entry entries[256];
        const char *error = NULL;
        uint64_t from = 0;
        int count;

        while ((count = filemem_dump(watcher, from, entries, 256)) > 0) {
                for (int i = 0; i < count && !error; i++)
                        error = compare_entry(&entries[i]);
                if (error)
                        return error;
                from = entries[count - 1].range.end;
        }
        if (count < 0)
                return "the one that watches cannot ask";
        for (unsigned page = 0; page < POOL_PAGES; page++)
                if (held[page]) {
                        snprintf(sentence, sizeof(sentence), "page %u was lost", page);
                        return sentence;
                }
        return NULL;
}

/* ---- rounds -----------------------------------------------------------------------------------
 */

static const char *run_round(
        const struct survivors_options *options, unsigned round, filemem_session *watcher)
{
        const char *error = await_calls(options, CALLS_BEFORE);

        if (error)
                return error;
        options->kill(options->context);
        error = await_calls(options, CALLS_AFTER);
        if (!error)
                error = await_rest(options, round);
        if (error)
                return error;
        sum_clients(options);
        return compare(watcher);
}

static void note_pauses(const struct survivors_options *options, struct survivors_report *report)
{
        for (unsigned i = 0; i < options->clients; i++)
                report->pauses[report->count++] = atomic_exchange(&board->clients[i].longest, 0);
}

static int compare_pauses(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static const char *run_rounds(
        const struct survivors_options *options, struct survivors_report *report)
{
        filemem_session *watcher;
        const char *error = NULL;

        if (filemem_open(options->socket, NULL, &watcher) != 0)
                return "the one that watches cannot open a session";
        for (unsigned round = 1; round <= options->rounds && !error; round++) {
                error = run_round(options, round, watcher);
                note_pauses(options, report);
                if (!error)
                        atomic_store(&board->resting, false);
        }
        filemem_close(watcher);
        return error;
}

const char *survivors_run(
        const struct survivors_options *options, struct survivors_report *ret_report)
{
        struct survivors_report report = {0};
        const char *error;

        board = mmap(
                NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        report.pauses = calloc((size_t)options->rounds * options->clients + 1, sizeof(uint64_t));
        if (board == MAP_FAILED || !report.pauses || options->clients > CLIENTS_MAX) {
                free(report.pauses);
                return "no memory";
        }
        start_clients(options);
        error = run_rounds(options, &report);
        atomic_store(&board->over, true);
        end_clients(options);
        for (unsigned i = 0; i < options->clients; i++)
                report.operations += atomic_load(&board->clients[i].calls);
        munmap(board, sizeof(*board));
        qsort(report.pauses, report.count, sizeof(uint64_t), compare_pauses);
        *ret_report = report;
        return error;
}

static double percentile(const struct survivors_report *report, double part)
{
        size_t at = (size_t)(part * (double)(report->count - 1));

        return (double)report->pauses[at] / 1e6;
}

void survivors_print(const struct survivors_report *report)
{
        if (report->count)
                printf("%llu calls; pauses in ms, of %zu: median %.0f, p90 %.0f, p99 %.0f, "
                       "longest %.0f\n",
                        (unsigned long long)report->operations, report->count,
                        percentile(report, 0.5), percentile(report, 0.9), percentile(report, 0.99),
                        percentile(report, 1));
}

void survivors_free(struct survivors_report *report)
{
        free(report->pauses);
        report->pauses = NULL;
}
