// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What to do about a refusal that does not say it itself; or "". */
static const char *hint(const struct command *command, const char *sentence, int error)
{
        if (error == -ENOSYS)
                return "; restart it with this version";
        if (error == -ENOENT && strstr(sentence, "session"))
                return ": 'filememctl sessions' lists them";
        if (error == -ENOENT)
                return ": 'filememctl pools' lists those that you may know of";
        if (error == -EINVAL && command->word == WORD_RANGE)
                return ": 'filememctl status' shows it";
        if (error == -EPERM)
                return ": try as root, or have the configuration name you (filememd.conf(5))";
        if (error == -ECANCELED)
                return "; nothing was done";
        if (error == -ECONNRESET)
                return "; look at its log";
        return "";
}

static enum exit_code complain_of_refusal(
        const struct command *command, const char *sentence, int error)
{
        /* Some sentences of the daemon have it: after a colon. */
        fprintf(stderr, "filememctl: %s: %s%s\n", command->name, sentence,
                strstr(sentence, ": ") ? "" : hint(command, sentence, error));
        return error == -ECONNRESET ? EXIT_CODE_UNREACHABLE : EXIT_CODE_REFUSED;
}

static enum exit_code run_error(
        const filemem_session *session, const struct command *command, int error)
{
        const char *sentence = filemem_last_error(session);

        if (!sentence[0])
                sentence = error == -ECANCELED ? "no" : strerror(-error);
        return complain_of_refusal(command, sentence, error);
}

/* Seconds until a daemon that takes a connection has to say something. */
#define PATIENCE UINT64_C(30)

/* What to do about a daemon that cannot be reached; or "". */
static const char *open_hint(int error)
{
        switch (error) {
        case -ENOENT:
        case -ECONNREFUSED:
                return ": start filememd, or say with --socket where it listens";
        case -EACCES:
                return ": ask as root, or as a member of the socket's group";
        case -ETIMEDOUT:
                return ": it hangs, or the host is very busy; look at its log";
        default:
                return "";
        }
}

/* Whether it was reached, and would not have us in that pool. */
static bool is_about_pool(const struct command *command, int error)
{
        return command->runs_program &&
               (error == -EPERM ||
                       (error == -ENOENT && !strstr(filemem_open_error(), "no daemon")));
}

static enum exit_code open_error(const struct command *command, int error)
{
        if (is_about_pool(command, error))
                return complain_of_refusal(command, filemem_open_error(), error);
        fprintf(stderr, "filememctl: cannot reach the daemon: %s%s\n", filemem_open_error(),
                open_hint(error));
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
        const struct filemem_options how = {.size = sizeof(how),
                .label = "filememctl",
                .no_pool = !command->runs_program,
                .pool = command->runs_program ? options->pool : NULL,
                .private_pool = option_is_given(options, OPTION_PRIVATE)};
        enum exit_code code = EXIT_CODE_OK;
        filemem_session *session;
        int r;

        filemem_set_timeout(PATIENCE * 1000000000);
        r = filemem_open(options->value[OPTION_SOCKET], &how, &session);
        filemem_set_timeout(FILEMEM_NO_TIMEOUT); /* what it does for us may last */
        if (r < 0)
                return open_error(command, r);
        r = command->run(session, options);
        if (r != 0)
                code = r < 0 ? run_error(session, command, r) : (enum exit_code)r;
        filemem_close(session);
        return code;
}

/* Returns the exit code of what needs no daemon. */
static enum exit_code run_alone(const struct options *options)
{
        int r;

        if (option_is_given(options, OPTION_VERSION)) {
                puts("filememctl " FILEMEM_VERSION);
                return EXIT_CODE_OK;
        }
        r = option_is_given(options, OPTION_HELP) ? help_run(options)
                                                  : options->command->run_alone(options);
        if (r == 0)
                return EXIT_CODE_OK;
        fprintf(stderr, "filememctl: %s\n", strerror(-r));
        return EXIT_CODE_REFUSED;
}

int main(int argc, char **argv)
{
        struct options options;
        enum exit_code code;

        setlocale(LC_ALL, "");
        unsetenv("FILEMEM_FD"); /* a session that is meant for a program of somebody's */
        code = options_parse(&options, argc, argv);
        if (code != EXIT_CODE_OK)
                return (int)code;
        if (option_is_given(&options, OPTION_VERSION) || option_is_given(&options, OPTION_HELP) ||
                !options.command->run)
                code = run_alone(&options);
        else
                code = run(options.command, &options);
        return (int)finish_output(code);
}
