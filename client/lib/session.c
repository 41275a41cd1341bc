// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include "call.h"
#include "connect.h"
#include "hello.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *option_text(const char *text)
{
        return text ? text : "";
}

/* Later versions of the structure are larger; those of today have at least these fields. */
static int check_options(const struct filemem_options *options)
{
        if (!options)
                return 0;
        if (options->size < sizeof(*options))
                return text_open_set(-EINVAL, "options have no size");
        if (strlen(option_text(options->pool)) > WIRE_POOL_MAX)
                return text_open_set(-EINVAL, "pool is longer than %u bytes", WIRE_POOL_MAX);
        if (strlen(option_text(options->label)) > WIRE_LABEL_MAX)
                return text_open_set(-EINVAL, "label is longer than %u bytes", WIRE_LABEL_MAX);
        return 0;
}

/* What needs nothing but memory. */
static int prepare(filemem_session *session)
{
        int r = fork_guard_init(&session->guard);

        if (r < 0)
                return text_open_set(
                        r, "this kernel cannot tell a forked child: %s", strerrordesc_np(-r));
        r = call_init(session);
        return r < 0 ? text_open_set(r, "this process is out of memory") : 0;
}

static int open_session(
        filemem_session *session, const char *socket, const struct filemem_options *options)
{
        int r = prepare(session);

        if (r < 0)
                return r;
        r = connect_daemon(socket);
        if (r < 0)
                return r;
        session->socket = r;
        r = hello(session, options ? options->pool : NULL, options ? options->label : NULL);
        if (r < 0)
                return r;
        r = window_init(&session->window, session->memfd, session->capacity, session->chunk_size);
        return r < 0 ? text_open_set(r, "this process is out of memory") : 0;
}

int filemem_open(const char *socket, const struct filemem_options *options, filemem_session **ret)
{
        filemem_session *session;
        int r;

        text_open_clear();
        text_clear();
        if (!ret)
                return text_open_set(-EINVAL, "no place for the session");
        r = check_options(options);
        if (r < 0)
                return r;
        session = calloc(1, sizeof(*session));
        if (!session)
                return text_open_set(-ENOMEM, "this process is out of memory");
        session->socket = -1;
        session->memfd = -1;
        atomic_store(&session->exec, -1);
        r = open_session(session, socket, options);
        if (r < 0) {
                filemem_close(session);
                return r;
        }
        *ret = session;
        return 0;
}

/*
 * Sends nothing, takes no lock and follows no list that another thread could have been changing: in
 * a forked child it is as safe as in the parent.
 */
filemem_session *filemem_close(filemem_session *session)
{
        int saved = errno;

        if (!session)
                return NULL;
        window_deinit(&session->window);
        call_deinit(session);
        if (session->memfd >= 0)
                close(session->memfd);
        if (session->socket >= 0)
                close(session->socket);
        fork_guard_deinit(&session->guard);
        free(session);
        errno = saved;
        return NULL;
}

int filemem_fd(const filemem_session *session)
{
        if (!session)
                return -EINVAL;
        return fork_guard_is_child(&session->guard) ? -ECHILD : session->memfd;
}

size_t filemem_page_size(const filemem_session *session)
{
        return session ? (size_t)session->page_size : 0;
}

uint64_t filemem_capacity(const filemem_session *session)
{
        return session ? session->capacity : 0;
}

uint64_t filemem_session_id(const filemem_session *session)
{
        return session ? session->id : 0;
}
