// SPDX-License-Identifier: Apache-2.0
/* What is said to filemem-exporter over HTTP, by friends and by others. */
#include "test_exporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_code(const char *request, const char *code)
{
        char *answer = exporter_say(&the_exporter, request, 30);

        ck_assert_msg(strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 9, code, 3) == 0,
                "%.60s: %.80s", request, answer);
        free(answer);
}

#define END "Host: localhost\r\nConnection: close\r\n\r\n"

START_TEST(only_get_and_head_are_answered)
{
        char *answer;

        check_code("GET / HTTP/1.1\r\n" END, "200");
        check_code("GET / HTTP/1.1\r\nHost: 127.0.0.1:9847\r\nConnection: close\r\n\r\n", "200");
        check_code("GET / HTTP/1.1\r\nHost: [::1]:9847\r\nConnection: close\r\n\r\n", "200");
        check_code("GET / HTTP/1.0\r\n\r\n", "200");
        check_code("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "403");
        check_code(
                "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                "403");
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
        check_code("GET /nothing HTTP/1.1\r\n" END, "404");
        check_code("GET /../../etc/passwd HTTP/1.1\r\n" END, "404");
        check_code("GET /api/map HTTP/1.1\r\n" END, "400");
        check_code("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n" END, "405");
        check_code("DELETE /metrics HTTP/1.1\r\n" END, "405");
        check_code("PUT / HTTP/1.1\r\nContent-Length: 0\r\n" END, "405");
        answer = exporter_say(&the_exporter, "HEAD /metrics HTTP/1.1\r\n" END, 30);
        ck_assert_ptr_nonnull(strstr(answer, "200 OK"));
        ck_assert_ptr_null(strstr(answer, "filemem_up"));
        free(answer);
}
END_TEST

START_TEST(what_is_too_large_or_no_http_ends_the_connection)
{
        size_t size = 100000;
        char *request = malloc(size), *answer;

        ck_assert_ptr_nonnull(request);
        memset(request, 'a', size);
        memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
        request[size - 1] = '\0';
        answer = exporter_say(&the_exporter, request, 5);
        ck_assert(strncmp(answer, "HTTP/1.1 200", 12) != 0);
        free(answer);
        memset(request, 'a', size - 1);
        memcpy(request, "GET /", 5);
        answer = exporter_say(&the_exporter, request, 5);
        ck_assert(strncmp(answer, "HTTP/1.1 200", 12) != 0);
        free(answer);
        answer = exporter_say(&the_exporter, "\x16\x03\x01 no HTTP\r\n\r\n", 5);
        ck_assert(strncmp(answer, "HTTP/1.1 200", 12) != 0);
        free(answer);
        check_code("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n" END, "413");
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
        free(request);
}
END_TEST

/* More than there are descriptors: the others wait in the kernel, and nobody burns the processor.
 */
START_TEST(connections_that_say_nothing_keep_nobody_out_for_long)
{
        enum { MANY = 180 };
        int fds[MANY];

        for (int i = 0; i < MANY; i++)
                fds[i] = exporter_connect(&the_exporter);
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
        for (int i = 0; i < MANY; i++)
                close(fds[i]);
        check_code("GET /healthz HTTP/1.1\r\n" END, "200");
}
END_TEST

START_TEST(it_takes_over_a_socket_and_is_started_by_the_first_who_asks)
{
        struct exporter activated = {.port = (uint16_t)(20000 + getpid() % 12000)};
        char address[32];

        snprintf(address, sizeof(address), "127.0.0.1:%u", activated.port);
        activated.pid = fork();
        ck_assert_int_ge(activated.pid, 0);
        if (!activated.pid) {
                execlp("systemd-socket-activate", "systemd-socket-activate", "-l", address,
                        FILEMEM_EXPORTER, "--socket", the_daemon.socket, (char *)NULL);
                _exit(127);
        }
        exporter_await_listening(&activated);
        free(exporter_await(&activated, "filemem_up 1\n"));
        exporter_stop(&activated);
}
END_TEST

void add_http_tests(TCase *exporter)
{
        tcase_add_test(exporter, only_get_and_head_are_answered);
        tcase_add_test(exporter, what_is_too_large_or_no_http_ends_the_connection);
        tcase_add_test(exporter, connections_that_say_nothing_keep_nobody_out_for_long);
        tcase_add_test(exporter, it_takes_over_a_socket_and_is_started_by_the_first_who_asks);
}
