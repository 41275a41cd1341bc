// SPDX-License-Identifier: Apache-2.0
#include "confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

bool confirm(const struct options *options, const char *question, ...)
{
        va_list arguments;
        char answer[16];

        if (option_is_given(options, OPTION_YES) || !isatty(STDIN_FILENO))
                return true;
        va_start(arguments, question);
        vfprintf(stderr, question, arguments);
        va_end(arguments);
        fputs("? [y/N] ", stderr);
        if (!fgets(answer, sizeof(answer), stdin))
                return false;
        return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}
