// SPDX-License-Identifier: Apache-2.0
#include "parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unit {
        const char *name;
        uint64_t factor;
};

static const struct unit size_units[] = {
        {"", 1},
        {"B", 1},
        {"K", UINT64_C(1) << 10},
        {"M", UINT64_C(1) << 20},
        {"G", UINT64_C(1) << 30},
        {"T", UINT64_C(1) << 40},
        {NULL, 0},
};

static const struct unit time_units[] = {
        {"", 1000000000},
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", UINT64_C(60) * 1000000000},
        {"h", UINT64_C(3600) * 1000000000},
        {"d", UINT64_C(86400) * 1000000000},
        {NULL, 0},
};

static bool is_digit(char letter)
{
        return letter >= '0' && letter <= '9';
}

/* The digits after a point, as a part of the unit; those beyond the 15th are too small to matter.
 */
static uint64_t take_fraction(const char **text, uint64_t factor)
{
        uint64_t numerator = 0, denominator = 1;

        for (; is_digit(**text); (*text)++) {
                if (denominator >= UINT64_C(1000000000000000))
                        continue;
                numerator = numerator * 10 + (uint64_t)(**text - '0');
                denominator *= 10;
        }
        return (uint64_t)((__uint128_t)factor * numerator / denominator);
}

/* A number and its unit, up to `end`. Returns whether it is one. */
static bool take(const char *text, const char *end, const struct unit *units, uint64_t *ret)
{
        bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
        const char *fraction = NULL;
        uint64_t whole, value;
        char *rest;

        if (!is_digit(text[0]))
                return false;
        errno = 0;
        whole = strtoull(text, &rest, hexadecimal ? 16 : 10);
        if (errno)
                return false;
        text = rest;
        if (*text == '.' && !hexadecimal) {
                fraction = ++text;
                text += strspn(text, "0123456789");
        }
        for (; units->name; units++)
                if (strlen(units->name) == (size_t)(end - text) &&
                        !strncmp(units->name, text, strlen(units->name)))
                        break;
        if (!units->name || __builtin_mul_overflow(whole, units->factor, &value))
                return false;
        if (fraction &&
                __builtin_add_overflow(value, take_fraction(&fraction, units->factor), &value))
                return false;
        *ret = value;
        return true;
}

const char *parse_size(const char *text, uint64_t *ret)
{
        uint64_t value;

        if (!take(text, text + strlen(text), size_units, &value))
                return "write a size as 4096, 0x1000, 4K or 1.5M";
        if (ret)
                *ret = value;
        return NULL;
}

const char *parse_time(const char *text, uint64_t *ret)
{
        uint64_t value;

        if (!take(text, text + strlen(text), time_units, &value) || !value)
                return "write a time as 30s, 500ms, 5m, 1.5h or 2d";
        if (ret)
                *ret = value;
        return NULL;
}

const char *parse_count(const char *text, uint64_t *ret)
{
        static const struct unit none[] = {{"", 1}, {NULL, 0}};
        uint64_t value;

        if (strchr(text, '.') || !take(text, text + strlen(text), none, &value) || !value)
                return "write a whole number above 0";
        if (ret)
                *ret = value;
        return NULL;
}

const char *parse_range(const char *text, struct filemem_range *ret)
{
        static const char sentence[] = "write a range as START-END or START+LENGTH, such as "
                                       "0x200000-0x400000 or 2M+64K";
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        const char *middle = text + strcspn(text, "-+");
        struct filemem_range range;

        if (!take(text, middle, size_units, &range.start))
                return sentence;
        range.end = range.start + page;
        if (*middle && !take(middle + 1, text + strlen(text), size_units, &range.end))
                return sentence;
        if (*middle == '+' && __builtin_add_overflow(range.start, range.end, &range.end))
                return sentence;
        if (range.end <= range.start)
                return "the range is empty: its end has to come after its start";
        if ((range.start | range.end) & (page - 1))
                return "the range has to start and end at a page: a multiple of 4K";
        if (ret)
                *ret = range;
        return NULL;
}
