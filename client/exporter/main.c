// SPDX-License-Identifier: Apache-2.0
#include "guard.h"
#include "http.h"
#include "options.h"
#include "source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* Connections that the kernel keeps until they are accepted. */
#define BACKLOG 64

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
        char line[512];
        va_list arguments;

        va_start(arguments, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was, just now */
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        fprintf(stderr, "filemem-exporter: %s\n", line);
        return -EINVAL;
}

/* ---- the socket ------------------------------------------------------------------------------ */

static int bind_to(const struct addrinfo *address)
{
        int yes = 1, r;
        int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
                bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
                return fd;
        r = -errno;
        close(fd);
        return r;
}

/* Where it listens, for people and for those who asked for any port. */
static void announce(int fd)
{
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        char host[INET6_ADDRSTRLEN], port[8];

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
                getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port,
                        sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return;
        fprintf(stderr, address.ss_family == AF_INET6 ? "http://[%s]:%s/\n" : "http://%s:%s/\n",
                host, port);
}

static int listen_at(const struct options *options, int *ret)
{
        const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                .ai_socktype = SOCK_STREAM};
        struct addrinfo *address;
        char port[8];
        int r;

        snprintf(port, sizeof(port), "%u", options->port);
        r = getaddrinfo(options->host, port, &hints, &address);
        if (r)
                return fail("%s: %s", options->host, gai_strerror(r));
        r = bind_to(address);
        freeaddrinfo(address);
        if (r < 0)
                return fail("cannot listen at %s port %s: %s", options->host, port, strerror(-r));
        *ret = r;
        return 0;
}

/* That of systemd, if it gives one. */
static int open_socket(const struct options *options, int *ret)
{
        int count = sd_listen_fds(1);

        if (count < 0)
                return fail("cannot take over the socket of systemd: %s", strerror(-count));
        if (!count)
                return listen_at(options, ret);
        if (count > 1 || sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
                return fail("systemd handed over what is no listening stream socket");
        *ret = SD_LISTEN_FDS_START;
        fcntl(*ret, F_SETFL, O_NONBLOCK);
        return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_signal(evutil_socket_t number, short what, void *context)
{
        (void)number;
        (void)what;
        event_base_loopbreak(context);
}

static int serve(struct event_base *base, int fd, struct source *source)
{
        struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
        struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
        struct guard *guard = NULL;
        struct http *http = NULL;
        int r = -ENOMEM;

        if (http_new(base, fd, source, &http) == 0 && guard_new(base, &guard) == 0 && term &&
                interrupt && event_add(term, NULL) == 0 && event_add(interrupt, NULL) == 0) {
                announce(fd); /* who reads it may end us at once */
                sd_notify(0, "READY=1");
                r = event_base_dispatch(base) < 0 ? -EIO : 0;
        }
        guard_free(guard);
        http_free(http);
        if (term)
                event_free(term);
        if (interrupt)
                event_free(interrupt);
        return r;
}

static int run(const struct options *options)
{
        const struct rlimit limit = {HTTP_FDS_MAX, HTTP_FDS_MAX};
        struct event_base *base;
        struct source *source = NULL;
        sigset_t all, before;
        int fd = -1, r;

        signal(SIGPIPE, SIG_IGN);
        setrlimit(RLIMIT_NOFILE, &limit);
        r = open_socket(options, &fd);
        if (r < 0)
                return r;
        sigfillset(&all); /* signals are for the thread that runs the loop */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = source_start(options->socket, &source);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r < 0) {
                close(fd);
                return fail("cannot start: %s", strerror(-r));
        }
        base = event_base_new();
        r = base ? serve(base, fd, source) : -ENOMEM;
        if (base)
                event_base_free(base);
        source_stop(source);
        return r < 0 ? fail("cannot serve: %s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
        char error[OPTIONS_ERROR_MAX];
        struct options options;

        if (options_parse(argc, argv, &options, error) < 0) {
                fail("%s; see filemem-exporter --help", error);
                return EXIT_FAILURE;
        }
        if (options.help)
                options_print_help(stdout);
        else if (options.version)
                puts("filemem-exporter " FILEMEM_VERSION);
        else
                return run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        return EXIT_SUCCESS;
}
