// SPDX-License-Identifier: Apache-2.0
#include "memory/account.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/progress.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.5; not in the headers of Debian 12. The number is the same on every architecture. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct cachestat_range {
        uint64_t offset;
        uint64_t length;
};

struct cachestat {
        uint64_t cached;
        uint64_t dirty;
        uint64_t writeback;
        uint64_t evicted; /* for a memfd: in swap */
        uint64_t recently_evicted;
};

static int count_cachestat(
        const struct memfile *file, struct range range, struct account_count *ret)
{
        struct cachestat_range asked = {range.start, range.end - range.start};
        struct cachestat pages;

        if (syscall(SYS_cachestat, file->fd, &asked, &pages, 0) < 0)
                return -errno;
        progress_made();
        ret->committed = (pages.cached + pages.evicted) * file->page_size;
        ret->swapped = pages.evicted * file->page_size;
        return 0;
}

static int count_seek(const struct memfile *file, struct range range, struct account_count *ret)
{
        struct account_count count = {0};
        struct range data;
        int r;

        while (range.start < range.end) {
                r = memfile_find_data(file, range, &data);
                if (r == -ENXIO)
                        break;
                if (r == -EAGAIN)
                        continue;
                if (r < 0)
                        return r;
                count.committed += data.end - data.start;
                range.start = data.end;
        }
        *ret = count;
        return 0;
}

int account_count(enum accounting accounting, const struct memfile *file, struct range range,
        struct account_count *ret)
{
        lock_assert_none();
        if (accounting == ACCOUNTING_CACHESTAT)
                return count_cachestat(file, range, ret);
        return count_seek(file, range, ret);
}

/* A file with one page stored out of two: right is who counts one. */
static int try_one(enum accounting accounting, struct memfile *file)
{
        struct range all = {0, 2 * file->page_size};
        struct account_count count = {0};
        int r;

        if (pwrite(file->fd, "x", 1, (off_t)file->page_size) < 0)
                return -errno;
        r = account_count(accounting, file, all, &count);
        if (r < 0)
                return r;
        return count.committed == file->page_size ? 0 : -ENOSYS;
}

int account_choose(enum accounting wanted, enum accounting *ret)
{
        cleanup_(memfile_close) struct memfile file = MEMFILE_NONE;
        enum accounting accounting = wanted == ACCOUNTING_BEST ? ACCOUNTING_CACHESTAT : wanted;
        int r = memfile_create(&file, "filemem-probe", 2 * (uint64_t)sysconf(_SC_PAGESIZE), false);

        if (r < 0)
                return r;
        r = try_one(accounting, &file);
        if (r < 0 && wanted == ACCOUNTING_BEST) {
                accounting = ACCOUNTING_SEEK;
                r = try_one(accounting, &file);
        }
        if (r < 0)
                return -ENOSYS;
        *ret = accounting;
        return 0;
}

const char *account_name(enum accounting accounting)
{
        return accounting == ACCOUNTING_CACHESTAT ? "cachestat" : "seek";
}
