// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <string.h>

static const struct command commands[] = {
        {"ping", "ask the daemon for an answer, and say how long it took", .run = ping_run},
        {"status", "the daemon and its pool, in numbers", .run = status_run},
        {"usage", "where the pool's memory has gone, by kind", true, usage_run},
        {"sessions", "who is connected, and what they hold", .run = sessions_run},
        {"dump", "every range of the pool", .run = dump_run},
        {"help", "this", .run = NULL},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *command_find(const char *name)
{
        for (size_t i = 0; i < COMMANDS; i++)
                if (!strcmp(commands[i].name, name))
                        return &commands[i];
        return NULL;
}

void command_print_help(FILE *where)
{
        fputs("Usage: filememctl [--socket PATH] COMMAND [OPTION...]\n"
              "Asks filememd, the memory server of this host.\n"
              "\n"
              "Commands:\n",
                where);
        for (size_t i = 0; i < COMMANDS; i++)
                fprintf(where, "  %-10s %s\n", commands[i].name, commands[i].help);
        fputs("\n"
              "Options:\n"
              "  -s, --socket PATH  where the daemon listens; otherwise $FILEMEM_SOCKET, else\n"
              "                     " FILEMEM_SOCKET_DEFAULT " or, when not root,\n"
              "                     $XDG_RUNTIME_DIR/filemem/filemem.sock if that exists\n"
              "  -b, --bytes        sizes in bytes instead of 1.5M\n"
              "  -j, --json         JSON: {\"COMMAND\":[{...}]}, sizes in bytes, times in ns\n"
              "      --no-header    leave out the line above the columns and the line below\n"
              "      --known        usage: what the daemon knows, without asking the kernel\n"
              "  -h, --help         this\n"
              "  -V, --version      the version\n"
              "\n"
              "Exit codes:\n"
              "  0  fine\n"
              "  1  the daemon refused or failed, or the output could not be written\n"
              "  2  the command line is wrong\n"
              "  3  the daemon cannot be reached, or went away\n",
                where);
}
