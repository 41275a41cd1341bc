// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;

/* The operation that tells of limits and what is used of them, as in rpc.h. */
int report_limits(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
