// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <string.h>

static const struct command commands[] = {
        {"ping", "ask the daemon for an answer, and say how long it took", .run = ping_run},
        {"status", "the daemon and a pool, in numbers", .word = WORD_POOL_IF_ANY,
                .run = status_run},
        {"usage", "where a pool's memory has gone, by kind", true, WORD_POOL_IF_ANY, usage_run},
        {"pools", "the pools that you may know of", .run = pools_run},
        {"limits", "what may be used at most, and what is used", .word = WORD_POOL_IF_ANY,
                .run = limits_run},
        {"sessions", "who is connected, and what they hold", .run = sessions_run},
        {"dump", "every range of a pool", .word = WORD_POOL_IF_ANY, .run = dump_run},
        {"destroy", "end a pool, and the sessions that are in it", .word = WORD_POOL,
                .run = destroy_run},
        {"kick", "end a session", .word = WORD_SESSION, .run = kick_run},
        {"reload", "have the daemon read its configuration again", .run = reload_run},
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
        static const char *const words[] = {
                [WORD_NONE] = "",
                [WORD_POOL_IF_ANY] = " [POOL]",
                [WORD_POOL] = " POOL",
                [WORD_SESSION] = " SESSION",
        };

        fputs("Usage: filememctl [--socket PATH] COMMAND [OPTION...]\n"
              "Asks filememd, the memory server of this host.\n"
              "\n"
              "Commands:\n",
                where);
        for (size_t i = 0; i < COMMANDS; i++) {
                int used = fprintf(where, "  %s%s", commands[i].name, words[commands[i].word]);

                fprintf(where, "%*s %s\n", used < 16 ? 16 - used : 0, "", commands[i].help);
        }
        fputs("\n"
              "POOL is the default pool where it may be left out.\n"
              "\n"
              "Options:\n"
              "  -s, --socket PATH  where the daemon listens; otherwise $FILEMEM_SOCKET, else\n"
              "                     " FILEMEM_SOCKET_DEFAULT " or, when not root,\n"
              "                     $XDG_RUNTIME_DIR/filemem/filemem.sock if that exists\n"
              "  -b, --bytes        sizes in bytes instead of 1.5M\n"
              "  -j, --json         JSON: {\"COMMAND\":[{...}]}, sizes in bytes, times in ns\n"
              "      --no-header    leave out the line above the columns and the line below\n"
              "      --known        usage: what the daemon knows, without asking the kernel\n"
              "  -y, --yes          destroy, kick: do not ask on a terminal\n"
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
