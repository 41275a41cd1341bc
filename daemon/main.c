// SPDX-License-Identifier: Apache-2.0
#include "base/cleanup.h"
#include "base/log.h"
#include "config.h"
#include "keeper.h"
#include "loop.h"
#include "memory/pool.h"
#include "options.h"
#include "reload.h"
#include "rules.h"
#include "server/server.h"
#include "server/socket.h"
#include "service/service.h"
#include "service/service_log.h"
#include "watch.h"

#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};

#define SIGNALS (sizeof(signal_numbers) / sizeof(signal_numbers[0]))

/* All that the daemon is made of, in the order in which it is made. */
struct daemon {
        struct options options;
        struct config config;
        bool service; /* systemd started it */
        struct event_base *base;
        struct event *signals[SIGNALS];
        struct socket_file socket_file;
        int listen_fd; /* until the server has it */
        struct memory *memory;
        struct server *server;
        struct keeper keeper;
        struct reload reload;
        struct watch watch;
};

/* One line; the caller exits with 1. */
__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
        char line[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        log_event(LOG_START_FAILED, log_nobody(), "%s", line);
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
                log_event(LOG_FILES_LIMITED, log_nobody(),
                        "cannot raise the limit of open files: %s", strerror(errno));
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
                r = keeper_begin(&daemon->keeper, &daemon->listen_fd);
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
        int r = memory_new(&memory, &daemon->memory);

        if (r == -ENOSYS)
                return fail("this kernel does not have the configured accounting");
        if (r < 0)
                return fail("cannot set up the memory: %s", strerror(-r));
        r = memory_start(daemon->memory);
        if (r < 0)
                return fail("cannot start the threads of the memory: %s", strerror(-r));
        return 0;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
        struct daemon *daemon = context;

        (void)what;
        if (number == SIGHUP) {
                reload_begin(&daemon->reload, NULL);
                return;
        }
        log_event(LOG_STOPPING, log_nobody(), "stopping on %s",
                number == SIGINT ? "SIGINT" : "SIGTERM");
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
        daemon->base = new_base();
        if (!daemon->base)
                return fail("cannot set up the event loop");
        for (size_t i = 0; i < SIGNALS; i++) {
                daemon->signals[i] =
                        evsignal_new(daemon->base, signal_numbers[i], on_signal, daemon);
                if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) < 0)
                        return fail("cannot set up the signals");
        }
        return 0;
}

static int start_server(struct daemon *daemon)
{
        struct rules rules;
        int r = rules_init(&rules, &daemon->config);

        if (r < 0)
                return fail("out of memory");
        keeper_set_refuse(&daemon->keeper, daemon->config.when_store_is_full == CONFIG_REFUSE);
        r = server_new_kept(daemon->base, steal_fd(&daemon->listen_fd), daemon->memory,
                &rules.config, keeper_store(&daemon->keeper), &daemon->server);
        rules_deinit(&rules);
        if (r == -EPROTONOSUPPORT)
                return fail("a newer filememd was here: what it left is kept, and needs that "
                            "version, or one after it");
        if (r < 0)
                return fail("cannot set up the server and its pools: %s", strerror(-r));
        return 0;
}

static int announce(struct daemon *daemon)
{
        unsigned count = 0;
        struct config_pool *pool;

        STAILQ_FOREACH (pool, &daemon->config.pools, link)
                count++;
        log_event(LOG_SERVING, log_nobody(), "version " FILEMEM_VERSION ", serving %u pool%s at %s",
                count, count == 1 ? "" : "s",
                daemon->socket_file.path ? daemon->socket_file.path : "the socket of systemd");
        if (watch_start(&daemon->watch, daemon->base, daemon->memory, daemon->server,
                    daemon->service) < 0)
                return fail("cannot set up the watch");
        return 0;
}

/* ---- the configuration, again ---------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What the daemon is started with stays as it was. */
static void warn_of_fixed(const struct config *old, const struct config *new)
{
        if (!same_text(old->socket, new->socket) || old->socket_mode != new->socket_mode ||
                old->log_level != new->log_level || old->accounting != new->accounting ||
                old->when_store_is_full != new->when_store_is_full)
                log_event(LOG_DAEMON_UNCHANGED, log_nobody(),
                        "socket, socket_mode, log_level, accounting and when_store_is_full stay "
                        "what they were when the daemon started");
}

static int apply_config(void *context, struct config *config, char error[CONFIG_ERROR_MAX])
{
        struct daemon *daemon = context;
        struct rules rules;
        int r = rules_init(&rules, config);

        if (r == 0) {
                r = server_configure(daemon->server, &rules.config);
                rules_deinit(&rules);
        }
        if (r < 0) {
                snprintf(error, CONFIG_ERROR_MAX, "cannot make its pools: %s", strerror(-r));
                config_deinit(config);
                return r;
        }
        warn_of_fixed(&daemon->config, config);
        config_deinit(&daemon->config);
        daemon->config = *config;
        return 0;
}

static void begin_reload(void *context, struct server_waiter *waiter)
{
        struct daemon *daemon = context;

        reload_begin(&daemon->reload, waiter);
}

static void say_reloading(bool busy)
{
        if (busy)
                service_notify_reloading();
        else
                service_notify_reloaded();
}

static int prepare_reload(struct daemon *daemon)
{
        int r = reload_init(
                &daemon->reload, daemon->base, daemon->options.config, apply_config, daemon);

        if (r < 0)
                return fail("cannot set up reading the configuration again: %s", strerror(-r));
        if (daemon->service)
                daemon->reload.on_busy = say_reloading;
        server_set_reload(daemon->server, begin_reload, daemon);
        return 0;
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
        r = start_server(daemon);
        if (r < 0)
                return r;
        r = prepare_reload(daemon);
        if (r < 0)
                return r;
        return announce(daemon);
}

static void stop(struct daemon *daemon)
{
        for (size_t i = 0; i < SIGNALS; i++)
                if (daemon->signals[i])
                        event_free(daemon->signals[i]);
        watch_stop(&daemon->watch);
        if (daemon->server)
                server_close(daemon->server);
        reload_deinit(&daemon->reload);
        memory_stop(daemon->memory);
        server_free(daemon->server);
        memory_free(daemon->memory);
        if (daemon->base)
                event_base_free(daemon->base);
        fd_close(daemon->listen_fd);
        socket_close(&daemon->socket_file);
        keeper_end(&daemon->keeper);
        config_deinit(&daemon->config);
}

static int run(const struct options *options)
{
        struct daemon daemon = {.options = *options,
                .socket_file = SOCKET_FILE_NONE,
                .listen_fd = -1,
                .reload.fd = -1};
        int r;

        daemon.service = !options->foreground && service_is_used();
        log_setup(LOG_LEVEL_INFO, daemon.service);
        if (daemon.service && service_log_is_journal())
                service_log_start();
        r = start(&daemon);
        if (!r)
                loop_run(daemon.base, daemon.server, &daemon.config.busy_poll);
        /* What systemd keeps has to be left as it is, to the last. */
        if (keeper_store(&daemon.keeper))
                _exit(r ? EXIT_FAILURE : EXIT_SUCCESS);
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
