// SPDX-License-Identifier: Apache-2.0
#include "http.h"

#include "host.h"
#include "json.h"
#include "metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 8192
#define TIMEOUT     10 /* s, from one byte to the next */

/* How long nothing is accepted when there are no descriptors: to try again at once is no use. */
static const struct timeval pause_time = {.tv_usec = 200000};

struct http {
        struct evhttp *server;
        struct evconnlistener *listener; /* of the server */
        struct event *resume;
        struct source *source;
};

/* That of the listener: evhttp takes the place where a listener keeps its context. */
static struct http *the_http;

extern const unsigned char page_html[];
extern const size_t page_html_size;

/* ---- answers --------------------------------------------------------------------------------- */

/* What nobody else's page may do with this one, and this one may not load. */
static void add_headers(struct evhttp_request *request, const char *type)
{
        struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

        evhttp_add_header(headers, "Content-Type", type);
        evhttp_add_header(headers, "Cache-Control", "no-store");
        evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
        evhttp_add_header(headers, "X-Frame-Options", "DENY");
        evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
        evhttp_add_header(headers, "Cross-Origin-Resource-Policy", "same-origin");
        evhttp_add_header(headers, "Content-Security-Policy",
                "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'");
}

/* Sends what is in the buffer; of the answer to HEAD its length alone. */
static void finish(struct evhttp_request *request, int code)
{
        struct evbuffer *buffer = evhttp_request_get_output_buffer(request);
        char length[24];

        if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
                snprintf(length, sizeof(length), "%zu", evbuffer_get_length(buffer));
                evhttp_add_header(
                        evhttp_request_get_output_headers(request), "Content-Length", length);
                evbuffer_drain(buffer, evbuffer_get_length(buffer));
        }
        evhttp_send_reply(request, code, NULL, NULL);
}

/* data: copied. */
static void answer(
        struct evhttp_request *request, int code, const char *type, const void *data, size_t size)
{
        struct evbuffer *buffer = evhttp_request_get_output_buffer(request);

        add_headers(request, type);
        if (evbuffer_add(buffer, data, size) < 0)
                code = HTTP_INTERNAL;
        finish(request, code);
}

static void answer_text(struct evhttp_request *request, int code, const char *text)
{
        answer(request, code, "text/plain; charset=utf-8", text, strlen(text));
}

/* text: freed; NULL: out of memory. */
static void answer_json(struct evhttp_request *request, char *text)
{
        if (text)
                answer(request, HTTP_OK, "application/json", text, strlen(text));
        else
                answer_text(request, HTTP_INTERNAL, "out of memory\n");
        free(text);
}

static void show_metrics(struct http *http, struct evhttp_request *request)
{
        const char *accepted =
                evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
        struct text text = {.buffer = evhttp_request_get_output_buffer(request)};

        text.open_metrics = accepted && strstr(accepted, "application/openmetrics-text");
        add_headers(request, text.open_metrics
                                     ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                     : "text/plain; version=0.0.4; charset=utf-8");
        metrics_write(&text, http->source);
        finish(request, HTTP_OK);
}

static void show_map(struct http *http, struct evhttp_request *request, const char *query)
{
        struct evkeyvalq parameters = {0};
        const char *pool = NULL;

        if (query && evhttp_parse_query_str(query, &parameters) == 0)
                pool = evhttp_find_header(&parameters, "pool");
        if (pool)
                answer_json(request, json_map(http->source, pool));
        else
                answer_text(request, HTTP_BADREQUEST, "which pool? /api/map?pool=NAME\n");
        evhttp_clear_headers(&parameters);
}

static void show(struct http *http, struct evhttp_request *request, const char *path)
{
        const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);

        if (strcmp(path, "/metrics") == 0)
                show_metrics(http, request);
        else if (strcmp(path, "/") == 0)
                answer(request, HTTP_OK, "text/html; charset=utf-8", page_html, page_html_size);
        else if (strcmp(path, "/api/statistics") == 0)
                answer_json(request, json_statistics(http->source));
        else if (strcmp(path, "/api/map") == 0)
                show_map(http, request, evhttp_uri_get_query(uri));
        else if (strcmp(path, "/healthz") == 0)
                answer_text(request, HTTP_OK, "ok\n");
        else
                answer_text(request, HTTP_NOTFOUND, "there are / and /metrics\n");
}

static void on_request(struct evhttp_request *request, void *context)
{
        const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
        enum evhttp_cmd_type method = evhttp_request_get_command(request);
        const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

        if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
                evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
                answer_text(request, HTTP_BADMETHOD, "GET and HEAD alone\n");
                return;
        }
        if (host_is_foreign(request)) {
                answer_text(request, 403, "ask by address, or as localhost\n");
                return;
        }
        show(context, request, path ? path : "");
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_resume(evutil_socket_t fd, short what, void *context)
{
        struct http *http = context;

        (void)fd;
        (void)what;
        evconnlistener_enable(http->listener);
}

/* Out of descriptors, most likely: the connection waits in the kernel until there are some. */
static void on_error(struct evconnlistener *listener, void *context)
{
        (void)context;
        evconnlistener_disable(listener);
        event_add(the_http->resume, &pause_time);
}

static void configure(struct http *http)
{
        struct evhttp *server = http->server;

        evhttp_set_max_headers_size(server, HEADERS_MAX);
        evhttp_set_max_body_size(server, 0);
        evhttp_set_timeout(server, TIMEOUT);
        evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                   EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                   EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                   EVHTTP_REQ_PATCH);
        evhttp_set_gencb(server, on_request, http);
}

int http_new(struct event_base *base, int listen_fd, struct source *source, struct http **ret)
{
        struct http *http = calloc(1, sizeof(*http));

        if (http) {
                http->source = source;
                http->server = evhttp_new(base);
                http->resume = evtimer_new(base, on_resume, http);
                http->listener = evconnlistener_new(base, NULL, NULL,
                        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
        }
        if (!http || !http->server || !http->resume || !http->listener ||
                !evhttp_bind_listener(http->server, http->listener)) {
                if (!http || !http->listener)
                        close(listen_fd);
                if (http && http->listener)
                        evconnlistener_free(http->listener);
                http_free(http);
                return -ENOMEM;
        }
        the_http = http;
        evconnlistener_set_error_cb(http->listener, on_error);
        configure(http);
        *ret = http;
        return 0;
}

void http_free(struct http *http)
{
        if (!http)
                return;
        if (http->server)
                evhttp_free(http->server);
        if (http->resume)
                event_free(http->resume);
        free(http);
}
