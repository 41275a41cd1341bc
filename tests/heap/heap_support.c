// SPDX-License-Identifier: Apache-2.0
#include "test_heap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define PATIENCE 20000 /* ms */

struct daemon heap_daemon;
filemem_session *heap_session;
filemem_heap *heap;

filemem_session *heap_open(void)
{
        filemem_session *opened;

        ck_assert_msg(
                filemem_open(heap_daemon.socket, NULL, &opened) == 0, "%s", filemem_open_error());
        return opened;
}

void heap_start_with(const char *config)
{
        daemon_start(&heap_daemon, config);
        heap_session = heap_open();
        ck_assert_int_eq(filemem_heap_create(heap_session, FILEMEM_TMPFS, NULL, &heap), 0);
}

void heap_start(void)
{
        heap_start_with("[pool default]\ncapacity = 4G\n");
}

void heap_stop(void)
{
        heap = filemem_heap_destroy(heap);
        filemem_close(heap_session);
        daemon_stop(&heap_daemon);
}

void heap_replace(const struct filemem_heap_options *options)
{
        heap = filemem_heap_destroy(heap);
        ck_assert_int_eq(filemem_heap_create(heap_session, FILEMEM_TMPFS, options, &heap), 0);
}

struct filemem_usage heap_pool_usage(void)
{
        filemem_session *asking = heap_open();
        struct filemem_usage now;

        ck_assert_int_eq(filemem_update_usage(asking, &now), 0);
        filemem_close(asking);
        return now;
}

struct filemem_heap_usage heap_usage_now(void)
{
        struct filemem_heap_usage now;

        ck_assert_int_eq(filemem_heap_usage(heap, &now), 0);
        return now;
}

uint64_t heap_sum(const uint64_t kinds[FILEMEM_KINDS])
{
        uint64_t total = 0;

        for (int kind = 0; kind < FILEMEM_KINDS; kind++)
                total += kinds[kind];
        return total;
}

void heap_await(uint64_t allocated, uint64_t stored)
{
        struct filemem_usage now;

        for (int i = 0; i < PATIENCE / 20; i++) {
                now = heap_pool_usage();
                if (heap_sum(now.allocated) == allocated && now.total <= stored)
                        return;
                poll(NULL, 0, 20);
        }
        ck_abort_msg("%llu bytes are allocated and %llu stored",
                (unsigned long long)heap_sum(now.allocated), (unsigned long long)now.total);
}

bool heap_is_filled(const unsigned char *bytes, size_t size, unsigned char value)
{
        return bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0;
}

unsigned char *heap_get(size_t size)
{
        unsigned char *object = filemem_heap_alloc(heap, size);

        ck_assert_msg(object != NULL, "%zu bytes: %s: %s", size, strerror(errno),
                filemem_last_error(heap_session));
        return object;
}
