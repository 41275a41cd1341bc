// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "system/survivors_board.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES_MAX 12

static struct board *board;
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
                uint64_t begun_ = clock_now();                                                     \
                int r_ = (call);                                                                   \
                uint64_t took_ = clock_now() - begun_;                                             \
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

void survivors_live(
        struct board *shared, unsigned number, unsigned count, uint64_t seed, const char *socket)
{
        int r;

        board = shared;
        own = &board->clients[number];
        own_number = number;
        client_count = count;
        state = seed + 0x9e3779b97f4a7c15u * (number + 1);
        next_tag = 1;
        r = filemem_open(socket, NULL, &session);
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
