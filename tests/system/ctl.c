// SPDX-License-Identifier: Apache-2.0
#include "ctl.h"

#include "support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

char ctl_output[1 << 20];
char ctl_errors[4096];

static int new_file(void)
{
        int fd = memfd_create("output", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        return fd;
}

static void read_all(int fd, char *text, size_t size)
{
        size_t at = 0;
        ssize_t n;

        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        while (at < size - 1 && (n = read(fd, text + at, size - 1 - at)) > 0)
                at += (size_t)n;
        text[at] = '\0';
        close(fd);
}

int ctl_shell(const char *command)
{
        int out = new_file(), err = new_file(), status;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (!child) {
                if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
                        execl("/bin/sh", "sh", "-c", command, NULL);
                _exit(127);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        read_all(out, ctl_output, sizeof(ctl_output));
        read_all(err, ctl_errors, sizeof(ctl_errors));
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ctl_run(const char *line)
{
        char command[4096];

        snprintf(command, sizeof(command), "</dev/null %s %s", FILEMEM_CTL, line);
        return ctl_shell(command);
}

const char *ctl_get(const char *line)
{
        int code = ctl_run(line);

        ck_assert_msg(code == 0, "%s: %d: %s", line, code, ctl_errors);
        ck_assert_str_eq(ctl_errors, "");
        return ctl_output;
}

const char *ctl_fail(int code, const char *line)
{
        int got = ctl_run(line);
        char *end = strchr(ctl_errors, '\n');

        ck_assert_msg(got == code, "%s: %d: %s", line, got, ctl_errors);
        ck_assert_msg(end && !end[1], "%s: not one line: %s", line, ctl_errors);
        ck_assert_msg(!strncmp(ctl_errors, "filememctl: ", 12), "%s: %s", line, ctl_errors);
        ck_assert_str_eq(ctl_output, "");
        *end = 0;
        return ctl_errors + 12;
}

char *ctl_read_file(const char *path)
{
        FILE *file = fopen(path, "re");
        char *text = calloc(1, 1 << 20);

        ck_assert_msg(file && text, "%s cannot be read", path);
        fread(text, 1, (1 << 20) - 1, file);
        ck_assert(feof(file));
        fclose(file);
        return text;
}
