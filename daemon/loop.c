// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include "base/clock.h"
#include "proto/busy_poll.h"

/* Returns whether something came from a client. */
static bool poll_for(struct event_base *base, const struct server *server, uint64_t time)
{
        uint64_t before = server_arrivals(server), until = clock_now() + time;

        do {
                event_base_loop(base, EVLOOP_NONBLOCK);
                if (server_arrivals(server) != before)
                        return true;
        } while (!event_base_got_break(base) && clock_now() < until);
        return false;
}

void loop_run(struct event_base *base, struct server *server, const uint64_t *busy_poll)
{
        struct busy_poll state = {0};

        do {
                unsigned rank = server_take_rank(server);

                if (*busy_poll && busy_poll_is_worth_it(&state, rank)) {
                        bool found = poll_for(base, server, *busy_poll);

                        busy_poll_learn(&state, found);
                        if (found)
                                continue;
                }
                if (!event_base_got_break(base) && event_base_loop(base, EVLOOP_ONCE) != 0)
                        return; /* there is nothing to wait for, or no way to */
        } while (!event_base_got_break(base));
}
