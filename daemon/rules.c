// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <errno.h>
#include <stdlib.h>

static struct pools_rule make_rule(const struct config_pool *pool)
{
        return (struct pools_rule){
                .options = &pool->options, .access = &pool->access, .limits = &pool->limits};
}

int rules_init(struct rules *rules, const struct config *config)
{
        const struct config_pool *pool;
        struct pools_rule *list;
        size_t count = 0;

        STAILQ_FOREACH (pool, &config->pools, link)
                count++;
        list = calloc(count + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        count = 0;
        STAILQ_FOREACH (pool, &config->pools, link)
                list[count++] = make_rule(pool);
        *rules = (struct rules){
                .config =
                        {
                                .admin_group = config->admin_group,
                                .private_pools = make_rule(&config->private_pools),
                                .pools = list,
                                .count = count,
                                .limits = &config->limits,
                        },
                .pools = list,
        };
        return 0;
}

void rules_deinit(struct rules *rules)
{
        free(rules->pools);
        rules->pools = NULL;
}
