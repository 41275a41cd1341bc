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

static bool next_entry(struct usage_cursor *cursor, struct usage_entry *ret)
{
        while (usage_cursor_next(cursor, ret))
                if (ret->refs != REFS_PREPARING)
                        return true;
        return false;
}

static bool next_held(struct usage_cursor *cursor, struct usage_entry *ret)
{
        while (next_entry(cursor, ret))
                if (ret->refs)
                        return true;
        return false;
}

static void assert_same_tree(struct usage_tree *a, struct usage_tree *b, bool freed)
{
        struct usage_cursor cursors[2];
        struct usage_entry x, y;

        usage_cursor_init(&cursors[0], a, 0);
        usage_cursor_init(&cursors[1], b, 0);
        while (freed ? next_entry(&cursors[0], &x) : next_held(&cursors[0], &x)) {
                ck_assert(freed ? next_entry(&cursors[1], &y) : next_held(&cursors[1], &y));
                ck_assert_uint_eq(x.start, y.start);
                ck_assert_uint_eq(x.end, y.end);
                ck_assert_uint_eq(x.refs, y.refs);
                ck_assert_int_eq(usage_entry_kind(&x), usage_entry_kind(&y));
        }
        ck_assert(!(freed ? next_entry(&cursors[1], &y) : next_held(&cursors[1], &y)));
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
