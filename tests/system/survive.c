// SPDX-License-Identifier: Apache-2.0
#include "system/test_survive.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct manager manager;

const Filemem__ToClient *survive_greet(struct raw *raw, const char *label)
{
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = WIRE_MAJOR;
        hello.minor = WIRE_MINOR;
        hello.label = (char *)(uintptr_t)label;
        hello.resumable = true;
        return raw_greet(raw, &hello);
}

void survive_open(struct raw *raw, const char *label)
{
        const Filemem__ToClient *answer;

        raw_connect(raw, manager.socket);
        answer = survive_greet(raw, label);
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        ck_assert(answer->welcome->survives);
}

static void send_hello(struct raw *raw, bool private_pool)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Hello hello = FILEMEM__HELLO__INIT;

        hello.major = WIRE_MAJOR;
        hello.resumable = true;
        hello.private_pool = private_pool;
        message.body_case = FILEMEM__TO_DAEMON__BODY_HELLO;
        message.hello = &hello;
        (void)raw_try_send(raw, &message);
}

/* What a daemon had not read when it died makes the end a reset. */
static bool is_reset(const struct raw *raw)
{
        struct pollfd end = {.fd = raw->fd, .events = POLLIN};
        char byte;

        return poll(&end, 1, 30000) == 1 && recv(raw->fd, &byte, 1, MSG_PEEK) < 0 &&
               errno == ECONNRESET;
}

void survive_open_anyway(struct raw *raw, bool private_pool)
{
        const Filemem__ToClient *answer;

        for (;;) {
                raw_connect(raw, manager.socket);
                send_hello(raw, private_pool);
                while ((answer = is_reset(raw) ? NULL : raw_receive(raw)) &&
                        answer->body_case == FILEMEM__TO_CLIENT__BODY_RESUMED) {
                        survive_say_resume(raw);
                        send_hello(raw, private_pool);
                }
                if (answer)
                        break;
                raw_close(raw);
        }
        ck_assert_int_eq(answer->body_case, FILEMEM__TO_CLIENT__BODY_WELCOME);
        ck_assert(answer->welcome->survives);
        raw->session = answer->welcome->session;
}

void survive_say_resume(struct raw *raw)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Resume resume = FILEMEM__RESUME__INIT;

        message.body_case = FILEMEM__TO_DAEMON__BODY_RESUME;
        message.resume = &resume;
        raw_send(raw, &message);
}

uint64_t survive_resume(struct raw *raw)
{
        const Filemem__ToClient *message = raw_receive(raw);
        uint64_t last;

        ck_assert_ptr_nonnull(message);
        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_RESUMED);
        last = message->resumed->last_applied;
        survive_say_resume(raw);
        return last;
}

void survive_send(struct raw *raw, uint64_t id, struct raw_operation *operations, size_t count,
        bool acknowledge)
{
        Filemem__ToDaemon message = FILEMEM__TO_DAEMON__INIT;
        Filemem__Request request = FILEMEM__REQUEST__INIT;
        Filemem__Operation *list[256];

        for (size_t i = 0; i < count; i++)
                list[i] = &operations[i].operation;
        request.id = id;
        request.operations = list;
        request.n_operations = count;
        request.acknowledge = acknowledge;
        message.body_case = FILEMEM__TO_DAEMON__BODY_REQUEST;
        message.request = &request;
        raw_send(raw, &message);
}

const Filemem__Reply *survive_call(
        struct raw *raw, struct raw_operation *operations, size_t count, uint64_t *events)
{
        uint64_t id = raw->next_id++;

        survive_send(raw, id, operations, count, true);
        for (;;) {
                const Filemem__ToClient *message = raw_receive(raw);

                ck_assert_ptr_nonnull(message);
                switch (message->body_case) {
                case FILEMEM__TO_CLIENT__BODY_RESUMED:
                        survive_say_resume(raw);
                        survive_send(raw, id, operations, count, true);
                        break;
                case FILEMEM__TO_CLIENT__BODY_EVENT:
                        if (events)
                                *events |= UINT64_C(1) << message->event->operation;
                        break;
                default:
                        ck_assert_int_eq(message->body_case, FILEMEM__TO_CLIENT__BODY_REPLY);
                        ck_assert_uint_eq(message->reply->id, id);
                        return message->reply;
                }
        }
}

void survive_restart(int number)
{
        manager_kill(&manager, number);
        manager_start(&manager);
}

size_t survive_count_sessions(void)
{
        struct raw_operation operation;
        struct raw raw;
        size_t count;

        raw_open(&raw, manager.socket, "counts");
        raw_sessions(&operation, 0, 0);
        count = raw_do(&raw, &operation)->sessions->n_sessions;
        raw_close(&raw);
        return count;
}

void survive_await_sessions(size_t count)
{
        size_t found = 0;

        for (int i = 0; i < 3000; i++) {
                found = survive_count_sessions() - 1;
                if (found == count)
                        return;
                usleep(10000);
        }
        ck_abort_msg("%zu sessions, not %zu", found, count);
}

/* Returns how often the daemon was started for it. */
static unsigned live_once(const char *config, long crash_at, void (*live)(void))
{
        unsigned starts;

        manager_init(&manager, config, 64);
        manager_set_restarts(&manager, true);
        manager_launch(&manager, crash_at);
        live();
        /* What is left: the journal of sessions, and memory and journal of the default pool. */
        manager_await_count(&manager, 0, 3);
        starts = manager.starts;
        ck_assert_uint_eq(manager.dropped, 0);
        ck_assert_uint_eq(manager.others, 0);
        manager_deinit(&manager);
        return starts;
}

long survive_every_step(const char *config, void (*live)(void))
{
        long n = 1;

        while (live_once(config, n, live) > 1)
                n += harness_slowness();
        return n;
}
