// SPDX-License-Identifier: Apache-2.0
#include "map_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 1000

/* ".5": what there is after a point, of a unit. Goes on behind it. */
static bool parse_fraction(const char **text, uint64_t *ret_numerator, uint64_t *ret_denominator)
{
        *ret_numerator = 0;
        *ret_denominator = 1;
        if (**text != '.')
                return true;
        for ((*text)++; isdigit((unsigned char)**text); (*text)++) {
                if (*ret_denominator > 1000000)
                        return false;
                *ret_numerator = *ret_numerator * 10 + (uint64_t)(**text - '0');
                *ret_denominator *= 10;
        }
        return *ret_denominator > 1;
}

static void parse_unit(const char **text, unsigned *ret_shift)
{
        static const char units[] = "BKMGTPE";
        const char *unit = **text ? strchr(units, toupper((unsigned char)**text)) : NULL;

        *ret_shift = unit ? (unsigned)(unit - units) * 10 : 0;
        if (unit)
                (*text)++;
        if (unit && *ret_shift && strncmp(*text, "iB", 2) == 0)
                *text += 2;
}

/* Goes on behind it. */
static bool parse_size(const char **text, uint64_t *ret)
{
        bool hexadecimal = (*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X');
        uint64_t whole, numerator, denominator;
        unsigned shift;
        char *end;

        if (!isdigit((unsigned char)**text))
                return false;
        errno = 0;
        whole = strtoull(*text, &end, hexadecimal ? 16 : 10);
        if (errno || end == *text)
                return false;
        *text = end;
        if (hexadecimal) {
                *ret = whole;
                return true;
        }
        if (!parse_fraction(text, &numerator, &denominator))
                return false;
        parse_unit(text, &shift);
        if (whole > (UINT64_MAX >> shift))
                return false;
        whole <<= shift;
        numerator = (uint64_t)(((__uint128_t)numerator << shift) / denominator);
        *ret = whole + numerator;
        return *ret >= whole;
}

bool map_range_parse(const char *text, struct filemem_range *ret)
{
        struct filemem_range range = {0, UINT64_MAX};

        if (*text != '-' && !parse_size(&text, &range.start))
                return false;
        if (*text++ != '-')
                return false;
        if (*text && !parse_size(&text, &range.end))
                return false;
        if (*text || range.start >= range.end)
                return false;
        *ret = range;
        return true;
}

bool map_rows_parse(const char *text, size_t *ret)
{
        unsigned long rows;
        char *end;

        if (!isdigit((unsigned char)*text))
                return false;
        errno = 0;
        rows = strtoul(text, &end, 10);
        if (errno || *end || rows == 0 || rows > ROWS_MAX)
                return false;
        *ret = rows;
        return true;
}
