// SPDX-License-Identifier: Apache-2.0
#include "complain.h"

#include <stdarg.h>
#include <stdio.h>

enum exit_code complain(const char *sentence, ...)
{
        va_list arguments;

        fputs("filememctl: ", stderr);
        va_start(arguments, sentence);
        vfprintf(stderr, sentence, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        return EXIT_CODE_USAGE;
}

enum exit_code complain_of_choice(const char *option, const char *value, const char *const *of)
{
        if (value)
                fprintf(stderr, "filememctl: --%s cannot be '%s': say ", option, value);
        else
                fprintf(stderr, "filememctl: --%s needs a value: say ", option);
        for (size_t i = 0; of[i]; i++)
                fprintf(stderr, "%s%s", !i ? "" : of[i + 1] ? ", " : " or ", of[i]);
        fputc('\n', stderr);
        return EXIT_CODE_USAGE;
}
