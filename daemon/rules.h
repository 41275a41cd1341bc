// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config.h"
#include "server/pools.h"

/*
 * What of a configuration is for the server, which does not know where it comes from. It borrows
 * from the configuration. rules_init() returns 0 or -ENOMEM.
 */
struct rules {
        struct pools_config config;
        struct pools_rule *pools;
};

int rules_init(struct rules *rules, const struct config *config);
void rules_deinit(struct rules *rules);
