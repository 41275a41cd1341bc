// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"
#include "call.h"
#include "text.h"

#include <errno.h>

int filemem_destroy_pool(filemem_session *session, const char *pool)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__DestroyPool destroy = FILEMEM__DESTROY_POOL__INIT;
        int r;

        if (!session || !pool)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &destroy.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_DESTROY_POOL;
        operation.destroy_pool = &destroy;
        return call_simple(session, &operation);
}

int filemem_kick_session(filemem_session *session, uint64_t id)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__KickSession kick = FILEMEM__KICK_SESSION__INIT;

        if (!session)
                return -EINVAL;
        kick.session = id;
        operation.body_case = FILEMEM__OPERATION__BODY_KICK_SESSION;
        operation.kick_session = &kick;
        return call_simple(session, &operation);
}

int filemem_reload(filemem_session *session)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Reload reload = FILEMEM__RELOAD__INIT;

        if (!session)
                return -EINVAL;
        operation.body_case = FILEMEM__OPERATION__BODY_RELOAD;
        operation.reload = &reload;
        return call_simple(session, &operation);
}

int filemem_trim(filemem_session *session, const char *pool, uint64_t *ret)
{
        Filemem__Operation operation = FILEMEM__OPERATION__INIT;
        Filemem__Trim trim = FILEMEM__TRIM__INIT;
        struct exchange *exchange;
        Filemem__Result *result;
        int r;

        if (!session)
                return -EINVAL;
        r = arguments_check_pool(session, pool, &trim.pool);
        if (r < 0)
                return r;
        operation.body_case = FILEMEM__OPERATION__BODY_TRIM;
        operation.trim = &trim;
        r = call_begin(session, &operation, FILEMEM__RESULT__BODY_TRIMMED, &exchange, &result);
        if (r < 0)
                return r;
        if (ret)
                *ret = result->trimmed->given_back;
        call_end(session, exchange);
        return 0;
}
