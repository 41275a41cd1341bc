// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.h"
#include "memory/pool.h"

#include <sys/types.h>

#define CONFIG_DEFAULT_PATH "/etc/filemem/filememd.conf"

/* Room for a sentence with the name of a file and the number of a line. */
#define CONFIG_ERROR_MAX 512

/* What the configuration file says, or the defaults. filememd.conf(5) has all keys. */
struct config {
        char *socket; /* NULL: not said */
        mode_t socket_mode;
        enum log_level log_level;
        enum accounting accounting;
        uint64_t capacity; /* of the default pool, bytes; 0: chosen by the pool */
        bool exec;
};

/* The defaults. */
void config_init(struct config *config);
void config_deinit(struct config *config);

/*
 * Reads a file over what `config` says. Everything that is not understood is an error. Returns 0,
 * or a negative errno (-EINVAL for what the file says) and in `error` one line such as "FILE:LINE:
 * unknown key 'x' in [daemon]"; config is unchanged then.
 */
int config_read(struct config *config, const char *path, char error[CONFIG_ERROR_MAX]);
