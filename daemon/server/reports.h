// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;

/* The operations that tell of the daemon itself, as in rpc.h. The two lists come in pages. */
int report_status(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

/* Of all sessions for root and for the daemon's user, else of those of the caller's user. */
int report_sessions(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

int report_dump(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
