// SPDX-License-Identifier: Apache-2.0
#include "fence.h"

#include "session.h"

#include <errno.h>
#include <sys/mman.h>

/* Linux 6.13, and 6.15 for shared memory; not in the headers of Debian 12. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

/* In place of a number of references. */
#define FENCED 255
#define MANY   254 /* no more are counted: such a page is never fenced */

static size_t count_pages(const filemem_session *session)
{
        return (size_t)(session->capacity / session->page_size);
}

/* Whether the kernel does that to shared memory. */
static int probe(const filemem_session *session)
{
        size_t size = (size_t)session->page_size;
        void *page = mmap(NULL, size, PROT_READ, MAP_SHARED, session->memfd, 0);
        int r;

        if (page == MAP_FAILED)
                return -ENOMEM;
        r = madvise(page, size, MADV_GUARD_INSTALL) < 0 ? -ENOSYS : 0;
        munmap(page, size);
        return r;
}

int fence_init(filemem_session *session)
{
        void *pages;
        int r = window_make(&session->window);

        if (r == 0)
                r = session->window.base ? probe(session) : -ENOSYS;
        if (r < 0)
                return r;
        pages = mmap(NULL, count_pages(session), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (pages == MAP_FAILED)
                return -ENOMEM;
        session->fence.pages = pages;
        return 0;
}

void fence_deinit(filemem_session *session)
{
        if (session->fence.pages)
                munmap(session->fence.pages, count_pages(session));
        session->fence.pages = NULL;
}

static bool is_mapped(const filemem_session *session, size_t page)
{
        const struct window *window = &session->window;
        uint64_t offset = (uint64_t)page * session->page_size;

        return atomic_load_explicit(
                       &window->addresses[offset >> window->chunk_shift], memory_order_relaxed) ==
               (uintptr_t)(window->base + offset - (offset & (window->chunk_size - 1)));
}

/* What becomes of a page. Returns the advice that this takes, or 0. */
static int take(unsigned char *page)
{
        bool fenced = *page == FENCED;

        *page = (unsigned char)(fenced ? 1 : *page < MANY ? *page + 1 : MANY);
        return fenced ? MADV_GUARD_REMOVE : 0;
}

static int lift(unsigned char *page)
{
        bool fenced = *page == FENCED;

        *page = fenced ? 0 : *page;
        return fenced ? MADV_GUARD_REMOVE : 0;
}

static int drop(unsigned char *page)
{
        bool last = *page == 1;

        *page = (unsigned char)(last ? FENCED : *page && *page < MANY ? *page - 1 : *page);
        return last ? MADV_GUARD_INSTALL : 0;
}

/* What was never mapped is fenced by that. */
static void advise(filemem_session *session, size_t first, size_t end, int advice)
{
        size_t size = (size_t)session->page_size;

        if (advice && first < end)
                (void)madvise(session->window.base + first * size, (end - first) * size, advice);
}

/* Pages that need the same advice, and are mapped or not, are one call. */
static void change(
        filemem_session *session, struct filemem_range range, int (*step)(unsigned char *))
{
        size_t first = (size_t)(range.start / session->page_size), end;
        int advice = 0;

        pthread_mutex_lock(&session->window.lock);
        end = (size_t)(range.end / session->page_size);
        for (size_t page = first; page < end; page++) {
                unsigned char *state = &session->fence.pages[page];
                int next = step(state);

                if (next && !is_mapped(session, page)) {
                        *state = *state == FENCED ? 0 : *state;
                        next = 0;
                }
                if (next == advice)
                        continue;
                advise(session, first, page, advice);
                first = page;
                advice = next;
        }
        advise(session, first, end, advice);
        pthread_mutex_unlock(&session->window.lock);
}

void fence_take(filemem_session *session, struct filemem_range range)
{
        if (session->fence.pages)
                change(session, range, take);
}

void fence_lift(filemem_session *session, struct filemem_range range)
{
        if (session->fence.pages)
                change(session, range, lift);
}

void fence_drop(filemem_session *session, struct filemem_range range)
{
        if (session->fence.pages)
                change(session, range, drop);
}
