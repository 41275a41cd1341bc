// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_LIMIT   4096

size_t terminal_columns(void)
{
        const char *said = getenv("COLUMNS");
        struct winsize size;

        if (said) {
                unsigned long columns = strtoul(said, NULL, 10);

                if (columns > 0 && columns <= COLUMNS_LIMIT)
                        return columns;
        }
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return size.ws_col;
        return COLUMNS_DEFAULT;
}

bool terminal_is_unicode(void)
{
        return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
