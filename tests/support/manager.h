// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What systemd does for filememd, within a test: hands over the listening socket, keeps descriptors
 * while the daemon is not there and gives them back, newest first, and starts it again. As systemd
 * it drops silently what is beyond the maximum, and connections whose other end has hung up.
 */
#define MANAGER_STORE_MAX 4096

struct manager_entry {
        char name[64];
        int fd;
};

struct manager {
        char folder[64];
        char socket[96];
        char log[96];
        char config[96]; /* path; "" for none */
        int listen_fd;
        int notify_fd;
        int wake[2];
        pthread_t thread;
        pthread_mutex_t mutex;

        /* under the mutex */
        struct manager_entry store[MANAGER_STORE_MAX];
        size_t count;
        size_t maximum;
        pid_t pid;               /* -1: none */
        int status;              /* of the last one that ended */
        bool ready;              /* said READY=1 */
        bool restarts;           /* at once, whatever it dies of */
        bool deaf;               /* reads no notifications */
        _Atomic unsigned starts; /* read without the mutex */
        unsigned dropped;        /* beyond the maximum */
        unsigned others;         /* ends that were none by SIGKILL, where it restarts */
        bool over;
};

/* config: text of the configuration, or NULL. Makes the folder and the socket; starts nothing. */
void manager_init(struct manager *manager, const char *config, size_t maximum);
void manager_deinit(struct manager *manager);

/* Starts the daemon. crash_at: the step at which it dies, 0: none. */
void manager_launch(struct manager *manager, long crash_at);
void manager_await_ready(struct manager *manager);

/* Both. */
void manager_start(struct manager *manager);

/* Waits for its end; returns what waitpid() said. The first sends a signal before. */
int manager_kill(struct manager *manager, int number);
int manager_await_end(struct manager *manager);

/* Whether it has ended. */
bool manager_has_ended(struct manager *manager);

/* Descriptors in the store whose name begins with that letter; 0: all. */
size_t manager_count(struct manager *manager, char letter);
void manager_await_count(struct manager *manager, char letter, size_t count);

/* A stored descriptor, borrowed; fails if there is none. */
int manager_find(struct manager *manager, const char *name);

/* Whether systemd hears; a deaf one makes its queue full. */
void manager_set_deaf(struct manager *manager, bool deaf);
void manager_set_restarts(struct manager *manager, bool restarts);

/* Whether a line of the log has that in it. */
bool manager_log_has(const struct manager *manager, const char *text);
