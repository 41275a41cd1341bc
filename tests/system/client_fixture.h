// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"
#include "support/daemon.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* A real daemon and a session with it, for one test. What fails makes the test fail. */
#define READ_WRITE      (PROT_READ | PROT_WRITE)
#define MIB             (UINT64_C(1) << 20)
#define PAGE            UINT64_C(4096)
#define CLIENT_PATIENCE 20000 /* ms */

extern struct daemon the_daemon;
extern filemem_session *the_session;

void client_start(void);
void client_stop(void);

/* One more session. */
filemem_session *client_open(const char *label);

struct filemem_range client_allocate(uint64_t length, enum filemem_kind kind);

/* For reading and writing. */
unsigned char *client_map(filemem_session *from, struct filemem_range range);

/* Counted now. */
struct filemem_usage client_usage(void);

bool client_is_filled(const unsigned char *bytes, size_t size, unsigned char value);

/* Waits until nothing is reclaimable and nothing committed. */
void client_await_empty(void);
