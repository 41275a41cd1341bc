// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

#include <stdbool.h>

struct request;

/*
 * The table of operations. Each is run or begun and finished by one handler, which makes one call
 * into the pool. Handlers return 0, an outcome or a negative errno, and fill the result on 0 only.
 */
struct rpc {
        Filemem__Operation__BodyCase body;
        bool changes; /* memory of the pool: not for a session that only reads, or is in none */
        bool once;    /* changes something else, and is not to be done again: see once.h */
        bool lists;   /* its result has a list, and takes as much of the reply as there is room */

        int (*run)(struct request *request, const Filemem__Operation *operation,
                Filemem__Result *result);

        /* Instead of run, for what takes long (where it depends, takes_long() says): begins the
         * request's job; what came of it is `result`. */
        bool (*takes_long)(const struct request *request, const Filemem__Operation *operation);
        void (*begin)(struct request *request, const Filemem__Operation *operation);
        int (*finish)(struct request *request, int job_result, Filemem__Result *result);
};

/* NULL for an operation that this daemon does not know. */
const struct rpc *rpc_find(const Filemem__Operation *operation);
