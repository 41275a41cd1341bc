// SPDX-License-Identifier: Apache-2.0
#include "support/manager.h"

#include "support/harness.h"
#include "support/manager_store.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child descriptors are first put out of the way of the numbers from 3 on. */
#define AWAY 5000

#define PATIENCE_MS 30000

/* ---- the service ------------------------------------------------------------------------------
 */

static void say(const char *key, const char *format, unsigned long value)
{
        char text[64];

        snprintf(text, sizeof(text), format, value);
        setenv(key, text, 1);
}

/* In the child. */
static void become_daemon(struct manager *manager, long crash_at)
{
        const char *const arguments[] = {FILEMEM_DAEMON, "--config", manager->config, NULL};
        const char *const plain[] = {FILEMEM_DAEMON, NULL};
        size_t count = 1 + manager->count;
        char *names = malloc(count * 64);
        int log = open(manager->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        if (log < 0 || !names || dup2(log, 1) < 0 || dup2(log, 2) < 0)
                _exit(126);
        strcpy(names, "listen");
        fcntl(manager->listen_fd, F_DUPFD, AWAY);
        dup2(manager->listen_fd, AWAY);
        for (size_t i = 1; i < count; i++) {
                dup2(manager->store[manager->count - i].fd, AWAY + (int)i);
                strcat(strcat(names, ":"), manager->store[manager->count - i].name);
        }
        for (size_t i = 0; i < count; i++)
                dup2(AWAY + (int)i, 3 + (int)i);
        close_range(3 + (unsigned)count, ~0u, 0);
        setenv("LISTEN_FDNAMES", names, 1);
        say("LISTEN_FDS", "%lu", count);
        say("LISTEN_PID", "%lu", (unsigned long)getpid());
        say("FDSTORE", "%lu", manager->maximum);
        unsetenv("FILEMEM_CRASH_AT");
        if (crash_at)
                say("FILEMEM_CRASH_AT", "%lu", (unsigned long)crash_at);
        {
                char path[160];

                snprintf(path, sizeof(path), "%s/notify", manager->folder);
                setenv("NOTIFY_SOCKET", path, 1);
        }
        execv(FILEMEM_DAEMON, (char *const *)(uintptr_t)(manager->config[0] ? arguments : plain));
        _exit(127);
}

/* Under the mutex. */
static void launch(struct manager *manager, long crash_at)
{
        pid_t pid;

        while (manager_hear(manager)) {
        }
        manager->ready = false;
        manager->starts++;
        pid = fork();
        if (pid == 0)
                become_daemon(manager, crash_at);
        manager->pid = pid;
}

/* Under the mutex: whether it has ended, and what follows from that. */
static void look_after(struct manager *manager)
{
        int status;

        if (manager->pid <= 0 || waitpid(manager->pid, &status, WNOHANG) != manager->pid)
                return;
        manager->pid = -1;
        manager->status = status;
        if (manager->restarts && !manager->over) {
                manager->others += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
                launch(manager, 0);
        }
}

static void *run(void *context)
{
        struct manager *manager = context;
        bool over = false;

        while (!over) {
                struct pollfd events[2] = {{.fd = manager->notify_fd, .events = POLLIN},
                        {.fd = manager->wake[0], .events = POLLIN}};
                char byte;

                pthread_mutex_lock(&manager->mutex);
                if (manager->deaf)
                        events[0].fd = -1;
                pthread_mutex_unlock(&manager->mutex);
                poll(events, 2, 5);
                pthread_mutex_lock(&manager->mutex);
                while (read(manager->wake[0], &byte, 1) == 1) {
                }
                while (!manager->deaf && manager_hear(manager)) {
                }
                manager_drop_hung_up(manager);
                look_after(manager);
                over = manager->over;
                pthread_mutex_unlock(&manager->mutex);
        }
        return NULL;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static int make_socket(const char *path, int type)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static void write_config(struct manager *manager, const char *config)
{
        FILE *file;

        manager->config[0] = 0;
        if (!config)
                return;
        snprintf(manager->config, sizeof(manager->config), "%s/conf", manager->folder);
        file = fopen(manager->config, "w");
        ck_assert_ptr_nonnull(file);
        fputs(config, file);
        ck_assert_int_eq(fclose(file), 0);
}

void manager_init(struct manager *manager, const char *config, size_t maximum)
{
        char path[160];

        ck_assert_uint_le(maximum, MANAGER_STORE_MAX);
        memset(manager, 0, sizeof(*manager));
        manager->pid = -1;
        manager->maximum = maximum;
        strcpy(manager->folder, harness_make_folder());
        snprintf(manager->socket, sizeof(manager->socket), "%s/sock", manager->folder);
        snprintf(manager->log, sizeof(manager->log), "%s/log", manager->folder);
        snprintf(path, sizeof(path), "%s/notify", manager->folder);
        write_config(manager, config);
        manager->listen_fd = make_socket(manager->socket, SOCK_SEQPACKET);
        ck_assert_int_eq(listen(manager->listen_fd, SOMAXCONN), 0);
        manager->notify_fd = make_socket(path, SOCK_DGRAM);
        ck_assert_int_eq(pipe2(manager->wake, O_CLOEXEC | O_NONBLOCK), 0);
        pthread_mutex_init(&manager->mutex, NULL);
        ck_assert_int_eq(pthread_create(&manager->thread, NULL, run, manager), 0);
}

void manager_deinit(struct manager *manager)
{
        pthread_mutex_lock(&manager->mutex);
        manager->over = true;
        if (manager->pid > 0) {
                kill(manager->pid, SIGKILL);
                waitpid(manager->pid, &manager->status, 0);
                manager->pid = -1;
        }
        pthread_mutex_unlock(&manager->mutex);
        ck_assert_int_eq(write(manager->wake[1], "", 1), 1);
        pthread_join(manager->thread, NULL);
        while (manager->count)
                manager_drop(manager, 0);
        /* Who is killed has no exit code that says so. */
        ck_assert(!manager_log_has(manager, "Sanitizer"));
        close(manager->listen_fd);
        close(manager->notify_fd);
        close(manager->wake[0]);
        close(manager->wake[1]);
        pthread_mutex_destroy(&manager->mutex);
        harness_remove_folder(manager->folder);
}

void manager_launch(struct manager *manager, long crash_at)
{
        pthread_mutex_lock(&manager->mutex);
        launch(manager, crash_at);
        pthread_mutex_unlock(&manager->mutex);
}

static bool look(struct manager *manager, bool (*predicate)(struct manager *))
{
        bool found;

        pthread_mutex_lock(&manager->mutex);
        found = predicate(manager);
        pthread_mutex_unlock(&manager->mutex);
        return found;
}

static void await(struct manager *manager, bool (*predicate)(struct manager *), const char *what)
{
        for (int i = 0; i < PATIENCE_MS; i++) {
                if (look(manager, predicate))
                        return;
                usleep(1000);
        }
        ck_abort_msg("waited in vain for %s", what);
}

static bool is_ready(struct manager *manager)
{
        return manager->ready;
}

static bool has_ended(struct manager *manager)
{
        return manager->pid < 0;
}

void manager_await_ready(struct manager *manager)
{
        await(manager, is_ready, "READY=1");
}

void manager_start(struct manager *manager)
{
        manager_launch(manager, 0);
        manager_await_ready(manager);
}

bool manager_has_ended(struct manager *manager)
{
        return look(manager, has_ended);
}

int manager_await_end(struct manager *manager)
{
        await(manager, has_ended, "the end of the daemon");
        return manager->status;
}

int manager_kill(struct manager *manager, int number)
{
        pthread_mutex_lock(&manager->mutex);
        if (manager->pid > 0)
                kill(manager->pid, number);
        pthread_mutex_unlock(&manager->mutex);
        return manager_await_end(manager);
}

size_t manager_count(struct manager *manager, char letter)
{
        size_t count = 0;

        pthread_mutex_lock(&manager->mutex);
        for (size_t i = 0; i < manager->count; i++)
                count += !letter || manager->store[i].name[0] == letter;
        pthread_mutex_unlock(&manager->mutex);
        return count;
}

void manager_await_count(struct manager *manager, char letter, size_t count)
{
        for (int i = 0; i < PATIENCE_MS && manager_count(manager, letter) != count; i++)
                usleep(1000);
        ck_assert_uint_eq(manager_count(manager, letter), count);
}

int manager_find(struct manager *manager, const char *name)
{
        int fd = -1;

        pthread_mutex_lock(&manager->mutex);
        for (size_t i = 0; i < manager->count; i++)
                if (strcmp(manager->store[i].name, name) == 0)
                        fd = manager->store[i].fd;
        pthread_mutex_unlock(&manager->mutex);
        ck_assert_int_ge(fd, 0);
        return fd;
}

void manager_set_deaf(struct manager *manager, bool deaf)
{
        pthread_mutex_lock(&manager->mutex);
        manager->deaf = deaf;
        pthread_mutex_unlock(&manager->mutex);
}

void manager_set_restarts(struct manager *manager, bool restarts)
{
        pthread_mutex_lock(&manager->mutex);
        manager->restarts = restarts;
        pthread_mutex_unlock(&manager->mutex);
}

bool manager_log_has(const struct manager *manager, const char *text)
{
        char line[1024];
        bool found = false;
        FILE *file = fopen(manager->log, "r");

        while (file && !found && fgets(line, sizeof(line), file))
                found = strstr(line, text);
        if (file)
                fclose(file);
        return found;
}
