// SPDX-License-Identifier: Apache-2.0
#include "base/cleanup.h"
#include "base/log.h"
#include "config.h"
#include "memory/pool.h"
#include "options.h"
#include "server/server.h"
#include "server/socket.h"
#include "service/service.h"

#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* All that the daemon is made of, in the order in which it is made. */
struct daemon {
        struct options options;
        struct config config;
        bool service; /* systemd started it */
        struct event_base *base;
        struct event *signals[2];
        struct socket_file socket_file;
        int listen_fd; /* until the server has it */
        struct memory *memory;
        struct pool *pool;
        struct server *server;
};

/* One line; the caller exits with 1. */
__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
        char line[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        log_error("%s", line);
        return -EINVAL;
}

/* ---- preparing ------------------------------------------------------------------------------- */

static int read_config(struct daemon *daemon)
{
        char error[CONFIG_ERROR_MAX];

        if (config_load(daemon->options.config, &daemon->config, error) < 0)
                return fail("%s", error);
        return 0;
}

/* Every session costs two descriptors, and a socket that is full helps nobody. */
static void raise_fd_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
                return;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_warning("cannot raise the limit of open files: %s", strerror(errno));
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* The path where nobody has said one; its folder is made. Returns 0 or a negative errno. */
static int choose_default_path(char **ret)
{
        const char *parent = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
        cleanup_(freep) char *folder = NULL;

        if (!parent || !parent[0])
                return fail("no socket to listen at: use --socket, or set FILEMEM_SOCKET or "
                            "XDG_RUNTIME_DIR");
        if (asprintf(&folder, "%s/filemem", parent) < 0) {
                folder = NULL;
                return fail("out of memory");
        }
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return fail("%s: cannot make the folder: %s", folder, strerror(errno));
        if (asprintf(ret, "%s/filemem.sock", folder) < 0)
                return fail("out of memory");
        return 0;
}

static int open_socket_file(struct daemon *daemon)
{
        const char *path = daemon->options.socket;
        cleanup_(freep) char *chosen = NULL;
        char error[SOCKET_ERROR_MAX];

        if (!path)
                path = getenv("FILEMEM_SOCKET");
        if (!path || !path[0])
                path = daemon->config.socket;
        if (!path) {
                if (choose_default_path(&chosen) < 0)
                        return -EINVAL;
                path = chosen;
        }
        if (socket_open(path, daemon->config.socket_mode, &daemon->socket_file, &daemon->listen_fd,
                    error) < 0)
                return fail("%s", error);
        return 0;
}

static int open_socket(struct daemon *daemon)
{
        int r;

        if (daemon->service) {
                r = service_take_socket(&daemon->listen_fd);
                if (r == -E2BIG)
                        return fail("systemd handed over more than one socket");
                if (r == -EPROTOTYPE)
                        return fail("systemd handed over what is no listening SEQPACKET socket");
                if (r < 0)
                        return fail("cannot take over the socket of systemd: %s", strerror(-r));
                if (daemon->listen_fd >= 0)
                        return 0;
        }
        return open_socket_file(daemon);
}

/* ---- the parts ------------------------------------------------------------------------------- */

static int start_memory(struct daemon *daemon)
{
        const struct memory_options memory = {.accounting = daemon->config.accounting};
        const struct config_pool *first = config_find_pool(&daemon->config, "default");
        int r = memory_new(&memory, &daemon->memory);

        if (r == -ENOSYS)
                return fail("this kernel does not have the configured accounting");
        if (r < 0)
                return fail("cannot set up the memory: %s", strerror(-r));
        r = pool_new(daemon->memory, &first->options, &daemon->pool);
        if (r < 0)
                return fail("cannot make the default pool: %s", strerror(-r));
        r = memory_start(daemon->memory);
        if (r < 0)
                return fail("cannot start the threads of the memory: %s", strerror(-r));
        return 0;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
        struct daemon *daemon = context;

        (void)what;
        log_info("stopping on %s", number == SIGINT ? "SIGINT" : "SIGTERM");
        if (daemon->service)
                service_notify_stopping();
        server_stop(daemon->server);
}

/* The environment must not choose how the daemon waits. */
static struct event_base *new_base(void)
{
        struct event_config *config = event_config_new();
        struct event_base *base = NULL;

        if (config && event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
                event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
                base = event_base_new_with_config(config);
        if (config)
                event_config_free(config);
        return base;
}

/* Before there is a socket, so that whoever sees it can end the daemon well. */
static int start_loop(struct daemon *daemon)
{
        static const int numbers[] = {SIGTERM, SIGINT};

        daemon->base = new_base();
        if (!daemon->base)
                return fail("cannot set up the event loop");
        for (int i = 0; i < 2; i++) {
                daemon->signals[i] = evsignal_new(daemon->base, numbers[i], on_signal, daemon);
                if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) < 0)
                        return fail("cannot set up the signals");
        }
        return 0;
}

static int start_server(struct daemon *daemon)
{
        int r = server_new(daemon->base, steal_fd(&daemon->listen_fd), daemon->memory, daemon->pool,
                &daemon->server);

        if (r < 0)
                return fail("cannot set up the server: %s", strerror(-r));
        return 0;
}

static void announce(const struct daemon *daemon)
{
        struct pool_information pool;
        char status[512];

        pool_information(daemon->pool, &pool);
        snprintf(status, sizeof(status), "serving a pool of %llu MiB at %s",
                (unsigned long long)(pool.capacity >> 20),
                daemon->socket_file.path ? daemon->socket_file.path : "the socket of systemd");
        log_info("version " FILEMEM_VERSION ", %s", status);
        if (daemon->service)
                service_notify_ready(status);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int start(struct daemon *daemon)
{
        int r = read_config(daemon);

        if (r < 0)
                return r;
        log_setup(daemon->config.log_level, daemon->service);
        signal(SIGPIPE, SIG_IGN);
        raise_fd_limit();
        r = start_loop(daemon);
        if (r < 0)
                return r;
        r = open_socket(daemon);
        if (r < 0)
                return r;
        r = start_memory(daemon);
        if (r < 0)
                return r;
        return start_server(daemon);
}

static void stop(struct daemon *daemon)
{
        for (int i = 0; i < 2; i++)
                if (daemon->signals[i])
                        event_free(daemon->signals[i]);
        if (daemon->server)
                server_close(daemon->server);
        memory_stop(daemon->memory);
        server_free(daemon->server);
        pool_free(daemon->pool);
        memory_free(daemon->memory);
        if (daemon->base)
                event_base_free(daemon->base);
        fd_close(daemon->listen_fd);
        socket_close(&daemon->socket_file);
        config_deinit(&daemon->config);
}

static int run(const struct options *options)
{
        struct daemon daemon = {
                .options = *options, .socket_file = SOCKET_FILE_NONE, .listen_fd = -1};
        int r;

        daemon.service = !options->foreground && service_is_used();
        log_setup(LOG_LEVEL_INFO, daemon.service);
        r = start(&daemon);
        if (!r) {
                announce(&daemon);
                event_base_dispatch(daemon.base);
        }
        stop(&daemon);
        libevent_global_shutdown();
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check_config(const struct options *options)
{
        char error[CONFIG_ERROR_MAX];
        struct config config;

        if (config_load(options->config, &config, error) < 0) {
                fail("%s", error);
                return EXIT_FAILURE;
        }
        config_deinit(&config);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        char error[OPTIONS_ERROR_MAX];
        struct options options;

        if (options_parse(argc, argv, &options, error) < 0) {
                fail("%s; see filememd --help", error);
                return EXIT_FAILURE;
        }
        if (options.help)
                options_print_help(stdout);
        else if (options.version)
                puts("filememd " FILEMEM_VERSION);
        else if (options.check_config)
                return check_config(&options);
        else
                return run(&options);
        return EXIT_SUCCESS;
}
