// SPDX-License-Identifier: Apache-2.0
#include <filemem/heap.h>

// Twice, because it is guarded, and with nothing else included before.
#include <filemem/heap.h>

void *(*heap_header_is_complete)(filemem_heap *, size_t) = filemem_heap_alloc;
