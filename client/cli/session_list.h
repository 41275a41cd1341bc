// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filemem/filemem.h>
#include <stddef.h>

/* All sessions that one may see, by ascending identity. */
struct session_list {
        struct filemem_session_info *infos;
        size_t count;
};

/*
 * pool: those that are in it; NULL: all. Returns 0 or a negative errno of the library, which is
 * that of the pool where there are none.
 */
int session_list_ask(filemem_session *session, const char *pool, struct session_list *ret);

void session_list_free(struct session_list *list);

/* NULL if it is not among them. */
const struct filemem_session_info *session_list_find(const struct session_list *list, uint64_t id);

/*
 * The name of the command that a process runs, as the kernel shows it here; NULL if it does not.
 * text: of SESSION_COMMAND_MAX bytes.
 */
#define SESSION_COMMAND_MAX 64
const char *session_command(const struct filemem_session_info *info, char *text);
