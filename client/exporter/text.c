// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const units[] = {"bytes", "seconds"};

static bool ends_with(const char *name, const char *end)
{
        size_t length = strlen(name), tail = strlen(end);

        return length > tail && name[length - tail - 1] == '_' &&
               strcmp(name + length - tail, end) == 0;
}

void text_family(struct text *text, const char *name, enum family_type type, const char *help)
{
        static const char *const types[] = {"gauge", "counter", "histogram"};
        const char *end = type == FAMILY_COUNTER && !text->open_metrics ? "_total" : "";

        evbuffer_add_printf(text->buffer, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, end, help, name,
                end, types[type]);
        for (size_t i = 0; text->open_metrics && i < sizeof(units) / sizeof(units[0]); i++)
                if (ends_with(name, units[i]))
                        evbuffer_add_printf(text->buffer, "# UNIT %s %s\n", name, units[i]);
}

static void write_name(
        struct text *text, const char *name, enum family_type type, const char *labels)
{
        evbuffer_add_printf(text->buffer, "%s%s%s%s%s ", name,
                type == FAMILY_COUNTER ? "_total" : "", labels[0] ? "{" : "", labels,
                labels[0] ? "}" : "");
}

void text_sample(struct text *text, const char *name, enum family_type type, const char *labels,
        uint64_t value)
{
        write_name(text, name, type, labels);
        evbuffer_add_printf(text->buffer, "%" PRIu64 "\n", value);
}

void text_sample_double(struct text *text, const char *name, enum family_type type,
        const char *labels, double value)
{
        write_name(text, name, type, labels);
        evbuffer_add_printf(text->buffer, "%.15g\n", value);
}

double text_seconds(uint64_t nanoseconds)
{
        return (double)nanoseconds / 1e9;
}

/* One character, escaped. Returns how many bytes that takes. */
static size_t escape(char c, char ret[2])
{
        if (c != '\\' && c != '"' && c != '\n') {
                ret[0] = c;
                return 1;
        }
        ret[0] = '\\';
        ret[1] = c;
        if (c == '\n')
                ret[1] = 'n';
        return 2;
}

void text_label(char labels[TEXT_LABELS_MAX], const char *name, const char *value)
{
        size_t used = strlen(labels);

        used += (size_t)snprintf(
                labels + used, TEXT_LABELS_MAX - used, "%s%s=\"", used ? "," : "", name);
        /* A name of a pool has at most 64 bytes, so what is cut here is never one. */
        for (; *value && used + 4 < TEXT_LABELS_MAX; value++)
                used += escape(*value, labels + used);
        labels[used] = '"';
        labels[used + 1] = '\0';
}

void text_label_number(char labels[TEXT_LABELS_MAX], const char *name, uint64_t value)
{
        char number[24];

        snprintf(number, sizeof(number), "%" PRIu64, value);
        text_label(labels, name, number);
}
