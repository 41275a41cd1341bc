// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;

/* What a session holds, and who holds a range: operations as in rpc.h, in pages. */
int report_holdings(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
int report_holders(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
