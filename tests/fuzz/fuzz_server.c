// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz_server.h"
#include "fuzz/fuzz_store.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "memory/private.h"
#include "server/closer.h"
#include "server/server.h"
#include "server/state.h"

#include <dirent.h>
#include <event2/event.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE (10 * NSEC_PER_SEC) /* until everything has to have ended */

/* Some answers that are not read fill it. */
#define SMALL_BUFFER 8192

static struct event_base *base;
static struct memory *memory;
static struct server *server;
static size_t fds_before;

static size_t count_fds(void)
{
        DIR *folder = opendir("/proc/self/fd");
        const struct dirent *entry;
        size_t count = 0;

        check(folder);
        while ((entry = readdir(folder)))
                count += entry->d_name[0] != '.';
        closedir(folder);
        return count;
}

/* The closer may be left behind, where the machine is that busy, with what it has still to close.
 */
static void expect_no_fds(void)
{
        for (int i = 0; count_fds() != fds_before; i++) {
                check(i < 60 * 100);
                usleep(10000);
        }
}

/* Nobody connects to it: sessions come from socket pairs, which is as good to the server. */
static int make_listener(void)
{
        const struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        check(fd >= 0);
        /* Without a name the kernel finds one. */
        check(bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
        check(listen(fd, 1) == 0);
        return fd;
}

/* Everybody may be in the one pool, and make others; and all are the user that may administer. */
static const struct pool_options pool_options = {.name = "default", .capacity = CHUNK_SIZE};
static const struct access everybody = {.join.everybody = true};
static const struct pools_rule rule = {.options = &pool_options, .access = &everybody};

static const struct pools_config config = {
        .admin_group = POOLS_NO_GROUP,
        .private_pools = {.options = &pool_options, .access = &everybody},
        .pools = &rule,
        .count = 1,
};

/* Nobody else reads the configuration again. */
static void reload(void *context, struct server_waiter *waiter)
{
        int r = server_configure(context, &config);

        waiter->done(waiter, r, "it could not be read again");
}

void fuzz_server_start(bool kept)
{
        const struct memory_options memory_options = {.accounting = ACCOUNTING_BEST};

        log_setup(LOG_LEVEL_ERROR, false);
        fds_before = count_fds();
        base = event_base_new();
        check(base);
        check(memory_new(&memory_options, &memory) == 0);
        check(server_new_kept(base, make_listener(), memory, &config,
                      kept ? fuzz_store_open() : NULL, &server) == 0);
        server_set_reload(server, reload, server);
}

int fuzz_server_connect(bool small)
{
        const int size = SMALL_BUFFER;
        int ends[2];

        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        if (small)
                check(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
        session_new(server, ends[0]);
        return ends[1];
}

void fuzz_server_turn(void)
{
        event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What failed is tried again later: it is later already. */
static uint64_t later(void)
{
        return clock_now() + 2 * RECLAIM_RETRY_AFTER;
}

void fuzz_server_step(void)
{
        const struct served *served;

        TAILQ_FOREACH (served, &server->pools.list, link)
                reclaim_step(served->pool, later());
        scan_step(memory, clock_now());
}

static uint64_t count_sessions_in(const struct served *served)
{
        const struct session *session;
        uint64_t count = 0;

        TAILQ_FOREACH (session, &server->sessions, link)
                count += session->served == served;
        return count;
}

static void check_pool(const struct served *served)
{
        struct pool_information information;

        pool_information(served->pool, &information);
        check(served->sessions == count_sessions_in(served));
        check(information.holders == served->sessions);
        check(served->users >= served->sessions);
        pool_validate(served->pool);
}

/* What is written down is what there is: nothing else is known when the daemon dies here. */
static void check_kept(const struct served *served)
{
        struct fuzz_store_holder holders[64];
        const struct session *session;
        size_t count = 0;

        TAILQ_FOREACH (session, &server->sessions, link) {
                if (session->served != served || !session->holder || count == 64)
                        continue;
                holders[count].session = session->id;
                holders[count++].holder = session->holder;
        }
        fuzz_store_check(memory, served->pool, holders, count);
}

void fuzz_server_check_kept(void)
{
        const struct served *served;

        TAILQ_FOREACH (served, &server->pools.list, link)
                if (served->kept)
                        check_kept(served);
}

/* Beside the journal and the pools nothing is in it when all are gone. */
static void check_store(void)
{
        const struct served *served;
        size_t count = 1;

        if (!server_is_kept(server))
                return;
        TAILQ_FOREACH (served, &server->pools.list, link)
                count += served->kept ? 2 : 0;
        check(fuzz_store_count() == count);
}

void fuzz_server_check(void)
{
        const struct session *session;
        const struct served *served;
        uint64_t connections = 0, open = 0, pools = 0;

        TAILQ_FOREACH (session, &server->sessions, link) {
                connections++;
                open += session->greeted;
        }
        check(server->connections == connections);
        check(server->open_sessions == open);
        TAILQ_FOREACH (served, &server->pools.list, link) {
                pools++;
                check_pool(served);
        }
        check(server->pools.count == pools);
}

/* A session whose client holds itself alive, in messages that it is not read from, has its time. */
static void let_time_pass(void)
{
        struct session *session;

        TAILQ_FOREACH (session, &server->sessions, link)
                if (!session->ended && channel_blocked(&session->channel))
                        event_active(&session->writable, EV_TIMEOUT, 0);
}

/* Threads' work and the loop, until the last session is gone; the closer has a thread of its own.
 */
static void end_sessions(void)
{
        uint64_t deadline = clock_now() + PATIENCE;

        for (int i = 0; !TAILQ_EMPTY(&server->sessions); i++) {
                check(clock_now() < deadline);
                fuzz_server_turn();
                fuzz_server_step();
                if (i < 20 || closer_is_busy(server->closer))
                        continue;
                let_time_pass();
                sched_yield();
        }
}

/* What clients wrote where they held nothing is found by a scan, and punched like what is freed. */
static void check_empty(struct pool *pool)
{
        struct pool_information information;
        struct memfile_state state;
        struct pool_usage usage;

        check(scan_run(pool) == 0);
        while (reclaim_step(pool, later()) != RECLAIM_DONE)
                ;
        check(scan_run(pool) == 0);
        pool_information(pool, &information);
        pool_usage(pool, &usage);
        check(information.entries == 0 && information.holders == 0);
        check(usage.reclaimable == 0 && usage.reclaimable_committed == 0);
        for (int kind = 0; kind < KIND_COUNT; kind++)
                check(usage.allocated[kind] == 0 && usage.committed[kind] == 0);
        check(usage.exact && usage.stray == 0 && usage.total == 0);
        check(memfile_stat(&pool->file, &state) == 0 && state.stored == 0);
}

/* Private pools have ended with their sessions, and so has the default one if it was destroyed. */
static void check_pools(void)
{
        const struct served *served;

        TAILQ_FOREACH (served, &server->pools.list, link) {
                check(!served->is_private && served->users == 0);
                check_empty(served->pool);
        }
        check(server->pools.count <= 1);
}

void fuzz_server_stop(void)
{
        end_sessions();
        fuzz_server_check();
        check_pools();
        check_store();
        server_close(server);
        memory_stop(memory);
        server = server_free(server);
        memory = memory_free(memory);
        event_base_free(base);
        fuzz_store_close();
        expect_no_fds();
}
