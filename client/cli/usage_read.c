// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char no_memory[] = "cannot be read: there is no memory for it";
static const char not_ours[] = "is not what 'filememctl usage --json' writes: make a new one";

/* Whether it is a text, or null for an empty one, that is not too long; copied. */
static bool read_text(const json_t *row, const char *key, char *ret)
{
        const json_t *value = json_object_get(row, key);
        const char *text = json_string_value(value);

        ret[0] = 0;
        if (json_is_null(value))
                return true;
        if (!text || strlen(text) >= USAGE_TEXT_MAX)
                return false;
        strcpy(ret, text);
        return true;
}

static bool read_values(const json_t *object, struct usage_row *row)
{
        for (int value = 0; value < USAGE_VALUES; value++) {
                const json_t *number = json_object_get(object, usage_value_keys[value]);

                if (json_is_null(number))
                        continue;
                if (!json_is_integer(number) || json_integer_value(number) < 0)
                        return false;
                usage_set(row, (enum usage_value)value, (uint64_t)json_integer_value(number));
        }
        return true;
}

/* pool: that of the total, or NULL for any. */
static const char *read_row(const json_t *object, const char *pool, struct usage *usage)
{
        const json_t *at = json_object_get(object, "at_ns");
        struct usage_row *row = usage_add(usage);
        char by[USAGE_TEXT_MAX];

        if (!row)
                return no_memory;
        if (!read_text(object, "by", by) || !read_text(object, "group", row->group) ||
                !read_text(object, "pool", row->pool) || !read_values(object, row) ||
                !json_is_integer(at))
                return not_ours;
        if (strcmp(by, usage_by_names[usage->by]) != 0)
                return "was written with another --by: say the same";
        if (!json_is_null(json_object_get(object, "delta_ns")))
                return "has differences: --since takes what was written without";
        row->total = json_is_true(json_object_get(object, "total"));
        if (row->total && pool && strcmp(row->pool, pool) != 0)
                return "was written of another pool, or of all: say the same";
        usage->at_ns = (uint64_t)json_integer_value(at);
        return NULL;
}

static const char *read_rows(const json_t *root, const char *pool, struct usage *usage)
{
        const json_t *rows = json_object_get(root, "usage");
        const char *sentence = NULL;

        if (!json_is_array(rows) || !json_array_size(rows))
                return not_ours;
        for (size_t i = 0; !sentence && i < json_array_size(rows); i++)
                sentence = read_row(json_array_get(rows, i), pool, usage);
        return sentence;
}

const char *usage_read(const char *path, enum usage_by by, const char *pool, struct usage *ret)
{
        struct usage usage = {.by = by};
        FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
        const char *sentence = not_ours;
        json_error_t error;
        json_t *root;

        if (!file)
                return "cannot be read: write it with 'filememctl usage --json'";
        root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
        if (file != stdin)
                fclose(file);
        if (root)
                sentence = read_rows(root, pool, &usage);
        else if (json_error_code(&error) == json_error_out_of_memory)
                sentence = no_memory;
        json_decref(root);
        if (sentence)
                usage_free(&usage);
        else
                *ret = usage;
        return sentence;
}
