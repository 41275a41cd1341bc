// SPDX-License-Identifier: Apache-2.0
/* What the compiler makes of the structures of the header, for test_layout.py. */
#include <filemem/filemem.h>
#include <stdio.h>

#define STRUCTURE(type) printf("struct %s %zu\n", #type, sizeof(struct type))
#define FIELD(type, field)                                                                         \
        printf("field %s %s %zu %zu\n", #type, #field, offsetof(struct type, field),               \
                sizeof(((struct type *)NULL)->field))
#define VALUE(name) printf("value %s %lld\n", #name, (long long)(name))

static void print_arguments(void)
{
        STRUCTURE(filemem_range);
        FIELD(filemem_range, start);
        FIELD(filemem_range, end);
        STRUCTURE(filemem_options);
        FIELD(filemem_options, size);
        FIELD(filemem_options, pool);
        FIELD(filemem_options, label);
        FIELD(filemem_options, read_only);
        FIELD(filemem_options, private_pool);
        FIELD(filemem_options, no_pool);
        FIELD(filemem_options, fence_released);
        STRUCTURE(filemem_peer_options);
        FIELD(filemem_peer_options, size);
        FIELD(filemem_peer_options, read_only);
        FIELD(filemem_peer_options, label);
        FIELD(filemem_peer_options, max_bytes);
        FIELD(filemem_peer_options, max_ranges);
        STRUCTURE(filemem_block);
        FIELD(filemem_block, address);
        FIELD(filemem_block, length);
}

static void print_usage(void)
{
        STRUCTURE(filemem_usage);
        FIELD(filemem_usage, allocated);
        FIELD(filemem_usage, committed);
        FIELD(filemem_usage, reclaimable);
        FIELD(filemem_usage, reclaimable_committed);
        FIELD(filemem_usage, stray);
        FIELD(filemem_usage, total);
        FIELD(filemem_usage, swapped);
        FIELD(filemem_usage, age_ns);
        FIELD(filemem_usage, exact);
}

static void print_pool(void)
{
        STRUCTURE(filemem_pool);
        FIELD(filemem_pool, name);
        FIELD(filemem_pool, capacity);
        FIELD(filemem_pool, size);
        FIELD(filemem_pool, page_size);
        FIELD(filemem_pool, hugepage_size);
        FIELD(filemem_pool, chunk_size);
        FIELD(filemem_pool, exec);
        FIELD(filemem_pool, zero_verify);
        FIELD(filemem_pool, huge_advise);
        FIELD(filemem_pool, entries);
        FIELD(filemem_pool, sessions);
        FIELD(filemem_pool, metadata);
        FIELD(filemem_pool, id);
        FIELD(filemem_pool, state);
        FIELD(filemem_pool, private_pool);
        FIELD(filemem_pool, uid);
        FIELD(filemem_pool, allocated);
        FIELD(filemem_pool, committed);
        FIELD(filemem_pool, leased);
}

static void print_values(void)
{
        VALUE(FILEMEM_SYSTEM);
        VALUE(FILEMEM_ANONYMOUS);
        VALUE(FILEMEM_PAGE_CACHE);
        VALUE(FILEMEM_TMPFS);
        VALUE(FILEMEM_RAMDISKFS);
        VALUE(FILEMEM_MAPPED);
        VALUE(FILEMEM_KINDS);
        VALUE(FILEMEM_KIND_PLACES);
        VALUE(FILEMEM_LAZY);
        VALUE(FILEMEM_COMMIT);
        VALUE(FILEMEM_POPULATE);
        VALUE(FILEMEM_POOL_OPEN);
        VALUE(FILEMEM_POOL_DRAINING);
        VALUE(FILEMEM_POOL_DESTROYED);
        VALUE(FILEMEM_DECOMMIT_SHARED);
}

int main(void)
{
        print_arguments();
        print_usage();
        print_pool();
        print_values();
        return 0;
}
