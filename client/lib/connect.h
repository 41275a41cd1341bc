// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/*
 * Connects to the daemon. path: NULL for the usual places. Returns the socket, or a negative errno,
 * such as that of connect(2), with the sentence for filemem_open_error() set.
 */
int connect_path(const char *path, uint64_t deadline);

/*
 * Takes the descriptor that $FILEMEM_FD names. Returns 1 with *ret, 0 if none is named, or a
 * negative errno with the sentence set.
 */
int connect_inherited(int *ret);

/*
 * Whether a descriptor may be a connection to the daemon; makes it one that waits and that no other
 * program inherits. Returns 0, or -EBADF or -ENOTSOCK with the sentence set.
 */
int connect_check(int fd);
