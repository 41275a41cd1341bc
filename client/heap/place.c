// SPDX-License-Identifier: Apache-2.0
#include "heap.h"

#include <errno.h>
#include <sys/mman.h>

int filemem_heap_locate(filemem_heap *heap, const void *object, struct filemem_object *ret)
{
        uint64_t offset, length, page;

        if (!heap || !object || !ret)
                return -EINVAL;
        if (heap_is_child(heap))
                return -ECHILD;
        offset = (uint64_t)((uintptr_t)object - (uintptr_t)heap->base);
        if (offset >= heap->capacity)
                return -EINVAL;
        length = filemem_je_sallocx(object, 0);
        page = heap->page_size - 1;
        *ret = (struct filemem_object){
                .offset = offset,
                .length = length,
                .range = {offset & ~page, (offset + length + page) & ~page},
        };
        return 0;
}

int filemem_heap_address(filemem_heap *heap, uint64_t offset, void **ret)
{
        struct filemem_range range;
        void *address;
        int r;

        if (!heap || !ret)
                return -EINVAL;
        if (heap_is_child(heap))
                return -ECHILD;
        if (offset >= heap->capacity)
                return -EINVAL;
        range.start = offset & ~((uint64_t)heap->page_size - 1);
        range.end = range.start + heap->page_size;
        r = filemem_map(heap->session, range, PROT_READ, &address);
        if (r < 0)
                return r;
        *ret = (unsigned char *)address + (offset - range.start);
        return 0;
}
