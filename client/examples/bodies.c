// SPDX-License-Identifier: Apache-2.0
/*
 * A server for requests with large bodies, which come by range: on the wire are three numbers.
 *
 *         filemem-bodies serve SOCKET
 *         filemem-bodies count SOCKET < FILE      prints how many lines FILE has
 *
 * The client writes the body into memory of their pool; the server takes a reference and reads it
 * there. It is a libevent loop that never waits for the daemon: references are taken and given up
 * by a queue, whose descriptor is one event more.
 */
#include <event2/event.h>
#include <filemem/filemem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNUSED(name) name __attribute__((unused))

struct request {
        struct filemem_range range;
        uint64_t length; /* of the body, at its beginning */
};

struct client {
        struct event *readable; /* not pending while a request is under way */
        struct request request;
};

static filemem_session *session;
static filemem_queue *queue;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void die(const char *why)
{
        fprintf(stderr, "filemem-bodies: %s\n", why);
        exit(1);
}

static void drop(struct client *client)
{
        close(event_get_fd(client->readable));
        event_free(client->readable);
        free(client);
}

static void on_reference(const struct filemem_completion *completion)
{
        struct filemem_operation release = {.code = FILEMEM_DO_RELEASE, .range = completion->range};
        struct client *client = completion->data;
        uint64_t lines = 0;
        void *body;

        if (completion->result < 0 ||
                filemem_map(session, completion->range, PROT_READ, &body) < 0) {
                drop(client);
                return;
        }
        for (uint64_t i = 0; i < client->request.length; i++)
                lines += ((char *)body)[i] == '\n';
        filemem_submit(queue, &release, 1);
        filemem_flush(queue);
        send(event_get_fd(client->readable), &lines, sizeof(lines), MSG_DONTWAIT | MSG_NOSIGNAL);
        event_add(client->readable, NULL);
}

static void on_request(int fd, short UNUSED(what), void *data)
{
        struct request *request = &((struct client *)data)->request;
        struct filemem_operation take = {
                .code = FILEMEM_DO_INCREF, .done = on_reference, .data = data};
        ssize_t n = recv(fd, request, sizeof(*request), MSG_DONTWAIT);

        take.range = request->range;
        if (n != sizeof(*request) || request->length > take.range.end - take.range.start ||
                filemem_submit(queue, &take, 1) < 0)
                drop(data);
        filemem_flush(queue);
}

static void on_client(int listener, short UNUSED(what), void *base)
{
        struct client *client = calloc(1, sizeof(*client));
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (!client || fd < 0)
                die("no descriptor or no memory is left");
        client->readable = event_new(base, fd, EV_READ, on_request, client);
        event_add(client->readable, NULL);
}

static void on_queue(int UNUSED(fd), short UNUSED(what), void *UNUSED(data))
{
        if (filemem_dispatch(queue) < 0)
                die("the daemon is gone");
}

static void serve(int fd)
{
        struct event_base *base = event_base_new();

        unlink(address.sun_path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0 ||
                !base || filemem_queue_open(session, NULL, &queue) < 0)
                die("cannot listen there");
        event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_client, base), NULL);
        event_add(event_new(base, filemem_queue_fd(queue), EV_READ | EV_PERSIST, on_queue, NULL),
                NULL);
        event_base_dispatch(base);
}

static void ask(int fd)
{
        uint64_t page = filemem_page_size(session), lines = 0;
        struct request request;
        struct stat status;
        void *body = NULL;

        if (fstat(STDIN_FILENO, &status) < 0 || !S_ISREG(status.st_mode))
                die("standard input is no file");
        request.length = (uint64_t)status.st_size;
        if (filemem_allocate(session, (request.length / page + 1) * page, FILEMEM_ANONYMOUS,
                    &request.range) < 0 ||
                filemem_map(session, request.range, PROT_READ | PROT_WRITE, &body) < 0)
                die(filemem_last_error(session));
        if (read(STDIN_FILENO, body, request.length) != status.st_size ||
                connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0 ||
                recv(fd, &lines, sizeof(lines), 0) <= 0)
                die("no answer");
        printf("%llu\n", (unsigned long long)lines);
}

int main(int argc, char **argv)
{
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        if (argc != 3 || strlen(argv[2]) >= sizeof(address.sun_path))
                die("say serve or count, and where");
        if (filemem_open(NULL, NULL, &session) < 0)
                die(filemem_open_error());
        strcpy(address.sun_path, argv[2]);
        (strcmp(argv[1], "serve") == 0 ? serve : ask)(fd);
}
