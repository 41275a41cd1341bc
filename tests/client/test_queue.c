// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)

static struct peer peer;
static filemem_session *session;
static filemem_queue *queue;

#define require(condition)                                                                         \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        abort();                                                                   \
        } while (0)

/* ---- a peer that does what it is asked ---------------------------------------------------------
 */

#define UNLUCKY 13 /* page that nobody gets */

static atomic_uint requests, operations, given_back;
static uint64_t next_page;

static const struct filemem_range unlucky = {UNLUCKY * PEER_PAGE, (UNLUCKY + 1) * PEER_PAGE};

struct answer {
        Filemem__Result results[WIRE_OPERATIONS_MAX];
        Filemem__Result *pointers[WIRE_OPERATIONS_MAX];
        Filemem__Allocated allocated[WIRE_OPERATIONS_MAX];
        Filemem__UsageReport usage;
        size_t count;
};

static bool is_unlucky(const Filemem__Operation *operation)
{
        return operation->body_case == FILEMEM__OPERATION__BODY_DECREF &&
               operation->decref->start == UNLUCKY * PEER_PAGE;
}

static void fill_result(struct answer *answer, const Filemem__Operation *operation)
{
        Filemem__Result *result = &answer->results[answer->count];
        Filemem__Allocated *allocated = &answer->allocated[answer->count];

        filemem__result__init(result);
        answer->pointers[answer->count++] = result;
        if (is_unlucky(operation)) {
                result->status = FILEMEM__STATUS__STATUS_EACCES;
                result->text = (char *)(uintptr_t) "unlucky";
        } else if (operation->body_case == FILEMEM__OPERATION__BODY_ALLOCATE) {
                filemem__allocated__init(allocated);
                allocated->start = next_page++ * PEER_PAGE;
                allocated->end = allocated->start + operation->allocate->length;
                result->body_case = FILEMEM__RESULT__BODY_ALLOCATED;
                result->allocated = allocated;
        } else if (operation->body_case == FILEMEM__OPERATION__BODY_USAGE) {
                filemem__usage_report__init(&answer->usage);
                answer->usage.total = 4711;
                result->body_case = FILEMEM__RESULT__BODY_USAGE;
                result->usage = &answer->usage;
        }
}

static void answer(struct peer *where, const Filemem__Request *request)
{
        static struct answer answer;
        Filemem__ToClient message = FILEMEM__TO_CLIENT__INIT;
        Filemem__Reply reply = FILEMEM__REPLY__INIT;
        unsigned lost = 0;

        answer.count = 0;
        for (size_t i = 0; i < request->n_operations; i++) {
                const Filemem__Operation *operation = request->operations[i];

                atomic_fetch_add(&operations, 1);
                if (!operation->no_reply)
                        fill_result(&answer, operation);
                else if (is_unlucky(operation))
                        lost++;
                else
                        atomic_fetch_add(&given_back, 1);
        }
        atomic_fetch_add(&requests, 1);
        reply.id = request->id;
        reply.results = answer.pointers;
        reply.n_results = answer.count;
        message.body_case = FILEMEM__TO_CLIENT__BODY_REPLY;
        message.reply = &reply;
        if (answer.count || request->acknowledge)
                peer_send(where, &message, NULL, 0);
        for (unsigned i = 0; i < lost; i++)
                peer_send_event(where, request->id, FILEMEM__STATUS__STATUS_EACCES, "unlucky");
}

static void answer_all(struct peer *where)
{
        const Filemem__ToDaemon *message;

        while ((message = peer_receive(where))) {
                require(message->body_case == FILEMEM__TO_DAEMON__BODY_REQUEST);
                answer(where, message->request);
        }
}

static void serve(struct peer *where)
{
        peer_greet(where);
        answer_all(where);
}

static void begin(void (*script)(struct peer *peer))
{
        peer_start(&peer, script, NULL);
        session = peer_open(&peer);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
}

static void end(void)
{
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        ck_assert_ptr_null(filemem_queue_close(queue));
        filemem_close(session);
        peer_stop(&peer);
}

/* ---- submitting and completing -----------------------------------------------------------------
 */

static struct {
        unsigned count;
        unsigned wrong;
        uint64_t last; /* data of the one before */
        int result;
        struct filemem_range range;
        char text[32];
} seen;

static void see(const struct filemem_completion *completion)
{
        uint64_t number = (uint64_t)(uintptr_t)completion->data;

        seen.count++;
        seen.wrong += number && number != ++seen.last;
        seen.result = completion->result;
        seen.range = completion->range;
        strncpy(seen.text, completion->text, sizeof(seen.text) - 1);
}

static struct filemem_operation operation(enum filemem_code code, uintptr_t data)
{
        return (struct filemem_operation){
                .code = code,
                .range = {PEER_PAGE, 2 * PEER_PAGE},
                .length = PEER_PAGE,
                .kind = FILEMEM_TMPFS,
                .done = see,
                .data = (void *)data,
        };
}

static int submit(enum filemem_code code, uintptr_t data)
{
        struct filemem_operation one = operation(code, data);

        return filemem_submit(queue, &one, 1);
}

START_TEST(any_number_is_done_in_order_in_as_few_messages_as_can_be)
{
        begin(serve);
        for (uintptr_t i = 1; i <= 1000; i++)
                ck_assert_int_eq(submit(i % 2 ? FILEMEM_DO_ALLOCATE : FILEMEM_DO_INCREF, i), 0);
        ck_assert_uint_eq(filemem_under_way(queue), 1000);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(filemem_under_way(queue), 0);
        ck_assert_uint_eq(seen.count, 1000);
        ck_assert_uint_eq(seen.wrong, 0);
        ck_assert_int_eq(seen.result, 0);
        ck_assert_uint_eq(atomic_load(&requests), 4);
        end();
}
END_TEST

START_TEST(many_are_submitted_at_once)
{
        static struct filemem_operation many[700];

        begin(serve);
        for (size_t i = 0; i < 700; i++)
                many[i] = operation((enum filemem_code)(i % 6), i + 1);
        for (size_t i = 4; i < 700; i += 6)
                many[i].done = NULL;
        ck_assert_int_eq(filemem_submit(queue, many, 700), 0);
        ck_assert_int_eq(filemem_submit(queue, NULL, 0), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        /* Without the releases, which are every sixth. */
        ck_assert_uint_eq(seen.count, 700 - 116);
        ck_assert_uint_eq(atomic_load(&operations), 700);
        ck_assert_uint_eq(atomic_load(&given_back), 116);
        end();
}
END_TEST

START_TEST(what_is_not_full_goes_when_it_is_flushed)
{
        begin(serve);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        poll(NULL, 0, 20);
        ck_assert_uint_eq(atomic_load(&requests), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        while (atomic_load(&requests) == 0)
                poll(NULL, 0, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 1);
        end();
}
END_TEST

START_TEST(each_has_its_own_result_and_sentence)
{
        struct filemem_operation bad = operation(FILEMEM_DO_DECREF, 2);

        begin(serve);
        next_page = 7;
        bad.range = unlucky;
        ck_assert_int_eq(submit(FILEMEM_DO_ALLOCATE, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(seen.result, 0);
        ck_assert_uint_eq(seen.range.start, 7 * PEER_PAGE);
        ck_assert_uint_eq(seen.range.end, 8 * PEER_PAGE);
        ck_assert_int_eq(filemem_submit(queue, &bad, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(seen.result, -EACCES);
        ck_assert_str_eq(seen.text, "unlucky");
        ck_assert_uint_eq(seen.range.start, unlucky.start);
        end();
}
END_TEST

START_TEST(what_has_no_callback_is_had_one_by_one)
{
        struct filemem_operation mine[4];
        struct filemem_completion next;
        unsigned count = 0;
        int r;

        begin(serve);
        for (uintptr_t i = 0; i < 4; i++) {
                mine[i] = operation(i == 2 ? FILEMEM_DO_USAGE : FILEMEM_DO_DECREF, i + 1);
                mine[i].done = i == 1 ? see : NULL;
        }
        mine[1].data = NULL;
        mine[3].range = unlucky;
        ck_assert_int_eq(filemem_next(queue, &next), 0);
        ck_assert_int_eq(filemem_submit(queue, mine, 4), 0);
        while (count < 3) {
                while ((r = filemem_next(queue, &next)) == 0)
                        poll(NULL, 0, 1);
                ck_assert_int_eq(r, 1);
                count++;
                ck_assert_uint_eq((uintptr_t)next.data, count == 1 ? 1 : count + 1);
        }
        ck_assert_int_eq(next.result, -EACCES);
        ck_assert_str_eq(next.text, "unlucky");
        ck_assert_ptr_null(next.usage);
        ck_assert_int_eq(filemem_next(queue, &next), 0);
        ck_assert_uint_eq(seen.count, 1);

        mine[2].data = &count;
        ck_assert_int_eq(filemem_submit(queue, &mine[2], 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(filemem_next(queue, &next), 1);
        ck_assert_ptr_eq(next.data, &count);
        ck_assert_uint_eq(next.usage->total, 4711);
        end();
}
END_TEST

START_TEST(what_is_plainly_wrong_is_refused_and_with_it_all_that_comes_along)
{
        static struct filemem_operation wrong[9];
        struct filemem_operation two[2];
        struct filemem_completion next;

        begin(serve);
        for (size_t i = 0; i < 9; i++)
                wrong[i] = operation(FILEMEM_DO_ALLOCATE, 1);
        wrong[0].code = (enum filemem_code)77;
        wrong[1].length = 1;
        wrong[2].kind = FILEMEM_KINDS;
        wrong[3].mode = FILEMEM_POPULATE;
        wrong[4].flags = 2;
        wrong[5].reserved[1] = 1;
        wrong[6].code = FILEMEM_DO_RELEASE;
        wrong[6].range.end = 1;
        wrong[7].code = FILEMEM_DO_DECOMMIT;
        wrong[7].range.end = PEER_CAPACITY + PEER_PAGE;
        wrong[8].length = 0;
        for (size_t i = 0; i < 9; i++) {
                two[0] = operation(FILEMEM_DO_PING, 1);
                two[1] = wrong[i];
                ck_assert_int_eq(filemem_submit(queue, two, 2), -EINVAL);
                ck_assert_str_ne(filemem_last_error(session), "");
        }
        ck_assert_uint_eq(filemem_under_way(queue), 0);
        ck_assert_int_eq(filemem_submit(NULL, two, 1), -EINVAL);
        ck_assert_int_eq(filemem_submit(queue, NULL, 1), -EINVAL);
        ck_assert_int_eq(filemem_next(queue, NULL), -EINVAL);
        ck_assert_int_eq(filemem_next(NULL, &next), -EINVAL);
        ck_assert_int_eq(filemem_wait(NULL, 0), -EINVAL);
        ck_assert_int_eq(filemem_dispatch(NULL), -EINVAL);
        ck_assert_int_eq(filemem_flush(NULL), -EINVAL);
        ck_assert_int_eq(filemem_queue_fd(NULL), -EINVAL);
        ck_assert_int_eq(filemem_queue_open(session, NULL, NULL), -EINVAL);
        ck_assert_uint_eq(filemem_under_way(NULL), 0);
        ck_assert_ptr_null(filemem_queue_close(NULL));
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 0);
        end();
}
END_TEST

START_TEST(without_memory_nothing_is_submitted)
{
        static struct filemem_operation many[600];

        begin(serve);
        for (size_t i = 0; i < 600; i++)
                many[i] = operation(FILEMEM_DO_PING, i + 1);
        /* Three batches of a mapping each; those that were had stay. */
        for (long n = 0; n < 3; n++) {
                fault_map_at(0);
                ck_assert_int_eq(filemem_submit(queue, many, 600), -ENOMEM);
                ck_assert_uint_eq(filemem_under_way(queue), 0);
                fault_map_at(-1);
                ck_assert_int_eq(filemem_submit(queue, many, (size_t)n * 256 + 1), 0);
                seen.last = 0;
                ck_assert_int_eq(filemem_wait(queue, 0), 0);
        }
        seen.count = 0;
        seen.last = 0;
        ck_assert_int_eq(filemem_submit(queue, many, 600), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 600);
        ck_assert_uint_eq(seen.wrong, 0);
        end();
}
END_TEST

static unsigned rounds;

static void submit_again(const struct filemem_completion *completion)
{
        struct filemem_operation next = operation(FILEMEM_DO_PING, 0);

        (void)completion;
        next.done = submit_again;
        if (++rounds < 100 && filemem_submit(queue, &next, 1) < 0)
                abort();
        if (filemem_ping(session) < 0)
                abort();
}

START_TEST(a_callback_may_submit_more_and_call_the_session)
{
        struct filemem_operation first = operation(FILEMEM_DO_PING, 0);

        begin(serve);
        first.done = submit_again;
        ck_assert_int_eq(filemem_submit(queue, &first, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(rounds, 100);
        end();
}
END_TEST

/* ---- releases ----------------------------------------------------------------------------------
 */

static struct {
        uint64_t count;
        int error;
        char text[32];
} lost;

static void lose(void *data, uint64_t count, int error, const char *text)
{
        if (data != &lost)
                abort();
        lost.count += count;
        lost.error = error;
        strncpy(lost.text, text, sizeof(lost.text) - 1);
}

START_TEST(refused_releases_are_told_to_the_handler)
{
        const struct filemem_queue_options options = {
                .size = sizeof(options), .lost = lose, .data = &lost};
        struct filemem_operation release = operation(FILEMEM_DO_RELEASE, 0);

        begin(serve);
        filemem_queue_close(queue);
        ck_assert_int_eq(filemem_queue_open(session, &options, &queue), 0);
        release.range = unlucky;
        for (unsigned i = 0; i < 300; i++)
                ck_assert_int_eq(filemem_submit(queue, &release, 1), 0);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        while (lost.count < 300) {
                ck_assert_int_ge(filemem_dispatch(queue), 0);
                poll(NULL, 0, 1);
        }
        ck_assert_uint_eq(lost.count, 300);
        ck_assert_int_eq(lost.error, -EACCES);
        ck_assert_str_eq(lost.text, "unlucky");
        ck_assert_uint_eq(filemem_lost_errors(session, NULL, NULL, 0), 300);
        end();
}
END_TEST

START_TEST(releases_alone_are_used_up)
{
        struct filemem_operation release = operation(FILEMEM_DO_RELEASE, 0);
        unsigned count = 100000 / harness_slowness();

        begin(serve);
        for (unsigned i = 0; i < count; i++) {
                ck_assert_int_eq(filemem_submit(queue, &release, 1), 0);
                if (i % 5000 == 0)
                        ck_assert_int_eq(filemem_ping(session), 0);
        }
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(atomic_load(&given_back), count);
        end();
}
END_TEST

/* ---- waiting -----------------------------------------------------------------------------------
 */

static void answer_when_told(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
        answer_all(where);
}

START_TEST(waiting_keeps_to_the_timeout_and_the_operations_go_on)
{
        begin(answer_when_told);
        filemem_set_timeout(20 * MILLISECOND);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), -ETIMEDOUT);
        ck_assert_uint_eq(filemem_under_way(queue), 1);
        ck_assert_int_eq(filemem_dispatch(queue), 0);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 1);
        end();
}
END_TEST

START_TEST(submitting_never_waits)
{
        unsigned count = 200000 / harness_slowness();

        begin(answer_when_told);
        for (uintptr_t i = 1; i <= count; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_DECREF, i), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, count);
        ck_assert_uint_eq(seen.wrong, 0);
        end();
}
END_TEST

/* ---- event loops -------------------------------------------------------------------------------
 */

static bool is_readable(int fd, int timeout)
{
        struct pollfd wanted = {.fd = fd, .events = POLLIN};

        return poll(&wanted, 1, timeout) == 1;
}

START_TEST(the_descriptor_wakes_for_answers)
{
        int fd;

        begin(serve);
        fd = filemem_queue_fd(queue);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(filemem_queue_fd(queue), fd);
        ck_assert(!is_readable(fd, 0));
        for (uintptr_t i = 1; i <= 50; i++) {
                ck_assert_int_eq(submit(FILEMEM_DO_PING, i), 0);
                ck_assert_int_eq(filemem_flush(queue), 0);
                ck_assert(is_readable(fd, 5000));
                ck_assert_int_eq(filemem_dispatch(queue), 1);
                ck_assert(!is_readable(fd, 0));
        }
        ck_assert_uint_eq(seen.count, 50);
        end();
}
END_TEST

static void *ping(void *argument)
{
        (void)argument;
        return (void *)(intptr_t)filemem_ping(session);
}

START_TEST(the_descriptor_wakes_for_what_another_thread_has_received)
{
        pthread_t thread;
        void *result;
        int fd;

        begin(serve);
        fd = filemem_queue_fd(queue);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        /* It comes after ours, so whoever gets it has received ours. */
        ck_assert_int_eq(pthread_create(&thread, NULL, ping, NULL), 0);
        pthread_join(thread, &result);
        ck_assert_int_eq((intptr_t)result, 0);
        ck_assert_uint_eq(seen.count, 0);
        ck_assert(is_readable(fd, 5000));
        ck_assert_int_eq(filemem_dispatch(queue), 1);
        ck_assert_uint_eq(seen.count, 1);
        ck_assert(!is_readable(fd, 0));
        end();
}
END_TEST

START_TEST(the_descriptor_wakes_for_room)
{
        unsigned count = 200000 / harness_slowness();
        int fd;

        begin(answer_when_told);
        fd = filemem_queue_fd(queue);
        for (uintptr_t i = 1; i <= count; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_PING, i), 0);
        ck_assert_int_eq(filemem_dispatch(queue), 0);
        ck_assert(!is_readable(fd, 0));
        peer_reach(&peer, 1);
        while (seen.count < count) {
                ck_assert(is_readable(fd, 5000));
                ck_assert_int_ge(filemem_dispatch(queue), 0);
        }
        ck_assert_uint_eq(seen.wrong, 0);
        end();
}
END_TEST

static void hang_up_when_told(struct peer *where)
{
        peer_greet(where);
        peer_await(where, 1);
}

START_TEST(the_descriptor_wakes_for_the_end_once)
{
        int fd;

        begin(hang_up_when_told);
        fd = filemem_queue_fd(queue);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_flush(queue), 0);
        ck_assert(!is_readable(fd, 0));
        peer_reach(&peer, 1);
        ck_assert(is_readable(fd, 5000));
        ck_assert_int_eq(filemem_dispatch(queue), 1);
        ck_assert_int_eq(seen.result, -ECONNRESET);
        ck_assert(!is_readable(fd, 0));
        ck_assert_int_eq(filemem_dispatch(queue), -ECONNRESET);
        end();
}
END_TEST

/* ---- the end -----------------------------------------------------------------------------------
 */

START_TEST(at_the_end_all_are_told_so)
{
        struct filemem_completion next;

        begin(hang_up_when_told);
        for (uintptr_t i = 1; i <= 400; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_PING, i), 0);
        peer_reach(&peer, 1);
        ck_assert_int_eq(filemem_wait(queue, 0), -ECONNRESET);
        ck_assert_uint_eq(seen.count, 400);
        ck_assert_int_eq(seen.result, -ECONNRESET);
        ck_assert_str_ne(seen.text, "");
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), -ECONNRESET);
        ck_assert_int_eq(filemem_flush(queue), -ECONNRESET);
        ck_assert_int_eq(filemem_wait(queue, 0), -ECONNRESET);
        ck_assert_int_eq(filemem_next(queue, &next), -ECONNRESET);
        end();
}
END_TEST

enum closing {
        CLOSE_BEFORE_THE_ANSWER,
        CLOSE_UNDELIVERED,
        CLOSE_HALF_POLLED,
        CLOSE_UNSENT,
        CLOSINGS
};

START_TEST(what_nobody_was_told_of_is_given_back)
{
        static struct filemem_operation many[300];
        enum closing closing = (enum closing)_i;
        struct filemem_completion next;
        unsigned kept = 0;

        begin(answer_when_told);
        next_page = UNLUCKY + 1;
        for (size_t i = 0; i < 300; i++) {
                many[i] = operation(i % 2 ? FILEMEM_DO_ALLOCATE : FILEMEM_DO_INCREF, 0);
                many[i].done = NULL;
        }
        many[299].code = FILEMEM_DO_RELEASE;
        ck_assert_int_eq(filemem_submit(queue, many, 300), 0);
        if (closing != CLOSE_BEFORE_THE_ANSWER && closing != CLOSE_UNSENT) {
                ck_assert_int_eq(filemem_flush(queue), 0);
                peer_reach(&peer, 1);
                ck_assert_int_eq(filemem_ping(session), 0);
        }
        for (; closing == CLOSE_HALF_POLLED && kept < 100; kept++)
                ck_assert_int_eq(filemem_next(queue, &next), 1);
        filemem_queue_close(queue);
        peer_reach(&peer, 1);
        /* The first one takes the answers in, the second comes after what gives back. */
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_int_eq(filemem_ping(session), 0);
        ck_assert_uint_eq(atomic_load(&given_back), 300 - kept);
        ck_assert_int_eq(filemem_queue_open(session, NULL, &queue), 0);
        ck_assert_int_eq(submit(FILEMEM_DO_PING, 1), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        end();
}
END_TEST

START_TEST(a_child_may_only_close)
{
        struct filemem_operation one = operation(FILEMEM_DO_PING, 1);
        struct filemem_completion next;
        pid_t child;
        int status;

        begin(serve);
        ck_assert_int_ge(filemem_queue_fd(queue), 0);
        ck_assert_int_eq(filemem_submit(queue, &one, 1), 0);
        child = fork();
        if (child == 0) {
                int wrong = 0;

                wrong += filemem_submit(queue, &one, 1) != -ECHILD;
                wrong += filemem_flush(queue) != -ECHILD;
                wrong += filemem_wait(queue, 0) != -ECHILD;
                wrong += filemem_dispatch(queue) != -ECHILD;
                wrong += filemem_next(queue, &next) != -ECHILD;
                wrong += filemem_queue_fd(queue) != -ECHILD;
                wrong += filemem_under_way(queue) != 0;
                filemem_queue_close(queue);
                filemem_close(session);
                _exit(wrong);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 1);
        end();
}
END_TEST

/* ---- daemons that die --------------------------------------------------------------------------
 */

static void die_in_the_middle(struct peer *where)
{
        where->survives = true;
        peer_greet(where);
        answer(where, peer_receive(where)->request);
        peer_receive(where);
        peer_send_resumed(where, 1);
        peer_await_resume(where);
        answer_all(where);
}

START_TEST(batches_are_sent_again_and_take_effect_once)
{
        begin(die_in_the_middle);
        for (uintptr_t i = 1; i <= 2000; i++)
                ck_assert_int_eq(submit(FILEMEM_DO_ALLOCATE, i), 0);
        ck_assert_int_eq(filemem_wait(queue, 0), 0);
        ck_assert_uint_eq(seen.count, 2000);
        ck_assert_uint_eq(seen.wrong, 0);
        ck_assert_uint_eq(atomic_load(&operations), 2000);
        end();
}
END_TEST

/* ---- threads -----------------------------------------------------------------------------------
 */

#define THREADS 4u

static atomic_uint completed;

static void count_completion(const struct filemem_completion *completion)
{
        atomic_fetch_add(&completed, completion->result == 0);
}

static void *submit_and_wait(void *argument)
{
        struct filemem_operation one = operation(FILEMEM_DO_DECREF, 0);
        unsigned wrong = 0;

        one.done = count_completion;
        for (unsigned i = 0; i < 5000 / harness_slowness(); i++) {
                wrong += filemem_submit(queue, &one, 1) != 0;
                if (i % 50 == 0)
                        wrong += filemem_wait(queue, i % 100 ? 10 : 0) != 0;
                if (argument && i % 20 == 0)
                        wrong += filemem_ping(session) != 0;
        }
        wrong += filemem_wait(queue, 0) != 0;
        return (void *)(uintptr_t)wrong;
}

START_TEST(threads_share_a_queue)
{
        pthread_t threads[THREADS];
        void *wrong;

        begin(serve);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(
                        pthread_create(&threads[i], NULL, submit_and_wait, i % 2 ? session : NULL),
                        0);
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(threads[i], &wrong);
                ck_assert_ptr_null(wrong);
        }
        ck_assert_uint_eq(
                atomic_load(&completed), (uintmax_t)THREADS * (5000 / harness_slowness()));
        end();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("queue");
        TCase *tests = harness_case(suite, "queue", 30);

        tcase_add_test(tests, any_number_is_done_in_order_in_as_few_messages_as_can_be);
        tcase_add_test(tests, many_are_submitted_at_once);
        tcase_add_test(tests, what_is_not_full_goes_when_it_is_flushed);
        tcase_add_test(tests, each_has_its_own_result_and_sentence);
        tcase_add_test(tests, what_has_no_callback_is_had_one_by_one);
        tcase_add_test(tests, what_is_plainly_wrong_is_refused_and_with_it_all_that_comes_along);
        tcase_add_test(tests, without_memory_nothing_is_submitted);
        tcase_add_test(tests, a_callback_may_submit_more_and_call_the_session);
        tcase_add_test(tests, refused_releases_are_told_to_the_handler);
        tcase_add_test(tests, releases_alone_are_used_up);
        tcase_add_test(tests, waiting_keeps_to_the_timeout_and_the_operations_go_on);
        tcase_add_test(tests, submitting_never_waits);
        tcase_add_test(tests, the_descriptor_wakes_for_answers);
        tcase_add_test(tests, the_descriptor_wakes_for_what_another_thread_has_received);
        tcase_add_test(tests, the_descriptor_wakes_for_room);
        tcase_add_test(tests, the_descriptor_wakes_for_the_end_once);
        tcase_add_test(tests, at_the_end_all_are_told_so);
        tcase_add_loop_test(tests, what_nobody_was_told_of_is_given_back, 0, CLOSINGS);
        tcase_add_test(tests, a_child_may_only_close);
        tcase_add_test(tests, batches_are_sent_again_and_take_effect_once);
        tcase_add_test(tests, threads_share_a_queue);
        return harness_run(suite);
}
