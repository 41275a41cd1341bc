// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum exit_code open_error(int error)
{
        fprintf(stderr, "filememctl: cannot reach the daemon: %s\n", filemem_open_error());
        switch (error) {
        case -EPROTO:
        case -EINVAL:
        case -ENOMEM:
        case -EDQUOT:
        case -EPERM:
                return EXIT_CODE_REFUSED; /* it was reached, or we are out of memory */
        default:
                return EXIT_CODE_UNREACHABLE;
        }
}

static enum exit_code run_error(const filemem_session *session, const char *command, int error)
{
        const char *sentence = filemem_last_error(session);

        if (!sentence[0])
                sentence = strerror(-error);
        fprintf(stderr, "filememctl: %s: %s\n", command, sentence);
        return error == -ECONNRESET ? EXIT_CODE_UNREACHABLE : EXIT_CODE_REFUSED;
}

/* What was printed may still be on its way: a full disk shows here. */
static enum exit_code finish_output(enum exit_code code)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return code;
        fprintf(stderr, "filememctl: cannot write the output: %s\n", strerror(errno));
        return code == EXIT_CODE_OK ? EXIT_CODE_REFUSED : code;
}

static enum exit_code run(const struct command *command, const struct options *options)
{
        const struct filemem_options how = {
                .size = sizeof(how), .label = "filememctl", .no_pool = true};
        enum exit_code code = EXIT_CODE_OK;
        filemem_session *session;
        int r = filemem_open(options->socket, &how, &session);

        if (r < 0)
                return open_error(r);
        r = command->run(session, options);
        if (r < 0)
                code = run_error(session, command->name, r);
        filemem_close(session);
        return code;
}

int main(int argc, char **argv)
{
        const struct command *command;
        struct options options;
        enum exit_code code;

        setlocale(LC_ALL, "");
        unsetenv("FILEMEM_FD"); /* a session that is meant for a program of somebody's */
        code = options_parse(&options, argc, argv);
        if (code != EXIT_CODE_OK)
                return (int)code;
        command = options.command ? command_find(options.command) : NULL;
        if (options.version)
                puts("filememctl " FILEMEM_VERSION);
        else if (!command || !command->run)
                command_print_help(stdout);
        else
                code = run(command, &options);
        return (int)finish_output(code);
}
