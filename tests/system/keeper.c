// SPDX-License-Identifier: Apache-2.0
/*
 * A client that holds memory while something happens to the daemon, for tests that are scripts.
 *
 *   keeper SOCKET RANGES
 *
 * It takes so many ranges, some with a second reference, writes a pattern into each, and says
 * "ready". For each line on stdin it says what has become of them:
 *
 *   kept     all patterns are there, and the daemon knows of every range and reference
 *   reset    the daemon has ended the connection; the memory can still be read, whatever is in it
 *   broken   anything else, with the reason
 *
 * At the end of stdin it ends well.
 */
#include <errno.h>
#include <filemem/filemem.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RANGES_MAX 1000
#define LENGTH(i)  (UINT64_C(4096) << ((i) % 6))

struct kept {
        struct filemem_range range;
        unsigned char *memory;
        uint32_t refs;
};

static struct kept kept[RANGES_MAX];
static unsigned count;

__attribute__((noreturn)) static void fail(const char *what, int r)
{
        printf("broken: %s: %s\n", what, strerror(-r));
        exit(EXIT_FAILURE);
}

static void take(filemem_session *session, unsigned i)
{
        struct kept *one = &kept[i];
        void *memory;
        int r = filemem_allocate(session, LENGTH(i), FILEMEM_ANONYMOUS, &one->range);

        if (r < 0)
                fail("allocate", r);
        one->refs = 1;
        if (i % 3 == 0) {
                r = filemem_incref(session, one->range);
                if (r < 0)
                        fail("incref", r);
                one->refs++;
        }
        r = filemem_map(session, one->range, PROT_READ | PROT_WRITE, &memory);
        if (r < 0)
                fail("map", r);
        one->memory = memory;
        memset(one->memory, (int)(i % 255) + 1, LENGTH(i));
}

static bool has_pattern(unsigned i)
{
        for (uint64_t at = 0; at < LENGTH(i); at++)
                if (kept[i].memory[at] != i % 255 + 1)
                        return false;
        return true;
}

/* What the daemon has of the range: all of it, in one reference more than is taken here. Returns a
 * negative errno if it does not answer. */
static int ask(filemem_session *session, unsigned i)
{
        struct filemem_entry entry;
        int r = filemem_dump(session, kept[i].range.start, &entry, 1);

        if (r < 0)
                return r;
        if (r != 1 || entry.range.start > kept[i].range.start ||
                entry.range.end < kept[i].range.end)
                fail("the daemon does not know of a range", -ENOENT);
        if (entry.refs != kept[i].refs)
                fail("the daemon has another number of references", -EINVAL);
        /* That it is ours: only who holds a range can give up a reference, and here it is back. */
        r = filemem_incref(session, kept[i].range);
        return r < 0 ? r : filemem_decref(session, kept[i].range);
}

static const char *look(filemem_session *session)
{
        unsigned patterns = 0;
        int r = 0;

        for (unsigned i = 0; i < count; i++)
                patterns += has_pattern(i);
        for (unsigned i = 0; r == 0 && i < count; i++)
                r = ask(session, i);
        if (r == -ECONNRESET)
                return "reset";
        if (r < 0)
                fail("the daemon answers", r);
        if (patterns != count)
                fail("another pattern", -EIO);
        return "kept";
}

int main(int argc, char **argv)
{
        filemem_session *session;
        char line[64];
        int r;

        if (argc != 3)
                return EXIT_FAILURE;
        setvbuf(stdout, NULL, _IOLBF, 0);
        count = (unsigned)strtoul(argv[2], NULL, 10);
        if (count > RANGES_MAX)
                return EXIT_FAILURE;
        r = filemem_open(argv[1], NULL, &session);
        if (r < 0)
                fail("open", r);
        for (unsigned i = 0; i < count; i++)
                take(session, i);
        puts("ready");
        while (fgets(line, sizeof(line), stdin))
                puts(look(session));
        filemem_close(session);
        return EXIT_SUCCESS;
}
