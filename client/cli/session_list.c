// SPDX-License-Identifier: Apache-2.0
#include "session_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256

static int make_room(struct session_list *list, size_t *room)
{
        struct filemem_session_info *infos;

        if (list->count + PAGE <= *room)
                return 0;
        *room = *room ? 2 * *room : 4 * (size_t)PAGE;
        infos = reallocarray(list->infos, *room, sizeof(*infos));
        if (!infos)
                return -ENOMEM;
        list->infos = infos;
        return 0;
}

/* Keeps those of the page that are in the pool. */
static void keep(struct session_list *list, size_t count, const char *pool)
{
        const struct filemem_session_info *page = list->infos + list->count;

        for (size_t i = 0; i < count; i++)
                if (!pool || !strcmp(page[i].pool, pool))
                        list->infos[list->count++] = page[i];
}

int session_list_ask(filemem_session *session, const char *pool, struct session_list *ret)
{
        struct session_list list = {0};
        uint64_t after = 0;
        size_t room = 0;
        int count;

        do {
                count = make_room(&list, &room);
                if (count < 0)
                        break;
                count = filemem_sessions(session, after, list.infos + list.count, PAGE);
                if (count <= 0)
                        break;
                after = list.infos[list.count + (size_t)count - 1].session;
                keep(&list, (size_t)count, pool);
        } while (true);
        /* Nobody in it, or no such pool? */
        if (count == 0 && pool && !list.count)
                count = filemem_pool_info_of(session, pool, &(struct filemem_pool){0});
        if (count < 0)
                session_list_free(&list);
        else
                *ret = list;
        return count;
}

void session_list_free(struct session_list *list)
{
        free(list->infos);
        *list = (struct session_list){0};
}

static int compare(const void *key, const void *element)
{
        uint64_t id = *(const uint64_t *)key;
        uint64_t other = ((const struct filemem_session_info *)element)->session;

        return (id > other) - (id < other);
}

const struct filemem_session_info *session_list_find(const struct session_list *list, uint64_t id)
{
        if (!list->count)
                return NULL;
        return bsearch(&id, list->infos, list->count, sizeof(list->infos[0]), compare);
}

const char *session_command(const struct filemem_session_info *info, char *text)
{
        char path[32];
        FILE *file;
        bool known;

        if (!info || info->pid <= 0)
                return NULL;
        snprintf(path, sizeof(path), "/proc/%d/comm", info->pid);
        file = fopen(path, "re");
        if (!file)
                return NULL;
        known = fgets(text, SESSION_COMMAND_MAX, file) != NULL;
        fclose(file);
        text[known ? strcspn(text, "\n") : 0] = 0;
        return known ? text : NULL;
}
