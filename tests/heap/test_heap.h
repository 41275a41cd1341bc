// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/heap.h"
#include "support/daemon.h"
#include "support/harness.h"

#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)

/* A daemon, a session and a heap for each test. */
extern struct daemon heap_daemon;
extern filemem_session *heap_session;
extern filemem_heap *heap;

void heap_start(void);
void heap_start_with(const char *config);
void heap_stop(void);

/* Another session in the pool. */
filemem_session *heap_open(void);

/* Puts another heap, with options, in place of the one that there is. */
void heap_replace(const struct filemem_heap_options *options);

/* Usage of the pool, asked anew, and of the heap. */
struct filemem_usage heap_pool_usage(void);
struct filemem_heap_usage heap_usage_now(void);

/* Waits until the pool has so many bytes allocated and the kernel stores at most so many. */
void heap_await(uint64_t allocated, uint64_t stored);

/* Over all kinds. */
uint64_t heap_sum(const uint64_t kinds[FILEMEM_KINDS]);

/* An object; fails the test if there is none. */
unsigned char *heap_get(size_t size);

bool heap_is_filled(const unsigned char *bytes, size_t size, unsigned char value);

/* What other files have for test_heap.c. */
void heap_back_cases(Suite *suite);
TCase *heap_process_case(Suite *suite);
