// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What the processes of survivors.h share with each other. */

#define CLIENTS_MAX 64
#define OWNED_MAX   24
#define PAGE        UINT64_C(4096)

enum offer_state { OFFER_NONE, OFFER_MADE, OFFER_BEING_TAKEN, OFFER_TAKEN };

struct owned {
        struct filemem_range range;
        uint64_t tag; /* of the pattern; 0: it is decommitted, and zero */
        uint32_t refs;
};

struct client {
        /* what others look at when it is at rest */
        struct owned owned[OWNED_MAX];
        _Atomic uint64_t calls;
        _Atomic uint64_t longest; /* ns, of the calls in this round */
        _Atomic unsigned round;   /* it is at rest behind this one */
        char error[200];

        /* what it offers to others, who check the pattern */
        _Atomic int offer;
        struct owned offered;
};

struct board {
        _Atomic unsigned round; /* to be at work in; at rest when it is behind */
        _Atomic bool resting;
        _Atomic bool over;
        struct client clients[CLIENTS_MAX];
};

/*
 * In a process of its own: lives as client `number` of so many, until it is killed. The random
 * numbers follow from the seed. What goes wrong is in its error, and ends it.
 */
__attribute__((noreturn)) void survivors_live(
        struct board *shared, unsigned number, unsigned count, uint64_t seed, const char *socket);
