// SPDX-License-Identifier: Apache-2.0
#include "base/lock.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#ifdef FILEMEM_DEBUG_CHECKS
static _Thread_local const struct lock *held[LOCK_RANKS];

void lock_note_take(const struct lock *lock)
{
        for (int rank = (int)lock->rank; rank < LOCK_RANKS; rank++)
                check(!held[rank]); /* lock order: base/lock.h */
        held[lock->rank] = lock;
}

void lock_note_drop(const struct lock *lock)
{
        lock_assert_held(lock);
        held[lock->rank] = NULL;
}

void lock_assert_held(const struct lock *lock)
{
        check(held[lock->rank] == lock);
}

void lock_assert_none(void)
{
        for (int rank = 0; rank < LOCK_RANKS; rank++)
                check(!held[rank]);
}
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
        check(pthread_mutex_init(&lock->mutex, NULL) == 0);
        lock->rank = rank;
        atomic_init(&lock->waiting, 0);
}

void lock_deinit(struct lock *lock)
{
        check(pthread_mutex_destroy(&lock->mutex) == 0);
}

/*
 * How often a lock that is taken is tried again, with longer and longer pauses, some ten
 * microseconds in all. Locks are held for one or two; to sleep and be woken takes ten times that.
 */
#define SPINS     64
#define PAUSE_MAX 32

/* For how many times that a patient thread goes on before it queues like all others. */
#define PATIENCE       64
#define PATIENCE_PAUSE (20 * NSEC_PER_USEC)

/* For how long somebody is given way to: who does not run now need not be waited for. */
#define WAY_PAUSES 256

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

static bool try_for_a_while(struct lock *lock)
{
        for (unsigned i = 0; i < SPINS; i++) {
                if (pthread_mutex_trylock(&lock->mutex) == 0)
                        return true;
                for (unsigned pause = 0; pause < i && pause < PAUSE_MAX; pause++)
                        relax();
        }
        return false;
}

void lock_wait(struct lock *lock)
{
        atomic_fetch_add_explicit(&lock->waiting, 1, memory_order_relaxed);
        if (!try_for_a_while(lock))
                check(pthread_mutex_lock(&lock->mutex) == 0);
        atomic_fetch_sub_explicit(&lock->waiting, 1, memory_order_relaxed);
}

void lock_take_patiently(struct lock *lock)
{
        static const struct timespec pause = {.tv_nsec = PATIENCE_PAUSE};

        lock_note_take(lock);
        for (unsigned i = 0; i < PATIENCE; i++) {
                if (try_for_a_while(lock))
                        return;
                nanosleep(&pause, NULL);
        }
        check(pthread_mutex_lock(&lock->mutex) == 0);
}

static bool is_wanted(struct lock *lock)
{
        return atomic_load_explicit(&lock->waiting, memory_order_relaxed) > 0;
}

void lock_give_way(struct lock *lock)
{
        if (!is_wanted(lock))
                return;
        lock_drop(lock);
        /* Who drops a lock and takes it again at once is faster than who waits. */
        for (unsigned i = 0; i < WAY_PAUSES && is_wanted(lock); i++)
                relax();
        lock_take_patiently(lock);
}

void lock_condition_init(struct lock_condition *condition)
{
        pthread_condattr_t attributes;

        check(pthread_condattr_init(&attributes) == 0);
        check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
        check(pthread_cond_init(&condition->condition, &attributes) == 0);
        check(pthread_condattr_destroy(&attributes) == 0);
}

void lock_condition_deinit(struct lock_condition *condition)
{
        check(pthread_cond_destroy(&condition->condition) == 0);
}

void lock_condition_signal(struct lock_condition *condition)
{
        check(pthread_cond_signal(&condition->condition) == 0);
}

void lock_condition_wait(struct lock_condition *condition, struct lock *lock)
{
        lock_note_drop(lock);
        check(pthread_cond_wait(&condition->condition, &lock->mutex) == 0);
        lock_note_take(lock);
}

int lock_condition_wait_until(
        struct lock_condition *condition, struct lock *lock, uint64_t deadline)
{
        struct timespec until = {
                .tv_sec = (time_t)(deadline / NSEC_PER_SEC),
                .tv_nsec = (long)(deadline % NSEC_PER_SEC),
        };
        int r;

        lock_note_drop(lock);
        r = pthread_cond_timedwait(&condition->condition, &lock->mutex, &until);
        lock_note_take(lock);
        check(r == 0 || r == ETIMEDOUT);
        return -r;
}
