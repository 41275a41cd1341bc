// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes to the journal of a pool, some of which may then be changed as bad memory would; and a
 * daemon that has to go on with it. Whatever they say, it must not fall, its trees have to be
 * right, and no page that somebody may hold is given to anybody else or taken from under him:
 *
 *   - a journal that is not called damaged says what the naive model says;
 *   - from one that is nothing is allocated, and nothing in the pool is given back.
 *
 * One record is: type, place of the holder, start, length, value and kind; the flag 0x80 of the
 * type makes start and length two numbers of any size.
 */
#include "fuzz/fuzz.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "fuzz/fuzz_input.h"
#include "fuzz/journal_model.h"
#include "journal/private.h"
#include "memory/private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Pages with something in them, from the beginning of the pool on. */
#define MARKED 256u
#define MARK   0x5a

#define NOBODY UINT64_C(1000) /* a session that no record is about */

static const struct pool_options options = {
        .name = "fuzz",
        .capacity = (uint64_t)MODEL_PAGES * FUZZ_PAGE,
};

static struct memory *memory;
static struct pool *original; /* whose file all pools are made with, one after the other */
static uint8_t *file;

static void begin(void)
{
        const struct memory_options memory_options = {.accounting = ACCOUNTING_BEST};

        log_setup(LOG_LEVEL_ERROR, false);
        check(memory_new(&memory_options, &memory) == 0);
        check(pool_new(memory, &options, &original) == 0);
        file = mmap(NULL, options.capacity, PROT_READ | PROT_WRITE, MAP_SHARED,
                pool_store_fd(original), 0);
        check(file != MAP_FAILED);
}

/* ---- the journal ----------------------------------------------------------------------------- */

static struct record take_record(struct input *input)
{
        uint8_t what = take_byte(input), where = take_byte(input);
        struct record record = {
                .type = (what & 0x7f) % (RECORD_DAMAGE + 2),
                .slot = where < 0xf8 ? where % MODEL_SLOTS : UINT32_C(1) << (where & 31),
        };

        if (record.slot >= MODEL_SLOTS && record.slot < UINT32_C(1) << 24)
                record.slot |= UINT32_C(1) << 24; /* more than there can be */
        if (what & 0x80) {
                record.start = (uint32_t)take_number(input);
                record.end = (uint32_t)take_number(input);
                record.value = (uint32_t)take_number(input);
        } else {
                record.start = take_byte(input);
                record.end = record.start + take_byte(input);
                record.value = take_byte(input);
        }
        record.kind = take_byte(input) % (KIND_COUNT + 1);
        record.operation = record.kind;
        record.request = record.value % 4;
        if (record.type == RECORD_JOIN)
                record.request = record.slot + 1;
        return record;
}

/* how: whether it is the first or the second area that they are in. */
static int make_journal(struct input *input, uint8_t how, struct journal_model *model)
{
        const struct journal_format format = {
                .name = "fuzz",
                .version = RECORD_VERSION,
                .record_size = sizeof(struct record),
                .area_size = (size_t)1 << 30,
        };
        unsigned count = take_byte(input);
        struct journal journal;
        int fd;

        check(journal_create(&journal, &format) == 0);
        if (how & 1)
                journal_copy_begin(&journal);
        for (unsigned i = 0; i < count && input->left; i++) {
                const struct record record = take_record(input);

                if (how & 1)
                        check(journal_copy(&journal, &record) == 0);
                else
                        check(journal_append(&journal, &record) == 0);
                journal_model_apply(model, &record);
        }
        if (how & 1)
                check(journal_copy_end(&journal) == 0);
        fd = fcntl(journal.fd, F_DUPFD_CLOEXEC, 0);
        check(fd >= 0);
        journal_close(&journal);
        return fd;
}

/* One byte of the header or of the records becomes another one. */
static void damage(struct input *input, int fd)
{
        uint8_t how = take_byte(input), change = take_byte(input), byte;
        off_t at = take_byte(input) | (how & 2 ? take_byte(input) << 8 : 0);

        if (how & 1)
                at = at % (off_t)sizeof(struct journal_header);
        else
                at += JOURNAL_HEADER_SIZE + (how & 4 ? (off_t)1 << 30 : 0);
        check(pread(fd, &byte, 1, at) == 1);
        byte ^= change;
        check(pwrite(fd, &byte, 1, at) == 1);
}

/* ---- what has to be true --------------------------------------------------------------------- */

static void check_holder(struct holder *holder, const struct model_holder *model)
{
        struct pool_holding list[64];
        uint64_t from = 0;
        uint32_t page = 0;

        do {
                size_t count = holder_list(holder, from, list, 64, &from);

                for (size_t i = 0; i < count; i++) {
                        for (; page < list[i].range.start / FUZZ_PAGE; page++)
                                check(!model->refs[page]);
                        for (; page < list[i].range.end / FUZZ_PAGE; page++)
                                check(model->refs[page] == list[i].count &&
                                        model->kinds[page] == list[i].kind);
                }
        } while (from);
        for (; page < MODEL_PAGES; page++)
                check(!model->refs[page]);
}

/* Claims who is there. */
static void check_holders(struct pool *pool, const struct journal_model *model)
{
        for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++) {
                const struct model_holder *held = &model->holders[slot];
                struct holder *holder = pool_claim_holder(pool, slot + 1);

                check(!holder == !held->session);
                if (holder)
                        check_holder(holder, held);
        }
        check(!pool_claim_holder(pool, NOBODY));
}

static void check_new(const struct journal_model *model, struct range range)
{
        for (uint64_t at = range.start; at < range.end; at += FUZZ_PAGE)
                check(!journal_model_is_held(model, (uint32_t)(at / FUZZ_PAGE)));
}

/* Somebody new comes and takes what there is. */
static void take_all(struct pool *pool, const struct journal_model *model)
{
        uint64_t length = 64 * FUZZ_PAGE, size;
        struct holder *holder;
        struct range range;

        check(holder_new_for(pool, NOBODY, &holder) == 0);
        while (length >= FUZZ_PAGE) {
                int r = pool_allocate(holder, length, KIND_ANONYMOUS, &range, &size);

                check(r == 0 || r > 0);
                if (r == 0) {
                        check(!pool_is_damaged(pool));
                        check_new(model, range);
                } else {
                        length /= 8;
                }
        }
        pool_validate(pool);
}

/* What was held is there; in a damaged pool all is. */
static void check_marks(struct pool *pool, const struct journal_model *model)
{
        for (uint32_t page = 0; page < MARKED; page++)
                if (pool_is_damaged(pool) || journal_model_is_held(model, page))
                        check(file[page * FUZZ_PAGE] == MARK);
}

static void reclaim(struct pool *pool)
{
        enum reclaim_result result;

        do
                result = reclaim_step(pool, clock_now());
        while (result == RECLAIM_MORE || result == RECLAIM_REST);
}

static void end(struct pool *pool)
{
        pool_stop_journal(pool);
        while (!LIST_EMPTY(&pool->holders))
                holder_free(LIST_FIRST(&pool->holders));
        pool_validate(pool);
        pool_free(pool);
}

/* changed: some byte of the journal may be another one. */
static void go_on(int journal_fd, const struct journal_model *model, bool changed)
{
        int fd = fcntl(pool_store_fd(original), F_DUPFD_CLOEXEC, 0);
        struct pool *pool;
        int r;

        check(fd >= 0);
        r = pool_resume(memory, &options, fd, journal_fd, &pool);
        if (r) {
                check(changed && r == -EPROTONOSUPPORT);
                close(journal_fd);
                close(fd);
                return;
        }
        pool_validate(pool);
        check(changed || pool_is_damaged(pool) == model->damaged);
        if (!pool_is_damaged(pool)) {
                check(!model->damaged);
                check_holders(pool, model);
        }
        reclaim(pool);
        check_marks(pool, model);
        take_all(pool, model);
        check_marks(pool, model);
        pool_release_unclaimed(pool);
        reclaim(pool);
        pool_validate(pool);
        end(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct journal_model model;
        struct input input = {data, size};
        uint8_t how = take_byte(&input);
        unsigned changes = how >> 1 & 3;
        int fd;

        if (!original)
                begin();
        for (uint32_t page = 0; page < MARKED; page++)
                file[page * FUZZ_PAGE] = MARK;
        journal_model_init(&model);
        fd = make_journal(&input, how, &model);
        journal_model_finish(&model);
        for (unsigned i = 0; i < changes; i++)
                damage(&input, fd);
        go_on(fd, &model, changes > 0);
        return 0;
}
