// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * Connects to the daemon. path: NULL for the usual places. Returns the socket, or the negative
 * errno of connect(2) with the sentence for filemem_open_error() set.
 */
int connect_daemon(const char *path);
