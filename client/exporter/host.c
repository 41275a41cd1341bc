// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* Whether the other side connected to a loopback address. */
static bool is_local(struct evhttp_request *request)
{
        struct evhttp_connection *connection = evhttp_request_get_connection(request);
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return true;
        if (address.ss_family == AF_INET)
                return ntohl(((struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24 == 127;
        return address.ss_family != AF_INET6 ||
               IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&address)->sin6_addr);
}

static bool is_address(const char *host)
{
        char name[INET6_ADDRSTRLEN];
        size_t length = strlen(host);
        struct in6_addr six;
        struct in_addr four;

        if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
                host++;
                length -= 2;
        }
        if (length >= sizeof(name))
                return false;
        snprintf(name, sizeof(name), "%.*s", (int)length, host);
        return inet_pton(AF_INET, name, &four) == 1 || inet_pton(AF_INET6, name, &six) == 1;
}

bool host_is_foreign(struct evhttp_request *request)
{
        const char *host = evhttp_request_get_host(request);

        /* No browser leaves it out. */
        if (!host || strcasecmp(host, "localhost") == 0 || is_address(host))
                return false;
        return is_local(request);
}
