// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "huge.h"
#include "populate.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

static int map_error(const filemem_session *session, int error)
{
        if (error == -ENOMEM)
                return text_set(session, error, "no address space is left in this process");
        return text_set(session, error, "the kernel refused the mapping");
}

static int check_protection(const filemem_session *session, int protection)
{
        if (protection & PROT_EXEC)
                return text_set(session, -EACCES,
                        "chunks are not mapped for exec: map a range of "
                        "its own");
        if (protection & PROT_WRITE && session->read_only)
                return text_set(session, -EACCES, "this session may only read");
        if (!protection || protection & ~(PROT_READ | PROT_WRITE))
                return text_set(session, -EINVAL, "protection is not of PROT_READ and PROT_WRITE");
        return 0;
}

/*
 * The short way, for what is mapped already and needs no advice: some arithmetic and one load. NULL
 * if it has to be the other one.
 */
static inline unsigned char *find_mapped(
        const filemem_session *session, uint64_t start, uint64_t end, int protection)
{
        if (!arguments_is_range(session, start, end) || fork_guard_is_child(&session->guard) ||
                (session->huge.states && end - start >= HUGEPAGE_SIZE) || session->fence.pages)
                return NULL;
        return window_find(&session->window, start, end, protection);
}

/*
 * With all that there is to say about it. Apart, and with numbers: so the short way needs no frame.
 */
__attribute__((noinline)) static int map_range(
        filemem_session *session, uint64_t start, uint64_t end, int protection, void **ret)
{
        struct filemem_range range = {start, end};
        unsigned char *address;
        int r = arguments_check_range(session, range);

        if (r == 0)
                r = check_protection(session, protection);
        if (r < 0)
                return r;
        r = window_make(&session->window);
        if (r < 0)
                return map_error(session, r);
        if (window_count_blocks(&session->window, range.start, range.end) > 1)
                return text_set(session, -ERANGE, "the range is not contiguous in this process");
        r = window_map(&session->window, range.start, range.end, &address);
        if (r < 0)
                return map_error(session, r);
        huge_advise(session, range);
        *ret = address;
        return 0;
}

int filemem_map(filemem_session *session, struct filemem_range range, int protection, void **ret)
{
        unsigned char *address;

        if (!session || !ret)
                return -EINVAL;
        address = find_mapped(session, range.start, range.end, protection);
        if (!address)
                return map_range(session, range.start, range.end, protection, ret);
        *ret = address;
        return 0;
}

/* The end of the block that begins at start: the end of its chunk, or all there is. */
static uint64_t block_end(const struct window *window, uint64_t start, uint64_t end)
{
        uint64_t chunk_end = (start & ~(window->chunk_size - 1)) + window->chunk_size;

        return window->base || chunk_end > end ? end : chunk_end;
}

int filemem_map_blocks(filemem_session *session, struct filemem_range range, int protection,
        struct filemem_block *blocks, size_t count)
{
        uint64_t total;
        int r;

        if (!session || (count && !blocks))
                return -EINVAL;
        r = arguments_check_range(session, range);
        if (r == 0)
                r = check_protection(session, protection);
        if (r < 0)
                return r;
        r = window_make(&session->window);
        if (r < 0)
                return map_error(session, r);
        total = window_count_blocks(&session->window, range.start, range.end);
        if (total > INT_MAX)
                return text_set(session, -EOVERFLOW, "the range has too many blocks");
        for (size_t i = 0; i < count && range.start < range.end; i++) {
                uint64_t end = block_end(&session->window, range.start, range.end);
                unsigned char *address;

                r = window_map(&session->window, range.start, end, &address);
                if (r < 0)
                        return map_error(session, r);
                blocks[i] = (struct filemem_block){address, (size_t)(end - range.start)};
                huge_advise(session, (struct filemem_range){range.start, end});
                range.start = end;
        }
        return (int)total;
}

/* ---- mappings of the caller's own ------------------------------------------------------------ */

/* The kernel would map any memfd for exec: it is the pool's rule, asked for once. */
static int check_exec(filemem_session *session)
{
        int exec = atomic_load(&session->exec);
        struct filemem_pool pool;

        if (exec < 0) {
                int r = filemem_pool_info(session, &pool);

                if (r < 0)
                        return r;
                exec = pool.exec;
                atomic_store(&session->exec, exec);
        }
        return exec ? 0 : text_set(session, -EACCES, "the pool may not be mapped for exec");
}

static int check_into(filemem_session *session, const void *address, int protection, unsigned flags)
{
        if (protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
                return text_set(session, -EINVAL, "unknown protection");
        if (flags & ~(FILEMEM_MAP_FIXED | FILEMEM_MAP_PRECOMMIT))
                return text_set(session, -EINVAL, "unknown flags");
        if (protection & PROT_WRITE && session->read_only)
                return text_set(session, -EACCES, "this session may only read");
        if (flags & FILEMEM_MAP_PRECOMMIT && !(protection & PROT_WRITE))
                return text_set(session, -EINVAL, "to commit pages needs PROT_WRITE");
        if (flags & FILEMEM_MAP_FIXED &&
                (!address || (uintptr_t)address & (session->page_size - 1)))
                return text_set(session, -EINVAL, "a fixed address has to be that of a page");
        return protection & PROT_EXEC ? check_exec(session) : 0;
}

int filemem_map_into(filemem_session *session, struct filemem_range range, void *address,
        int protection, unsigned flags, void **ret)
{
        size_t length = (size_t)(range.end - range.start);
        const char *sentence;
        void *mapped;
        int r;

        if (!session || !ret)
                return -EINVAL;
        r = arguments_check_range(session, range);
        if (r == 0)
                r = check_into(session, address, protection, flags);
        if (r < 0)
                return r;
        mapped = mmap(address, length, protection,
                MAP_SHARED | (flags & FILEMEM_MAP_FIXED ? MAP_FIXED : 0), session->memfd,
                (off_t)range.start);
        if (mapped == MAP_FAILED)
                return map_error(session, -errno);
        huge_advise_mapping(session, range, mapped);
        r = flags & FILEMEM_MAP_PRECOMMIT ? populate(mapped, length, &sentence) : 0;
        if (r < 0) {
                munmap(mapped, length);
                return text_set(session, r, sentence);
        }
        *ret = mapped;
        return 0;
}
