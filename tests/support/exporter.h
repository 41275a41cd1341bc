// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The real filemem-exporter on a port of its own, and a client that says to it exactly what a test
 * wants. Whatever goes wrong fails the test.
 */
struct exporter {
        pid_t pid;
        uint16_t port;
};

/* For the daemon at that socket, which need not be there. Waits until it listens. */
void exporter_start(struct exporter *exporter, const char *socket);

/* Ends it by SIGTERM, and checks that it ends well. */
void exporter_stop(struct exporter *exporter);

/* A connection. */
int exporter_connect(const struct exporter *exporter);

/* For what somebody else started: waits until it can be connected to. */
void exporter_await_listening(const struct exporter *exporter);

/*
 * Sends bytes and reads to the end of the connection, at most `patience` seconds. Returns the
 * answer, to be freed; "" if none came.
 */
char *exporter_say(const struct exporter *exporter, const char *bytes, int patience);

/* The body of GET path, which has to be a 200; to be freed. */
char *exporter_get(const struct exporter *exporter, const char *path);

/* Asks for /metrics until this text is in it, at most some seconds. Returns it, to be freed. */
char *exporter_await(const struct exporter *exporter, const char *text);
