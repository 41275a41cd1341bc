// SPDX-License-Identifier: Apache-2.0
#include <filemem/heap.h>

void *use_heap(filemem_session *session, size_t size);

void *use_heap(filemem_session *session, size_t size)
{
        struct filemem_heap_options options = {.size = sizeof(options), .populate = true};
        struct filemem_object where;
        filemem_heap *heap;
        void *object;

        if (filemem_heap_create(session, FILEMEM_ANONYMOUS, &options, &heap) < 0)
                return NULL;
        object = filemem_heap_alloc(heap, size);
        return filemem_heap_locate(heap, object, &where) < 0 ? NULL : object;
}
