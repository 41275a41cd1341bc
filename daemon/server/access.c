// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_listed(const struct principals *principals, struct principal principal)
{
        for (size_t i = 0; i < principals->count; i++)
                if (principals->list[i].is_group == principal.is_group &&
                        principals->list[i].id == principal.id)
                        return true;
        return false;
}

int principals_add(struct principals *principals, struct principal principal)
{
        struct principal *list;

        if (is_listed(principals, principal))
                return 0;
        list = realloc(principals->list, sizeof(*list) * (principals->count + 1));
        if (!list)
                return -ENOMEM;
        list[principals->count++] = principal;
        principals->list = list;
        return 0;
}

int principals_copy(const struct principals *principals, struct principals *ret)
{
        struct principals copy = {.everybody = principals->everybody};

        if (principals->count) {
                copy.list = malloc(sizeof(*copy.list) * principals->count);
                if (!copy.list)
                        return -ENOMEM;
                memcpy(copy.list, principals->list, sizeof(*copy.list) * principals->count);
                copy.count = principals->count;
        }
        *ret = copy;
        return 0;
}

void principals_deinit(struct principals *principals)
{
        free(principals->list);
        *principals = PRINCIPALS_NONE;
}

int access_copy(const struct access *access, struct access *ret)
{
        struct access copy = {0};
        int r = principals_copy(&access->join, &copy.join);

        if (r == 0)
                r = principals_copy(&access->join_read_only, &copy.join_read_only);
        if (r == 0)
                r = principals_copy(&access->admin, &copy.admin);
        if (r < 0) {
                access_deinit(&copy);
                return r;
        }
        *ret = copy;
        return 0;
}

void access_deinit(struct access *access)
{
        principals_deinit(&access->join);
        principals_deinit(&access->join_read_only);
        principals_deinit(&access->admin);
}

bool access_may_join(const struct access *access, const struct identity *identity, bool read_only)
{
        return principals_have(&access->join, identity) ||
               (read_only && principals_have(&access->join_read_only, identity));
}

bool identity_is_in_group(const struct identity *identity, gid_t group)
{
        if (identity->gid == group)
                return true;
        for (size_t i = 0; i < identity->group_count; i++)
                if (identity->groups[i] == group)
                        return true;
        return false;
}

bool principals_have(const struct principals *principals, const struct identity *identity)
{
        if (principals->everybody)
                return true;
        for (size_t i = 0; i < principals->count; i++) {
                const struct principal *principal = &principals->list[i];

                if (principal->is_group ? identity_is_in_group(identity, principal->id)
                                        : identity->uid == principal->id)
                        return true;
        }
        return false;
}
