// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;
struct served;

/*
 * The pool that an operation asks about, borrowed: that of the session if the name is empty, else
 * one that its user may join or administer. Returns 0, OUTCOME_POOL_NONE, OUTCOME_POOL_UNKNOWN or
 * OUTCOME_NOT_ADMIN.
 */
int pool_asked(const struct request *request, const char *name, struct served **ret);

/* The operations that tell of pools, as in rpc.h. */
int report_pool(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

/* Of all pools that the session may ask about, page by page. */
int report_pools(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
