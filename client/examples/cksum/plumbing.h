// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * The pipes between the processes, made before any of them is forked:
 *
 *      loader ---announcement---> coordinator
 *      loader ---task-----------> each worker <---task--- coordinator
 *      loader <--receipt--------- workers, coordinator
 *      coordinator <---result---- each worker
 *
 * A message is a structure of fixed size, below PIPE_BUF, so it is written whole or not at all.
 */
#define WORKERS_MAX 32

struct announcement {
        unsigned file;
        unsigned worker;
        int error; /* positive errno: skipped, and why; ESTALE: it changed meanwhile */
        struct stat info;
        bool has_range;
        struct filemem_range range;
};

struct task {
        unsigned file;
        bool receipt; /* tell the loader when you have a reference */
        struct filemem_range range;
        uint64_t size;
};

struct receipt {
        unsigned file;
};

struct result {
        unsigned file;
        bool stopped; /* in the middle of it, and there is no more to come */
        uint32_t crc;
        uint64_t bytes; /* that were computed */
        uint64_t time;  /* ns that it took */
};

/* Ends of pipes: [0] reads, [1] writes. -1: closed here. */
struct plumbing {
        unsigned workers;
        int announcements[2];
        int receipts[2];
        int tasks[WORKERS_MAX][2];
        int results[WORKERS_MAX][2];
};

/* Returns 0 or a negative errno. */
int plumbing_make(struct plumbing *plumbing, unsigned workers);

/* Each process keeps the ends that are its own and closes the others: so an end of file is seen. */
void plumbing_keep_loader(struct plumbing *plumbing);
void plumbing_keep_worker(struct plumbing *plumbing, unsigned worker);
void plumbing_keep_coordinator(struct plumbing *plumbing);
void plumbing_close(int *fd);

/* One message. Return 1; 0 at the end of the pipe (nobody reads, nobody writes); a negative errno.
 */
int plumbing_write(int fd, const void *message, size_t size);
int plumbing_read(int fd, void *message, size_t size);
