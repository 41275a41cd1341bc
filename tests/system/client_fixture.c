// SPDX-License-Identifier: Apache-2.0
#include "client_fixture.h"

#include "support/harness.h"

#include <poll.h>
#include <string.h>

struct daemon the_daemon;
filemem_session *the_session;

filemem_session *client_open(const char *label)
{
        const struct filemem_options options = {.size = sizeof(options), .label = label};
        filemem_session *opened;

        ck_assert_msg(filemem_open(the_daemon.socket, &options, &opened) == 0, "%s",
                filemem_open_error());
        return opened;
}

void client_start(void)
{
        daemon_start(&the_daemon, "[pool default]\ncapacity = 8G\n");
        the_session = client_open("test");
}

void client_stop(void)
{
        filemem_close(the_session);
        daemon_stop(&the_daemon);
}

struct filemem_range client_allocate(uint64_t length, enum filemem_kind kind)
{
        struct filemem_range range;

        ck_assert_msg(filemem_allocate(the_session, length, kind, &range) == 0, "%s",
                filemem_last_error(the_session));
        return range;
}

unsigned char *client_map(filemem_session *from, struct filemem_range range)
{
        void *address;

        ck_assert_int_eq(filemem_map(from, range, READ_WRITE, &address), 0);
        return address;
}

struct filemem_usage client_usage(void)
{
        struct filemem_usage now;

        ck_assert_int_eq(filemem_update_usage(the_session, &now), 0);
        return now;
}

bool client_is_filled(const unsigned char *bytes, size_t size, unsigned char value)
{
        return bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Waits until nothing is reclaimable and nothing committed. */
void client_await_empty(void)
{
        struct filemem_usage now;

        for (int i = 0; i < CLIENT_PATIENCE / 10; i++) {
                now = client_usage();
                if (!now.reclaimable && !now.total)
                        return;
                poll(NULL, 0, 10);
        }
        ck_abort_msg("%llu bytes are still committed", (unsigned long long)now.total);
}
