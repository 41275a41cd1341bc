// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <filemem/heap.h>
#include <stdio.h>
#include <stdlib.h>

/* Without a session there is no heap, and the library says so. */
int main(void)
{
        filemem_heap *heap = NULL;
        int r = filemem_heap_create(NULL, FILEMEM_ANONYMOUS, NULL, &heap);

        printf("heap: %d\n", r);
        free(malloc(1000));
        return r == -EINVAL && !heap && !filemem_heap_destroy(heap) ? 0 : 1;
}
