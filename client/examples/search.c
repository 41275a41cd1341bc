// SPDX-License-Identifier: Apache-2.0
/*
 * Counts the lines of standard input that contain a text, as `grep -cF` does, by several processes:
 *
 *         filemem-search TEXT [CONSUMERS] < FILE
 *
 * A producer reads straight into a free slot of a ring, and a consumer looks at it where it is: no
 * byte is copied from one process to another. Each has a session of its own, as a peer. When any of
 * them dies the others end, and the daemon gives back what they held.
 */
#include <filemem/filemem.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS     8 /* at least as many as consumers */
#define SLOT_SIZE ((size_t)1 << 20)
#define RING_SIZE (SLOTS * SLOT_SIZE + SLOT_SIZE) /* with the first one for what is below */

struct ring {
        struct {
                sem_t free, full; /* between processes */
                size_t length;    /* of whole lines; 0: there are no more */
        } slots[SLOTS];
        atomic_uint taken; /* by consumers so far */
        atomic_ulong found;
};

static char *slot_text(struct ring *ring, unsigned number)
{
        return (char *)ring + (1 + number % SLOTS) * SLOT_SIZE;
}

static int fail(const char *why)
{
        fprintf(stderr, "filemem-search: %s\n", why);
        return 1;
}

static unsigned long count_lines(const char *at, const char *end, const char *text)
{
        unsigned long count = 0;

        while (at < end && (at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
                at = memchr(at, '\n', (size_t)(end - at));
                at = at ? at + 1 : end;
                count++;
        }
        return count;
}

static int consume(struct ring *ring, const char *text)
{
        for (;;) {
                unsigned number = atomic_fetch_add(&ring->taken, 1), i = number % SLOTS;
                const char *lines = slot_text(ring, number);

                sem_wait(&ring->slots[i].full);
                if (!ring->slots[i].length)
                        return 0;
                ring->found += count_lines(lines, lines + ring->slots[i].length, text);
                sem_post(&ring->slots[i].free);
        }
}

/* Each slot gets whole lines; the rest of what was read begins the next one. */
static int produce(struct ring *ring, unsigned consumers)
{
        const char *rest = "";
        size_t length = 0;

        for (unsigned number = 0, ends = 0; ends < consumers; number++) {
                unsigned i = number % SLOTS;
                char *text = slot_text(ring, number), *end;
                ssize_t n = 0;

                sem_wait(&ring->slots[i].free);
                memcpy(text, rest, length);
                while (length < SLOT_SIZE && (n = read(0, text + length, SLOT_SIZE - length)) > 0)
                        length += (size_t)n;
                if (n < 0)
                        return fail("cannot read");
                end = n > 0 ? memrchr(text, '\n', length) : text + length - 1;
                if (!end)
                        return fail("a line is too long");
                rest = end + 1;
                ring->slots[i].length = (size_t)(rest - text);
                length -= ring->slots[i].length;
                ends += !ring->slots[i].length;
                sem_post(&ring->slots[i].full);
        }
        return 0;
}

/* A process that knows range and pool by numbers and a peer. text NULL: the producer. */
static int start(
        filemem_session *session, struct filemem_range range, const char *text, unsigned consumers)
{
        void *ring;
        int peer;

        if (filemem_open_peer(session, NULL, &peer) < 0)
                return fail(filemem_last_error(session));
        if (fork() != 0)
                return close(peer);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* who waits for us to the end has seen another one die */
        if (filemem_open_fd(peer, NULL, &session) < 0)
                _exit(fail(filemem_open_error()));
        if (filemem_incref(session, range) < 0 ||
                filemem_map(session, range, PROT_READ | PROT_WRITE, &ring) < 0)
                _exit(fail(filemem_last_error(session)));
        _exit(text ? consume(ring, text) : produce(ring, consumers));
}

int main(int argc, char **argv)
{
        unsigned consumers = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
        struct filemem_range range;
        filemem_session *session;
        struct ring *ring;
        int status;

        if (argc < 2 || !argv[1][0] || !consumers || consumers > SLOTS)
                return fail("say what to search for, and by how many processes, up to 8") + 1;
        if (filemem_open(NULL, NULL, &session) < 0)
                return fail(filemem_open_error());
        if (filemem_allocate(session, RING_SIZE, FILEMEM_ANONYMOUS, &range) < 0 ||
                filemem_map(session, range, PROT_READ | PROT_WRITE, (void **)&ring) < 0)
                return fail(filemem_last_error(session));
        for (int i = 0; i < SLOTS; i++)
                if (sem_init(&ring->slots[i].free, 1, 1) || sem_init(&ring->slots[i].full, 1, 0))
                        return fail("no semaphores");
        for (unsigned i = 0; i <= consumers; i++)
                if (start(session, range, i ? argv[1] : NULL, consumers))
                        return 1;
        while (wait(&status) > 0)
                if (status)
                        return fail("one of the processes has failed");
        printf("%lu\n", ring->found);
        filemem_close(session);
        return 0;
}
