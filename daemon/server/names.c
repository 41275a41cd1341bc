// SPDX-License-Identifier: Apache-2.0
#include "server/names.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

void name_write(char letter, uint64_t number, char ret[SERVER_NAME_MAX])
{
        char reversed[SERVER_NAME_MAX];
        unsigned length = 0;

        do
                reversed[length++] = digits[number % 36];
        while (number /= 36);
        *ret++ = letter;
        while (length)
                *ret++ = reversed[--length];
        *ret = 0;
}

static int digit_value(char digit)
{
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        return digit >= 'a' && digit <= 'z' ? digit - 'a' + 10 : -1;
}

bool name_read(const char *name, char letter, uint64_t *ret)
{
        uint64_t number = 0;

        if (*name++ != letter || !*name)
                return false;
        for (; *name; name++) {
                int value = digit_value(*name);

                if (value < 0 || number > (UINT64_MAX - (uint64_t)value) / 36)
                        return false;
                number = number * 36 + (uint64_t)value;
        }
        *ret = number;
        return true;
}
