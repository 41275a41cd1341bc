// SPDX-License-Identifier: Apache-2.0
/*
 * A cache of files that several workers share: whoever asks first has the file read.
 *
 *         filemem-cache BYTES FILE...
 *
 * Each worker prints the checksum of every file, as `sum -r`. This process has the cache: objects
 * of a heap, of so many bytes at most. A worker asks by number, is told where in the pool the file
 * is, and reads it there with a reference of its own; the next question says that it is done.
 */
#include <fcntl.h>
#include <filemem/heap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS   4
#define FILES_MAX 1024

static struct entry {
        const char *name; /* known before the workers were forked */
        void *object;     /* NULL: not in the cache */
        size_t length;
        unsigned users;
        struct filemem_object where;
} entries[FILES_MAX];

static int files;
static size_t size, limit;
static unsigned long reads;
static filemem_heap *heap;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all of these */

static void die(const char *what, const char *why)
{
        fprintf(stderr, "filemem-cache: %s: %s\n", what, why);
        exit(1);
}

static void work(int peer, int line, int file)
{
        filemem_session *session;
        struct entry entry;
        unsigned char *bytes;

        if (filemem_open_fd(peer, NULL, &session) < 0)
                die("worker", filemem_open_error());
        for (int i = 0; i < files; i++, file = (file + 1) % files) {
                unsigned sum = 0;

                if (write(line, &file, sizeof(file)) < 0 || read(line, &entry, sizeof(entry)) <= 0)
                        die("worker", "the cache is gone");
                if (filemem_incref(session, entry.where.range) < 0 ||
                        filemem_map(session, entry.where.range, PROT_READ, (void **)&bytes) < 0)
                        die(entry.name, filemem_last_error(session));
                bytes += entry.where.offset - entry.where.range.start;
                for (size_t at = 0; at < entry.length; at++)
                        sum = ((sum >> 1) + ((sum & 1) << 15) + bytes[at]) & 0xffff;
                printf("%05u %zu %s\n", sum, entry.length, entry.name);
                filemem_release(session, entry.where.range);
        }
        exit(0);
}

static int start_worker(filemem_session *session, int number)
{
        int peer, ends[2];

        if (filemem_open_peer(session, NULL, &peer) < 0 ||
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                die("worker", filemem_last_error(session));
        if (fork() == 0 && close(ends[0]) == 0)
                work(peer, ends[1], number % files);
        close(peer);
        close(ends[1]);
        return ends[0];
}

static void load(struct entry *entry)
{
        int fd = open(entry->name, O_RDONLY | O_CLOEXEC);
        struct stat status = {0};

        fstat(fd, &status);
        entry->length = (size_t)status.st_size;
        for (int i = 0; i < files && size + entry->length > limit; i++)
                if (entries[i].object && !entries[i].users) {
                        filemem_heap_free(heap, entries[i].object);
                        entries[i].object = NULL;
                        size -= entries[i].length;
                }
        size += entry->length;
        entry->object = size <= limit ? filemem_heap_alloc(heap, entry->length) : NULL;
        if (!entry->object || filemem_heap_locate(heap, entry->object, &entry->where) < 0 ||
                read(fd, entry->object, entry->length) != status.st_size || close(fd) < 0)
                die(entry->name, "does not go into the cache");
        reads++;
}

static void *answer(void *argument)
{
        int file, line = *(int *)argument;
        struct entry *entry = NULL;

        while (read(line, &file, sizeof(file)) > 0) {
                pthread_mutex_lock(&lock);
                if (entry)
                        entry->users--;
                entry = &entries[file];
                if (!entry->users++ && !entry->object)
                        load(entry);
                send(line, entry, sizeof(*entry), MSG_NOSIGNAL);
                pthread_mutex_unlock(&lock);
        }
        return NULL; /* its last file may stay */
}

int main(int argc, char **argv)
{
        int lines[WORKERS], failed = 0, status;
        pthread_t threads[WORKERS];
        filemem_session *session;

        if (argc < 3 || argc > FILES_MAX)
                die("usage", "filemem-cache BYTES FILE...");
        limit = strtoull(argv[1], NULL, 10);
        for (; argv[files + 2]; files++)
                entries[files].name = argv[files + 2];
        if (filemem_open(NULL, NULL, &session) < 0)
                die("no session", filemem_open_error());
        for (int i = 0; i < WORKERS; i++)
                lines[i] = start_worker(session, i);
        if (filemem_heap_create(session, FILEMEM_PAGE_CACHE, NULL, &heap) < 0)
                die("no heap", filemem_last_error(session));
        for (int i = 0; i < WORKERS; i++)
                pthread_create(&threads[i], NULL, answer, &lines[i]);
        for (int i = 0; i < WORKERS; i++)
                pthread_join(threads[i], NULL);
        filemem_heap_destroy(heap);
        while (wait(&status) > 0)
                failed |= status != 0;
        fprintf(stderr, "%lu files read\n", reads);
        return failed;
}
