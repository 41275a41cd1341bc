// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "confirm.h"

#include <errno.h>

int destroy_run(filemem_session *session, const struct options *options)
{
        struct filemem_pool pool;
        int r = filemem_pool_info_of(session, options->pool, &pool);

        if (r < 0)
                return r;
        if (!confirm(options, "Destroy pool %s, with %llu sessions in it", pool.name,
                    (unsigned long long)pool.sessions))
                return -ECANCELED;
        return filemem_destroy_pool(session, options->pool);
}

int kick_run(filemem_session *session, const struct options *options)
{
        if (!confirm(options, "End session %llu", (unsigned long long)options->session))
                return -ECANCELED;
        return filemem_kick_session(session, options->session);
}

int reload_run(filemem_session *session, const struct options *options)
{
        (void)options;
        return filemem_reload(session);
}
