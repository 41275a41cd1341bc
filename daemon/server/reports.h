// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;

/* What comes around each element of a list: a tag of one byte and a length of one or two. */
#define REPORTS_ELEMENT_FRAME 3

/* What comes with a list: `next`, and the tags and lengths of the page and of the result. */
#define REPORTS_PAGE_FRAME 24

/* The operations that tell of the daemon itself, as in rpc.h. The two lists come in pages. */
int report_status(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

/*
 * Of all sessions for administrators of the daemon, of those in their pools for administrators of
 * pools, and of those of the caller's user; for a peer of itself alone.
 */
int report_sessions(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

int report_dump(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
