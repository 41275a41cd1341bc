// SPDX-License-Identifier: Apache-2.0
#include "server/pools_parts.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What becomes of one pool that the configuration names. */
struct plan {
        struct served *served;
        bool is_new;
        struct access access;
};

static struct served *find_named(struct pools *pools, const char *name)
{
        struct served *served = pools_find(pools, name);

        return served && !served->is_private && served->state != SERVED_DESTROYED ? served : NULL;
}

static int make_plan(struct pools *pools, const struct pools_rule *rule, struct plan *plan)
{
        int r = access_copy(rule->access, &plan->access);

        if (r < 0)
                return r;
        plan->served = find_named(pools, rule->options->name);
        if (plan->served)
                return 0;
        r = served_new(pools, rule->options, rule->limits, SERVED_NO_MAKER, &plan->served);
        plan->is_new = r == 0;
        return r > 0 ? -ENOSPC : r;
}

static void drop_plans(struct plan *plans, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                access_deinit(&plans[i].access);
                if (plans[i].is_new)
                        served_free(plans[i].served);
        }
}

static void warn_of_options(const struct served *served, const struct pool_options *options)
{
        if (served->options.capacity != options->capacity ||
                served->options.exec != options->exec ||
                served->options.zero_verify != options->zero_verify ||
                served->options.huge_advise != options->huge_advise)
                log_event(LOG_POOL_UNCHANGED, log_of_pool(served_name(served)),
                        "pool %s: capacity, exec, zero and huge stay what it was made with",
                        served_name(served));
}

static void carry_out(struct pools *pools, struct plan *plan, const struct pools_rule *rule)
{
        struct served *served = plan->served;

        access_deinit(&served->access);
        served->access = plan->access;
        limits_account_set(served->account, rule->limits ? rule->limits : &limits_none);
        served->state = SERVED_OPEN;
        if (plan->is_new)
                served_enlist(pools, served);
        else
                warn_of_options(served, rule->options);
}

static bool is_planned(const struct served *served, const struct plan *plans, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (plans[i].served == served)
                        return true;
        return false;
}

static void drain_others(struct pools *pools, const struct plan *plans, size_t count)
{
        struct served *served, *next;

        for (served = TAILQ_FIRST(&pools->list); served; served = next) {
                next = TAILQ_NEXT(served, link);
                if (served->is_private || served->state != SERVED_OPEN ||
                        is_planned(served, plans, count))
                        continue;
                log_event(LOG_POOL_DRAINED, log_of_pool(served_name(served)),
                        "pool %s is not in the configuration any more: draining it",
                        served_name(served));
                served->state = SERVED_DRAINING;
                served_forget_unused(served);
        }
}

/* plans: room for as many as there are pools, all zeros. */
static int configure(struct pools *pools, const struct pools_config *config, struct plan *plans)
{
        struct principals makers;
        int r = principals_copy(&config->private_pools.access->join, &makers);

        if (r < 0)
                return r;
        for (size_t i = 0; i < config->count; i++) {
                r = make_plan(pools, &config->pools[i], &plans[i]);
                if (r < 0) {
                        drop_plans(plans, i + 1);
                        principals_deinit(&makers);
                        return r;
                }
        }
        drain_others(pools, plans, config->count);
        for (size_t i = 0; i < config->count; i++)
                carry_out(pools, &plans[i], &config->pools[i]);
        principals_deinit(&pools->private_makers);
        pools->private_makers = makers;
        pools->private_options = *config->private_pools.options;
        pools->private_limits =
                config->private_pools.limits ? *config->private_pools.limits : limits_none;
        pools->private_options.name = NULL;
        pools->admin_group = config->admin_group;
        return 0;
}

int pools_configure(struct pools *pools, const struct pools_config *config)
{
        struct plan *plans = calloc(config->count + 1, sizeof(*plans));
        int r = plans ? configure(pools, config, plans) : -ENOMEM;

        free(plans);
        return r;
}
