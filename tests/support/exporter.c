// SPDX-License-Identifier: Apache-2.0
#include "support/exporter.h"

#include "support/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE   30 /* s */
#define ANSWER_MAX (4u << 20)

static uint16_t read_port(int fd)
{
        char line[128] = "";
        static const char start[] = "http://127.0.0.1:";
        unsigned long port;
        size_t used = 0;
        ssize_t n;

        while (used + 1 < sizeof(line) && !strchr(line, '\n') &&
                (n = read(fd, line + used, sizeof(line) - used - 1)) > 0) {
                used += (size_t)n;
                line[used] = '\0';
        }
        ck_assert_msg(strncmp(line, start, strlen(start)) == 0, "it said: %s", line);
        port = strtoul(line + strlen(start), NULL, 10);
        ck_assert(port > 0 && port <= UINT16_MAX);
        return (uint16_t)port;
}

void exporter_start(struct exporter *exporter, const char *socket)
{
        int errors[2];

        ck_assert_int_eq(pipe(errors), 0);
        exporter->pid = fork();
        ck_assert_int_ge(exporter->pid, 0);
        if (!exporter->pid) {
                dup2(errors[1], STDERR_FILENO);
                close(errors[0]);
                close(errors[1]);
                execl(FILEMEM_EXPORTER, "filemem-exporter", "--socket", socket, "--listen",
                        "127.0.0.1:0", (char *)NULL);
                _exit(127);
        }
        close(errors[1]);
        exporter->port = read_port(errors[0]);
        close(errors[0]);
}

void exporter_stop(struct exporter *exporter)
{
        int status;

        ck_assert_int_eq(kill(exporter->pid, SIGTERM), 0);
        ck_assert_int_eq(waitpid(exporter->pid, &status, 0), exporter->pid);
        ck_assert_int_eq(status, 0);
}

static int try_connect(const struct exporter *exporter)
{
        const struct sockaddr_in address = {.sin_family = AF_INET,
                .sin_port = htons(exporter->port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

        ck_assert_int_ge(fd, 0);
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
                return fd;
        r = -errno;
        close(fd);
        return r;
}

int exporter_connect(const struct exporter *exporter)
{
        int fd = try_connect(exporter);

        ck_assert_msg(fd >= 0, "connecting: %s", strerror(-fd));
        return fd;
}

void exporter_await_listening(const struct exporter *exporter)
{
        int fd = -1;

        for (int i = 0; i < 10 * PATIENCE && fd < 0; i++) {
                fd = try_connect(exporter);
                if (fd < 0)
                        usleep(100000);
        }
        ck_assert_int_ge(fd, 0);
        close(fd);
}

char *exporter_say(const struct exporter *exporter, const char *bytes, int patience)
{
        int fd = exporter_connect(exporter);
        char *answer = malloc(ANSWER_MAX);
        struct pollfd end = {.fd = fd, .events = POLLIN};
        size_t used = 0;
        ssize_t n = 0;

        ck_assert_ptr_nonnull(answer);
        /* It may have closed already: then what it said before is what counts. */
        n = send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
        (void)n;
        while (poll(&end, 1, patience * 1000) == 1 && used + 1 < ANSWER_MAX &&
                (n = read(fd, answer + used, ANSWER_MAX - used - 1)) > 0)
                used += (size_t)n;
        answer[used] = '\0';
        close(fd);
        return answer;
}

char *exporter_get(const struct exporter *exporter, const char *path)
{
        char request[512], *answer, *body;

        snprintf(request, sizeof(request),
                "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
        answer = exporter_say(exporter, request, PATIENCE);
        ck_assert_msg(strncmp(answer, "HTTP/1.1 200", 12) == 0, "%.200s", answer);
        body = strstr(answer, "\r\n\r\n");
        ck_assert_ptr_nonnull(body);
        memmove(answer, body + 4, strlen(body + 4) + 1);
        return answer;
}

char *exporter_await(const struct exporter *exporter, const char *text)
{
        char *metrics = NULL;

        for (int i = 0; i < 10 * PATIENCE; i++) {
                free(metrics);
                metrics = exporter_get(exporter, "/metrics");
                if (strstr(metrics, text))
                        return metrics;
                usleep(100000);
        }
        ck_abort_msg("no \"%s\" in: %s", text, metrics);
}
