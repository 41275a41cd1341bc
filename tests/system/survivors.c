// SPDX-License-Identifier: Apache-2.0
#include "system/survivors.h"

#include <filemem/filemem.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define OWNED_MAX   24
#define PAGES_MAX   12
#define PAGE        UINT64_C(4096)
#define POOL_PAGES  65536u

/* Calls of each client before and after each death. */
#define CALLS_BEFORE 15
#define CALLS_AFTER  10

#define PATIENCE_NS UINT64_C(60000000000)

/* ---- what all processes see -------------------------------------------------------------------
 */

enum offer_state { OFFER_NONE, OFFER_MADE, OFFER_BEING_TAKEN, OFFER_TAKEN };

struct owned {
        struct filemem_range range;
        uint64_t tag; /* of the pattern; 0: it is decommitted, and zero */
        uint32_t refs;
};

struct client {
        /* what others look at when it is at rest */
        struct owned owned[OWNED_MAX];
        _Atomic uint64_t calls;
        _Atomic uint64_t longest; /* ns, of the calls in this round */
        _Atomic unsigned round;   /* it is at rest behind this one */
        char error[200];

        /* what it offers to others, who check the pattern */
        _Atomic int offer;
        struct owned offered;
};

struct board {
        _Atomic unsigned round; /* to be at work in; at rest when it is behind */
        _Atomic bool resting;
        _Atomic bool over;
        struct client clients[CLIENTS_MAX];
};

static struct board *board;

static uint64_t now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* ---- one client -------------------------------------------------------------------------------
 */

static struct client *own;
static unsigned own_number, client_count;
static filemem_session *session;
static uint64_t state, next_tag;

static uint32_t draw(uint32_t below)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (uint32_t)(state % below);
}

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was, just now */
        vsnprintf(own->error, sizeof(own->error), format, arguments);
        va_end(arguments);
        _exit(1);
}

/* A call that has to work; how long it took. */
#define CALL(what, range, call)                                                                    \
        do {                                                                                       \
                uint64_t begun_ = now();                                                           \
                int r_ = (call);                                                                   \
                uint64_t took_ = now() - begun_;                                                   \
                if (r_ != 0)                                                                       \
                        fail("client %u: %s [%#" PRIx64 ", %#" PRIx64 "): %s (%s)", own_number,    \
                                what, (range).start, (range).end, strerror(-r_),                   \
                                filemem_last_error(session));                                      \
                if (took_ > atomic_load(&own->longest))                                            \
                        atomic_store(&own->longest, took_);                                        \
                atomic_fetch_add(&own->calls, 1);                                                  \
        } while (0)

static uint64_t *map(struct filemem_range range)
{
        void *address;
        int r = filemem_map(session, range, PROT_READ | PROT_WRITE, &address);

        if (r != 0)
                fail("client %u: map: %s", own_number, strerror(-r));
        return address;
}

/* Each page begins and ends with what only this range of this owner has. */
static void paint(const struct owned *owned)
{
        uint64_t *words = map(owned->range);

        for (uint64_t page = 0; page < (owned->range.end - owned->range.start) / PAGE; page++) {
                words[page * 512] = owned->tag ^ page;
                words[page * 512 + 511] = ~owned->tag ^ page;
        }
}

static void look(const struct owned *owned, const char *when)
{
        const uint64_t *words = map(owned->range);

        for (uint64_t page = 0; page < (owned->range.end - owned->range.start) / PAGE; page++) {
                uint64_t first = owned->tag ? owned->tag ^ page : 0;
                uint64_t last = owned->tag ? ~owned->tag ^ page : 0;

                if (words[page * 512] != first || words[page * 512 + 511] != last)
                        fail("client %u: %s: page %" PRIu64 " has %" PRIx64 ", not %" PRIx64,
                                own_number, when, owned->range.start / PAGE + page,
                                words[page * 512], first);
        }
}

static void look_at_zeros(struct filemem_range range)
{
        const uint64_t *words = map(range);

        for (uint64_t i = 0; i < (range.end - range.start) / 8; i++)
                if (words[i])
                        fail("client %u: a new page is not zero: %" PRIx64 " at %" PRIx64,
                                own_number, words[i], range.start + 8 * i);
}

static void do_allocate(struct owned *owned)
{
        struct filemem_range range = {0, 0};
        uint64_t length = (1 + draw(PAGES_MAX)) * PAGE;

        if (draw(20) == 0)
                CALL("allocate and commit", range,
                        filemem_allocate_mode(session, length, (enum filemem_kind)draw(6),
                                FILEMEM_COMMIT, &range));
        else
                CALL("allocate", range,
                        filemem_allocate(session, length, (enum filemem_kind)draw(6), &range));
        look_at_zeros(range);
        *owned = (struct owned){range, ((uint64_t)own_number << 48) | next_tag++ << 8, 1};
        paint(owned);
}

static void do_release(struct owned *owned)
{
        const struct filemem_range range = owned->range;

        look(owned, "before a release");
        if (owned->refs-- == 1)
                memset(owned, 0, sizeof(*owned));
        if (draw(2))
                CALL("release", range, filemem_release(session, range));
        else
                CALL("decref", range, filemem_decref(session, range));
}

static void do_incref(struct owned *owned)
{
        CALL("incref", owned->range, filemem_incref(session, owned->range));
        owned->refs++;
}

/* Only of what nobody else holds, or it would be refused: what is shared has lost its tag bit. */
static void do_decommit(struct owned *owned)
{
        if (owned->tag & 1)
                return;
        CALL("decommit", owned->range, filemem_decommit(session, owned->range, 0));
        owned->tag = 0;
        look(owned, "after a decommit");
        owned->tag = ((uint64_t)own_number << 48) | next_tag++ << 8;
        paint(owned);
}

/* Whoever takes it has a reference when it says so. What was offered is shared for good. */
static void do_offer(struct owned *owned)
{
        int expected = OFFER_NONE;

        if (!atomic_compare_exchange_strong(&own->offer, &expected, OFFER_BEING_TAKEN))
                return;
        if (!(owned->tag & 1)) {
                owned->tag |= 1;
                paint(owned);
        }
        own->offered = *owned;
        atomic_store(&own->offer, OFFER_MADE);
        for (unsigned i = 0; i < 200 && atomic_load(&own->offer) == OFFER_MADE; i++)
                usleep(100);
        expected = OFFER_MADE;
        if (!atomic_compare_exchange_strong(&own->offer, &expected, OFFER_NONE)) {
                while (atomic_load(&own->offer) != OFFER_TAKEN)
                        usleep(100);
                atomic_store(&own->offer, OFFER_NONE);
        }
}

static void do_take(struct owned *owned)
{
        struct client *other = &board->clients[draw(client_count)];
        int expected = OFFER_MADE;

        if (other == own ||
                !atomic_compare_exchange_strong(&other->offer, &expected, OFFER_BEING_TAKEN))
                return;
        *owned = other->offered;
        owned->refs = 1;
        CALL("incref of another one's", owned->range, filemem_incref(session, owned->range));
        look(owned, "of another one");
        atomic_store(&other->offer, OFFER_TAKEN);
}

static void step(void)
{
        struct owned *owned = &own->owned[draw(OWNED_MAX)];
        uint32_t what = draw(100);

        if (!owned->refs) {
                if (what < 40)
                        do_take(owned);
                if (!owned->refs && what < 90)
                        do_allocate(owned);
        } else if (what < 45) {
                do_release(owned);
        } else if (what < 60) {
                do_incref(owned);
        } else if (what < 70) {
                do_decommit(owned);
        } else if (what < 75) {
                do_offer(owned);
        } else {
                look(owned, "at any time");
        }
}

static void rest(void)
{
        const struct filemem_range none = {0, 0};
        uint64_t size;

        /* What was released without an answer is done when a later question is answered. */
        CALL("question", none, filemem_total_size(session, &size));
        for (unsigned i = 0; i < OWNED_MAX; i++)
                if (own->owned[i].refs)
                        look(&own->owned[i], "at rest");
        if (filemem_lost_errors(session, NULL, NULL, 0))
                fail("client %u: a release was refused: %s", own_number,
                        filemem_last_error(session));
        atomic_store(&own->round, atomic_load(&board->round));
        while (atomic_load(&board->resting))
                usleep(1000);
}

static void live(const char *socket)
{
        int r = filemem_open(socket, NULL, &session);

        if (r != 0)
                fail("client %u: open: %s", own_number, filemem_open_error());
        while (!atomic_load(&board->over)) {
                if (atomic_load(&board->resting))
                        rest();
                else
                        step();
        }
        /* What is left ends with the process. */
        _exit(0);
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static pid_t pids[CLIENTS_MAX];
static char sentence[300];

static void start_clients(const struct survivors_options *options)
{
        for (unsigned i = 0; i < options->clients; i++) {
                pids[i] = fork();
                if (pids[i] != 0)
                        continue;
                own_number = i;
                own = &board->clients[i];
                client_count = options->clients;
                state = options->seed + 0x9e3779b97f4a7c15u * (i + 1);
                next_tag = 1;
                live(options->socket);
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
        uint64_t from[CLIENTS_MAX] = {0}, until = now() + PATIENCE_NS;

        for (unsigned i = 0; i < options->clients; i++)
                from[i] = atomic_load(&board->clients[i].calls);
        while (!all_have_called(options, from, more)) {
                const char *error = find_error(options);

                if (error)
                        return error;
                if (now() > until)
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
        uint64_t until = now() + PATIENCE_NS;

        atomic_store(&board->round, round);
        atomic_store(&board->resting, true);
        while (!all_rest(options, round)) {
                const char *error = find_error(options);

                if (error)
                        return error;
                if (now() > until)
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
