// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The command line of filemem-exporter. */
#define OPTIONS_HOST_MAX  64
#define OPTIONS_ERROR_MAX 160

struct options {
        char host[OPTIONS_HOST_MAX]; /* an address, IPv4 or IPv6 */
        uint16_t port;               /* 0: any */
        const char *socket;          /* of the daemon; NULL: where the library looks */
        bool help;
        bool version;
};

/* Returns 0, or -EINVAL and one line. */
int options_parse(int argc, char **argv, struct options *ret, char error[OPTIONS_ERROR_MAX]);

void options_print_help(FILE *file);
