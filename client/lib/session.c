// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include "call.h"
#include "connect.h"
#include "reach.h"
#include "text.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *option_text(const char *text)
{
        return text ? text : "";
}

/*
 * Later versions of the structure are larger; the first one ended with the label. *ret is one of
 * ours.
 */
static int take_options(const struct filemem_options *options, struct filemem_options *ret)
{
        *ret = (struct filemem_options){.size = sizeof(*ret)};
        if (!options)
                return 0;
        if (options->size < offsetof(struct filemem_options, read_only))
                return text_open_set(-EINVAL, "options have no size");
        memcpy(ret, options, options->size < sizeof(*ret) ? options->size : sizeof(*ret));
        if (strlen(option_text(ret->pool)) > WIRE_POOL_MAX)
                return text_open_set(-EINVAL, "pool is longer than %u bytes", WIRE_POOL_MAX);
        if (strlen(option_text(ret->label)) > WIRE_LABEL_MAX)
                return text_open_set(-EINVAL, "label is longer than %u bytes", WIRE_LABEL_MAX);
        return 0;
}

/* What needs nothing but memory. */
static int prepare(filemem_session *session)
{
        int r = call_init(session);

        if (r == -ENOMEM)
                return text_open_set(r, "this process is out of memory");
        return r < 0 ? text_open_set(
                               r, "this kernel cannot tell a forked child: %s", strerrordesc_np(-r))
                     : 0;
}

/* Asked for by the program, it is there or opening fails; by $FILEMEM_FENCE, as far as it can be.
 */
static int init_fence(filemem_session *session, const struct filemem_options *options)
{
        const char *wanted = secure_getenv("FILEMEM_FENCE");
        int r;

        if (!options->fence_released && (!wanted || !wanted[0]))
                return 0;
        r = fence_init(session);
        if (r == 0 || !options->fence_released)
                return 0;
        return text_open_set(r, r == -ENOMEM ? "this process is out of memory"
                                             : "this kernel cannot fence shared memory");
}

/* The daemon has answered: what is needed to map the memory. */
static int prepare_memory(filemem_session *session, const struct filemem_options *options)
{
        int protection = PROT_READ;

        if (session->memfd < 0)
                return 0;
        if (!session->read_only)
                protection |= PROT_WRITE;
        window_init(&session->window, session->memfd, session->capacity, session->chunk_size,
                protection);
        huge_init(session);
        return init_fence(session, options);
}

static void close_fd(int fd)
{
        if (fd >= 0)
                close(fd);
}

/* Connects unless there is a descriptor already, which is taken over in any case. */
static int open_session(
        const char *socket, int fd, const struct filemem_options *options, filemem_session **ret)
{
        filemem_session *session = calloc(1, sizeof(*session));
        int r;

        if (!session) {
                close_fd(fd);
                return text_open_set(-ENOMEM, "this process is out of memory");
        }
        session->socket = fd;
        session->memfd = -1;
        atomic_store(&session->exec, -1);
        r = prepare(session);
        if (r == 0)
                r = reach(session, socket, options);
        if (r == 0)
                r = prepare_memory(session, options);
        if (r < 0) {
                filemem_close(session);
                return r;
        }
        *ret = session;
        return 0;
}

int filemem_open(const char *socket, const struct filemem_options *options, filemem_session **ret)
{
        struct filemem_options known;
        int r;

        text_open_clear();
        text_clear();
        if (!ret)
                return text_open_set(-EINVAL, "no place for the session");
        r = take_options(options, &known);
        return r < 0 ? r : open_session(socket, -1, &known, ret);
}

int filemem_open_fd(int fd, const struct filemem_options *options, filemem_session **ret)
{
        struct filemem_options known;
        int r;

        text_open_clear();
        text_clear();
        if (!ret) {
                close_fd(fd);
                return text_open_set(-EINVAL, "no place for the session");
        }
        r = take_options(options, &known);
        if (r == 0)
                r = connect_check(fd);
        if (r < 0) {
                close_fd(fd);
                return r;
        }
        return open_session(NULL, fd, &known, ret);
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
        huge_deinit(session);
        fence_deinit(session);
        window_deinit(&session->window);
        call_deinit(session);
        if (session->memfd >= 0)
                close(session->memfd);
        if (session->socket >= 0)
                close(session->socket);
        free(session);
        errno = saved;
        return NULL;
}

int filemem_fd(const filemem_session *session)
{
        if (!session)
                return -EINVAL;
        if (fork_guard_is_child(&session->guard))
                return -ECHILD;
        return session->memfd < 0 ? -EACCES : session->memfd;
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

bool filemem_is_read_only(const filemem_session *session)
{
        return session && session->read_only;
}
