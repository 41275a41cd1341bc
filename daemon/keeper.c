// SPDX-License-Identifier: Apache-2.0
#include "keeper.h"

#include "base/cleanup.h"
#include "base/crash.h"
#include "service/store.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SERVICE_NAME_MAX == SERVER_NAME_MAX, "names of one length");

/* For tests: where to die. See base/crash.h. */
static void arm(void)
{
        const char *step = getenv("FILEMEM_CRASH_AT");

        if (step)
                crash_arm(strtol(step, NULL, 10));
}

static void copy_kept(struct server_store *store, const struct service_kept *kept, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                strcpy(store->kept[i].name, kept[i].name);
                store->kept[i].fd = kept[i].fd;
        }
        store->count = count;
}

int keeper_begin(struct keeper *keeper, int *ret_listen_fd)
{
        cleanup_(freep) struct service_kept *kept = NULL;
        struct server_store *store = &keeper->store;
        size_t count;
        int r = service_take_all(ret_listen_fd, &kept, &count);

        if (r < 0)
                return r;
        *store = (struct server_store){
                .maximum = service_store_maximum(),
                .put = service_store_put,
                .remove = service_store_remove,
                .wait = service_store_wait,
        };
        store->kept = calloc(count + 1, sizeof(*store->kept));
        if (!store->kept)
                return -ENOMEM;
        copy_kept(store, kept, count);
        arm();
        return 0;
}

void keeper_set_refuse(struct keeper *keeper, bool refuse)
{
        keeper->store.refuse = refuse;
}

const struct server_store *keeper_store(const struct keeper *keeper)
{
        return keeper->store.maximum ? &keeper->store : NULL;
}

void keeper_end(struct keeper *keeper)
{
        for (size_t i = 0; i < keeper->store.count; i++)
                fd_close(keeper->store.kept[i].fd);
        free(keeper->store.kept);
        keeper->store = (struct server_store){0};
}
