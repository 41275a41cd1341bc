// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define HOST_DEFAULT "127.0.0.1"
#define PORT_DEFAULT 9847

static const struct option table[] = {
        {"listen", required_argument, NULL, 'l'},
        {"socket", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
};

static int fail(char error[OPTIONS_ERROR_MAX], const char *what, const char *value)
{
        snprintf(error, OPTIONS_ERROR_MAX, "%s: %.80s", what, value);
        return -EINVAL;
}

/* "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT". */
static int parse_listen(const char *text, struct options *ret, char error[OPTIONS_ERROR_MAX])
{
        const char *colon = strrchr(text, ':'), *start = text, *end = colon;
        unsigned long port;
        char *rest;

        if (!colon)
                return fail(error, "not ADDRESS:PORT", text);
        if (*start == '[' && end > start && end[-1] == ']') {
                start++;
                end--;
        }
        if ((size_t)(end - start) >= sizeof(ret->host))
                return fail(error, "not an address", text);
        if (end > start) {
                memcpy(ret->host, start, (size_t)(end - start));
                ret->host[end - start] = '\0';
        }
        errno = 0;
        port = strtoul(colon + 1, &rest, 10);
        if (errno || *rest || rest == colon + 1 || colon[1] == '-' || port > UINT16_MAX)
                return fail(error, "not a port", colon + 1);
        ret->port = (uint16_t)port;
        return 0;
}

int options_parse(int argc, char **argv, struct options *ret, char error[OPTIONS_ERROR_MAX])
{
        int option;

        *ret = (struct options){.host = HOST_DEFAULT, .port = PORT_DEFAULT};
        opterr = 0;
        while ((option = getopt_long(argc, argv, "hV", table, NULL)) >= 0) {
                switch (option) {
                case 'l':
                        if (parse_listen(optarg, ret, error) < 0)
                                return -EINVAL;
                        break;
                case 's':
                        ret->socket = optarg;
                        break;
                case 'h':
                        ret->help = true;
                        break;
                case 'V':
                        ret->version = true;
                        break;
                default:
                        return fail(
                                error, "unknown option, or its value is missing", argv[optind - 1]);
                }
        }
        return optind < argc ? fail(error, "there are no arguments", argv[optind]) : 0;
}

void options_print_help(FILE *file)
{
        fputs("Usage: filemem-exporter [OPTION...]\n"
              "\n"
              "Shows what filememd does: metrics for Prometheus at /metrics, a picture at /.\n"
              "\n"
              "  --listen ADDRESS:PORT  where to listen; 127.0.0.1:9847 if nothing is said. With\n"
              "                         systemd's socket activation it is the socket unit that "
              "says\n"
              "  --socket PATH          of the daemon; else $FILEMEM_SOCKET, else the usual place\n"
              "  -h, --help             this text\n"
              "  -V, --version          the version\n",
                file);
}
