// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source.h"

#include <event2/event.h>

/*
 * What is asked over HTTP:
 *
 *   /metrics                    the metrics, in the format of Prometheus or OpenMetrics
 *   /                           the page
 *   /api/statistics             what the page shows, as JSON
 *   /api/map?pool=NAME          the map of a pool
 *   /healthz                    "ok": the exporter itself is there
 *
 * GET and HEAD, and nothing else. Requests are small, and who is slow is not waited for.
 */
#define HTTP_FDS_MAX 128 /* descriptors of the process: so many connections, at the most */

struct http;

/* listen_fd: a listening socket, taken over also when it fails. Returns 0 or -ENOMEM. */
int http_new(struct event_base *base, int listen_fd, struct source *source, struct http **ret);
void http_free(struct http *http);
