// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * Mutexes with a rank. A thread takes locks in the order of their ranks, lowest first, and never
 * two of the same rank. Builds with FILEMEM_DEBUG_CHECKS abort on a reversal and name the locks
 * held; the others pay for a plain mutex and nothing more.
 *
 * This enum is the only place where the order is written down.
 */
enum lock_rank {
        LOCK_POOL,  /* struct pool: tree, holdings, counters. Never across a system call */
        LOCK_SCAN,  /* the scan thread's queue of askers */
        LOCK_WORK,  /* the reclaim thread's queue of pools; taken under LOCK_POOL */
        LOCK_INBOX, /* completions on their way to the event loop */
        LOCK_LOG,   /* what is known of lines that clients cause */
        LOCK_RANKS,
};

struct lock {
        pthread_mutex_t mutex;
        enum lock_rank rank;
        atomic_uint waiting; /* threads in lock_wait() */
};

/* All of them abort where the kernel or the caller breaks the contract: a lock that fails is no
 * lock. */
void lock_init(struct lock *lock, enum lock_rank rank);
void lock_deinit(struct lock *lock);
static inline void lock_take(struct lock *lock);
static inline void lock_drop(struct lock *lock);

/*
 * For threads that work in the background. Who sleeps until a lock is free has to be woken by the
 * one that drops it, which costs that one a system call; so these look again after a while instead.
 */
void lock_take_patiently(struct lock *lock);

/*
 * For the same, between two parts of what can be done in parts: if others wait for the lock they
 * have it first. The caller holds it, before and after.
 */
void lock_give_way(struct lock *lock);

#ifdef FILEMEM_DEBUG_CHECKS
/* "The caller holds it", made executable. Checks with FILEMEM_DEBUG_CHECKS only. */
void lock_assert_held(const struct lock *lock);

/* For the doors of long system calls: no lock at all may be held here. */
void lock_assert_none(void);

/* What these know of the thread. */
void lock_note_take(const struct lock *lock);
void lock_note_drop(const struct lock *lock);
#else
static inline void lock_assert_held(const struct lock *lock)
{
        (void)lock;
}

static inline void lock_assert_none(void)
{
}

static inline void lock_note_take(const struct lock *lock)
{
        (void)lock;
}

static inline void lock_note_drop(const struct lock *lock)
{
        (void)lock;
}
#endif

/* The rest of lock_take(), where somebody else holds it. */
void lock_wait(struct lock *lock);

static inline void lock_take(struct lock *lock)
{
        lock_note_take(lock);
        if (__builtin_expect(pthread_mutex_trylock(&lock->mutex) != 0, 0))
                lock_wait(lock);
}

static inline void lock_drop(struct lock *lock)
{
        lock_note_drop(lock);
        check(pthread_mutex_unlock(&lock->mutex) == 0);
}

/* A condition that is waited for under a lock; deadlines are of clock_now(). */
struct lock_condition {
        pthread_cond_t condition;
};

void lock_condition_init(struct lock_condition *condition);
void lock_condition_deinit(struct lock_condition *condition);
void lock_condition_signal(struct lock_condition *condition);
void lock_condition_wait(struct lock_condition *condition, struct lock *lock);

/* Waits until signalled, but not beyond deadline (ns). Returns 0 or -ETIMEDOUT. */
int lock_condition_wait_until(
        struct lock_condition *condition, struct lock *lock, uint64_t deadline);

/* A lock that is dropped at the end of the scope. */
static inline struct lock *lock_scope_take(struct lock *lock)
{
        lock_take(lock);
        return lock;
}

static inline void lock_scope_drop(struct lock **lock)
{
        lock_drop(*lock);
}

static inline struct lock *lock_scope_take_patiently(struct lock *lock)
{
        lock_take_patiently(lock);
        return lock;
}

#define LOCK_SCOPE(which)         LOCK_SCOPE_(lock_scope_take(which), __LINE__)
#define LOCK_SCOPE_PATIENT(which) LOCK_SCOPE_(lock_scope_take_patiently(which), __LINE__)
#define LOCK_SCOPE_(taken, line)  LOCK_SCOPE__(taken, line)
#define LOCK_SCOPE__(taken, line)                                                                  \
        __attribute__((cleanup(lock_scope_drop), unused)) struct lock *lock_scope_##line = taken
