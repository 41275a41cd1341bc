// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz_store.h"

#include "base/check.h"
#include "fuzz/fuzz_server.h"
#include "memory/private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STORE_MAX 9 /* the journal, two for each pool, and some sessions */

/* Each time after so many it takes nothing. */
#define STORE_BUSY 7

static struct server_kept entries[STORE_MAX];
static size_t entry_count;
static unsigned attempts;

static int put(const char *name, int fd)
{
        struct server_kept *entry = &entries[entry_count];

        if (++attempts % STORE_BUSY == 0)
                return -EAGAIN;
        check(entry_count < STORE_MAX); /* it is the server that counts */
        check(strlen(name) < sizeof(entry->name));
        for (size_t i = 0; i < entry_count; i++)
                check(strcmp(entries[i].name, name) != 0);
        strcpy(entry->name, name);
        entry->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        check(entry->fd >= 0);
        entry_count++;
        return 0;
}

static int remove_entry(const char *name)
{
        size_t i = 0;

        while (i < entry_count && strcmp(entries[i].name, name) != 0)
                i++;
        check(i < entry_count);
        close(entries[i].fd);
        entries[i] = entries[--entry_count];
        return 0;
}

static void wait_for(int milliseconds)
{
        (void)milliseconds; /* the next time it takes something */
}

const struct server_store *fuzz_store_open(void)
{
        static const struct server_store store = {
                .maximum = STORE_MAX,
                .put = put,
                .remove = remove_entry,
                .wait = wait_for,
        };

        entry_count = attempts = 0;
        return &store;
}

void fuzz_store_close(void)
{
        while (entry_count)
                close(entries[--entry_count].fd);
}

size_t fuzz_store_count(void)
{
        return entry_count;
}

/* ---- the next life of a pool ----------------------------------------------------------------- */

#define PAGES (CHUNK_SIZE / FUZZ_PAGE) /* of each pool */

struct held {
        uint32_t counts[PAGES];
        uint8_t kinds[PAGES];
};

static void list(struct holder *holder, struct held *ret)
{
        struct pool_holding parts[64];
        uint64_t from = 0;

        memset(ret, 0, sizeof(*ret));
        do {
                size_t count = holder_list(holder, from, parts, 64, &from);

                for (size_t i = 0; i < count; i++) {
                        if (parts[i].count == REFS_PREPARING)
                                continue; /* it is not his yet */
                        for (uint64_t at = parts[i].range.start; at < parts[i].range.end;
                                at += FUZZ_PAGE) {
                                ret->counts[at / FUZZ_PAGE] = parts[i].count;
                                ret->kinds[at / FUZZ_PAGE] = (uint8_t)parts[i].kind;
                        }
                }
        } while (from);
}

/* It reads the same file; from then on it writes nothing to it. */
static struct pool *make_again(struct memory *memory, struct pool *pool)
{
        const struct pool_options options = {.name = pool->name, .capacity = pool->file.capacity};
        struct pool *again;

        check(pool_resume(memory, &options, fcntl(pool_store_fd(pool), F_DUPFD_CLOEXEC, 0),
                      fcntl(pool_journal_fd(pool), F_DUPFD_CLOEXEC, 0), &again) == 0);
        pool_stop_journal(again);
        check(!pool_is_damaged(again));
        pool_validate(again);
        return again;
}

void fuzz_store_check(struct memory *memory, struct pool *pool,
        const struct fuzz_store_holder *holders, size_t count)
{
        struct pool *again = make_again(memory, pool);
        static struct held before, after;

        for (size_t i = 0; i < count; i++) {
                struct holder *holder = pool_claim_holder(again, holders[i].session);

                check(holder);
                list(holders[i].holder, &before);
                list(holder, &after);
                check(memcmp(&before, &after, sizeof(before)) == 0);
        }
        while (!LIST_EMPTY(&again->holders))
                holder_free(LIST_FIRST(&again->holders));
        pool_free(again);
}
