// SPDX-License-Identifier: Apache-2.0
#include "memory/reborn.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int copy_memfd(int fd)
{
        int copy = memfd_create("copy", MFD_CLOEXEC);
        off_t data = 0, hole;
        struct stat info;

        ck_assert_int_ge(copy, 0);
        ck_assert_int_eq(fstat(fd, &info), 0);
        ck_assert_int_eq(ftruncate(copy, info.st_size), 0);
        while ((data = lseek(fd, data, SEEK_DATA)) >= 0) {
                char *from;

                hole = lseek(fd, data, SEEK_HOLE);
                from = mmap(NULL, (size_t)(hole - data), PROT_READ, MAP_SHARED, fd, data);
                ck_assert_ptr_ne(from, MAP_FAILED);
                ck_assert_int_eq(pwrite(copy, from, (size_t)(hole - data), data), hole - data);
                munmap(from, (size_t)(hole - data));
                data = hole;
        }
        return copy;
}

struct pool *reborn_from(struct pool *from, int journal_fd)
{
        const struct pool_options options = {
                .name = from->name,
                .capacity = from->file.capacity,
                .zero_verify = from->zero_verify,
        };
        int fd = fcntl(from->file.fd, F_DUPFD_CLOEXEC, 0);
        struct pool *again;

        ck_assert_int_eq(pool_resume(from->memory, &options, fd, journal_fd, &again), 0);
        return again;
}

struct pool *reborn(struct pool *from)
{
        return reborn_from(from, copy_memfd(pool_journal_fd(from)));
}

void reborn_free(struct pool *again)
{
        pool_validate(again);
        pool_stop_journal(again);
        pool_release_unclaimed(again);
        while (!LIST_EMPTY(&again->holders))
                holder_free(LIST_FIRST(&again->holders));
        pool_free(again);
}

static bool next_entry(struct usage_cursor *cursor, bool freed, struct usage_entry *ret)
{
        while (usage_cursor_next(cursor, ret))
                if (ret->refs != REFS_PREPARING && (freed || ret->refs))
                        return true;
        return false;
}

static bool is_same_entry(const struct usage_entry *a, const struct usage_entry *b)
{
        return a->start == b->start && a->end == b->end && a->refs == b->refs &&
               usage_entry_kind(a) == usage_entry_kind(b);
}

/* An assertion that holds costs a system call: too much for each of a million entries. */
static void assert_same_tree(struct usage_tree *a, struct usage_tree *b, bool freed)
{
        struct usage_cursor cursors[2];
        struct usage_entry x, y;

        usage_cursor_init(&cursors[0], a, 0);
        usage_cursor_init(&cursors[1], b, 0);
        while (next_entry(&cursors[0], freed, &x))
                if (!next_entry(&cursors[1], freed, &y) || !is_same_entry(&x, &y))
                        ck_abort_msg("[%u, %u) is not the same", x.start, x.end);
        ck_assert(!next_entry(&cursors[1], freed, &y));
}

static void assert_same_result(const struct pool_result *a, const struct pool_result *b)
{
        ck_assert_uint_eq(a->operation, b->operation);
        ck_assert_int_eq(a->result, b->result);
        ck_assert_uint_eq(a->range.start, b->range.start);
        ck_assert_uint_eq(a->range.end, b->range.end);
        ck_assert_int_eq(a->part, b->part);
}

void assert_same(struct pool *from, struct pool *again)
{
        const struct recorder *x = from->recorder, *y = again->recorder;
        uint32_t slots = x->slot_room > y->slot_room ? x->slot_room : y->slot_room;

        ck_assert(!pool_is_damaged(again));
        assert_same_tree(&from->tree, &again->tree, true);
        ck_assert_uint_eq(from->size, again->size);
        for (uint32_t slot = 0; slot < slots; slot++) {
                struct holder *p = slot < x->slot_room ? x->slots[slot] : NULL;
                struct holder *q = slot < y->slot_room ? y->slots[slot] : NULL;

                ck_assert_int_eq(!p, !q);
                if (!p)
                        continue;
                ck_assert_uint_eq(p->results.session, q->results.session);
                ck_assert_uint_eq(p->results.last, q->results.last);
                ck_assert_uint_eq(p->results.count, q->results.count);
                for (uint32_t i = 0; i < p->results.count; i++)
                        assert_same_result(&p->results.list[i], &q->results.list[i]);
                assert_same_tree(holder_tree(p), holder_tree(q), false);
        }
}

void reborn_set_up(void)
{
        fixture_set_up();
        ck_assert_int_eq(pool_keep_journal(pool), 0);
}

struct holder *join(uint64_t session)
{
        struct holder *holder;

        ck_assert_int_eq(holder_new_for(pool, session, &holder), 0);
        return holder;
}

void begin(struct holder *holder, uint64_t request, uint32_t operation)
{
        ck_assert_int_eq(holder_begin(holder, request, operation), 0);
}

void assert_survives(void)
{
        struct pool *again = reborn(pool);

        assert_same(pool, again);
        reborn_free(again);
}
