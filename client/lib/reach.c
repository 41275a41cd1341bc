// SPDX-License-Identifier: Apache-2.0
#include "reach.h"

#include "connect.h"
#include "deadline.h"
#include "hello.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

/* How long a daemon may take to be there again, which takes the one of systemd a third of a second.
 */
#define AGAIN_MAX   UINT64_C(5000000000) /* ns */
#define PAUSE_FIRST 10                   /* ms; each one twice the one before */
#define PAUSE_MAX   640

static void hang_up(filemem_session *session)
{
        close(session->socket);
        session->socket = -1;
}

/* Returns 0, a negative errno, or HELLO_CUT_OFF. */
static int try(filemem_session *session, const char *path, const struct filemem_options *options,
        uint64_t deadline)
{
        int r = connect_path(path, deadline);

        if (r < 0)
                return r;
        session->socket = r;
        r = hello(session, options, deadline);
        if (r)
                hang_up(session);
        return r;
}

/* A daemon was there and went. Returns as try(). */
static int try_again(filemem_session *session, const char *path,
        const struct filemem_options *options, uint64_t deadline)
{
        int pause = PAUSE_FIRST, r;

        do {
                poll(NULL, 0, pause);
                pause = pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
                r = try(session, path, options, deadline);
                /* Nobody listens yet, or the place to wait in is full. */
                if (r == -ECONNREFUSED || r == -ETIMEDOUT)
                        r = HELLO_CUT_OFF;
        } while (r == HELLO_CUT_OFF && !deadline_is_over(deadline));
        return r;
}

int reach(filemem_session *session, const char *path, const struct filemem_options *options)
{
        uint64_t deadline = deadline_begin();
        bool connected = session->socket >= 0;
        int r;

        if (!connected && !path) {
                r = connect_inherited(&session->socket);
                if (r < 0)
                        return r;
                connected = r > 0;
        }
        if (connected)
                r = hello(session, options, deadline);
        else
                r = try(session, path, options, deadline);
        if (r == HELLO_CUT_OFF && !connected)
                r = try_again(session, path, options,
                        deadline_earlier(deadline, deadline_after(AGAIN_MAX)));
        return r == HELLO_CUT_OFF ? text_open_set(-ECONNRESET, "the daemon hung up") : r;
}
