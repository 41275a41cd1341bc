// SPDX-License-Identifier: Apache-2.0
/* What tells a forked child: one page for all sessions of a process. */
#include "fork.h"

#include "fault_map.h"
#include "support/harness.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fork_guard make(void)
{
        struct fork_guard guard;

        ck_assert_int_eq(fork_guard_init(&guard), 0);
        ck_assert(!fork_guard_is_child(&guard));
        return guard;
}

static void check_child(pid_t child)
{
        int status;

        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* With a guard of each generation so far: in a child all of them are those of ancestors. */
#define GENERATIONS 4

static int descend(struct fork_guard *guards, int count)
{
        int wrong = 0, status;
        pid_t child;

        for (int i = 0; i < count; i++)
                wrong += !fork_guard_is_child(&guards[i]);
        wrong += fork_guard_init(&guards[count]) < 0;
        for (int i = 0; i < count; i++)
                wrong += !fork_guard_is_child(&guards[i]);
        wrong += fork_guard_is_child(&guards[count]);
        if (count + 1 == GENERATIONS || wrong)
                return wrong;
        child = fork();
        if (child == 0)
                _exit(descend(guards, count + 1));
        wrong += waitpid(child, &status, 0) != child || status != 0;
        /* What a child made is nothing to its parent. */
        wrong += fork_guard_is_child(&guards[count]);
        return wrong;
}

START_TEST(each_generation_knows_its_own_guards_from_those_of_its_ancestors)
{
        struct fork_guard guards[GENERATIONS];

        ck_assert_int_eq(descend(guards, 0), 0);
}
END_TEST

START_TEST(a_child_without_guards_of_its_own_leaves_its_number_to_its_children)
{
        struct fork_guard guard = make();
        pid_t child = fork();

        if (child == 0) {
                struct fork_guard mine;
                int status, wrong = 0;

                child = fork();
                if (child == 0) {
                        wrong += !fork_guard_is_child(&guard);
                        wrong += fork_guard_init(&mine) < 0 || fork_guard_is_child(&mine);
                        wrong += !fork_guard_is_child(&guard);
                        _exit(wrong);
                }
                wrong += waitpid(child, &status, 0) != child || status != 0;
                wrong += fork_guard_init(&mine) < 0 || fork_guard_is_child(&mine);
                wrong += !fork_guard_is_child(&guard);
                _exit(wrong);
        }
        check_child(child);
        ck_assert(!fork_guard_is_child(&guard));
        make();
}
END_TEST

START_TEST(a_page_that_cannot_be_made_is_told_and_can_be_tried_again)
{
        struct fork_guard guard;
        pid_t child;

        fault_map_at(0);
        ck_assert_int_eq(fork_guard_init(&guard), -ENOMEM);
        ck_assert(fault_map_happened());
        fault_advise(EINVAL);
        ck_assert_int_eq(fork_guard_init(&guard), -EINVAL);
        guard = make();
        /* One is enough. */
        fault_map_at(0);
        make();
        ck_assert(!fault_map_happened());
        child = fork();
        if (child == 0)
                _exit(!fork_guard_is_child(&guard));
        check_child(child);
}
END_TEST

#define THREADS 8

static pthread_barrier_t barrier;

static void *make_with_others(void *argument)
{
        struct fork_guard *guard = argument;

        pthread_barrier_wait(&barrier);
        if (fork_guard_init(guard) < 0)
                guard->word = NULL;
        return NULL;
}

START_TEST(threads_that_come_together_have_one_page_and_one_generation)
{
        struct fork_guard guards[THREADS];
        pthread_t threads[THREADS];

        pthread_barrier_init(&barrier, NULL, THREADS);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(
                        pthread_create(&threads[i], NULL, make_with_others, &guards[i]), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&barrier);
        for (unsigned i = 0; i < THREADS; i++) {
                ck_assert_ptr_nonnull(guards[i].word);
                ck_assert_ptr_eq(guards[i].word, guards[0].word);
                ck_assert_uint_eq(guards[i].generation, guards[0].generation);
                ck_assert(!fork_guard_is_child(&guards[i]));
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fork");
        TCase *tests = harness_case(suite, "fork", 20);

        /* Before there is one. */
        tcase_add_test(tests, a_page_that_cannot_be_made_is_told_and_can_be_tried_again);
        tcase_add_test(tests, each_generation_knows_its_own_guards_from_those_of_its_ancestors);
        tcase_add_test(tests, a_child_without_guards_of_its_own_leaves_its_number_to_its_children);
        tcase_add_test(tests, threads_that_come_together_have_one_page_and_one_generation);
        return harness_run(suite);
}
