// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a small image of a large one (PGM, 8 bits), in a sandbox:
 *
 *         filemem-thumbnail < LARGE.pgm > SMALL.pgm
 *
 * Who reads images of strangers may be taken over by one of them. So a child in bubblewrap does
 * that, without files, network, users and other processes. The image is in memory that it is given,
 * and so is the small one, by an inherited session: a peer in a private pool for this one image.
 * When the child is gone nobody else has that memory, and what it said is checked.
 */
#include <fcntl.h>
#include <filemem/filemem.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_MAX ((size_t)64 << 20)
#define SCALE     ((size_t)4)

/* At the beginning of the pool; the pixels of the small image, and then the large one, follow. */
struct job {
        unsigned width, height; /* the answer */
        size_t length;          /* of the large image */
        unsigned char bytes[];
};

#define SMALL_MAX (IMAGE_MAX / (SCALE * SCALE))
#define JOB_SIZE  (4096 + SMALL_MAX + IMAGE_MAX)

static int fail(const char *what, const char *why)
{
        fprintf(stderr, "filemem-thumbnail: %s: %s\n", what, why);
        return 1;
}

/* ---- in the sandbox -------------------------------------------------------------------------- */

static int shrink(struct job *job)
{
        const char *text = (const char *)job->bytes + SMALL_MAX;
        unsigned width, height, maximum;
        int header = 0;

        /* NOLINTNEXTLINE(cert-err34-c): what is too large is a length that cannot be */
        if (sscanf(text, "P5 %u %u %u%n", &width, &height, &maximum, &header) != 3 ||
                maximum != 255)
                return fail("sandbox", "that is no PGM of 8 bits");
        if (!width || width > IMAGE_MAX || height > IMAGE_MAX ||
                (size_t)width * height + (size_t)header + 1 != job->length)
                return fail("sandbox", "the file is too short or too long");
        job->width = (unsigned)(width / SCALE);
        job->height = (unsigned)(height / SCALE);
        for (unsigned y = 0; y < job->height; y++)
                for (unsigned x = 0; x < job->width; x++) {
                        unsigned sum = 0;

                        for (unsigned i = 0; i < SCALE * SCALE; i++)
                                sum += (unsigned char)text[(size_t)header + 1 +
                                                           (size_t)(y * SCALE + i / SCALE) * width +
                                                           x * SCALE + i % SCALE];
                        job->bytes[(size_t)y * job->width + x] =
                                (unsigned char)(sum / SCALE / SCALE);
                }
        return 0;
}

static int run_in_sandbox(uint64_t start)
{
        struct filemem_range range = {start, start + JOB_SIZE};
        filemem_session *session;
        void *job;

        if (filemem_open(NULL, NULL, &session) < 0) /* $FILEMEM_FD */
                return fail("sandbox", filemem_open_error());
        if (filemem_map(session, range, PROT_READ | PROT_WRITE, &job) < 0)
                return fail("sandbox", filemem_last_error(session));
        return shrink(job);
}

/* ---- outside --------------------------------------------------------------------------------- */

static int launch(filemem_session *session, struct filemem_range range)
{
        char start[24], number[16], *program = realpath("/proc/self/exe", NULL);
        /* The program and the system's libraries can be read, and there is nothing else. */
        char *const sandbox[] = {"bwrap", "--unshare-all", "--die-with-parent", "--new-session",
                "--proc", "/proc", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
                "--symlink", "usr/lib64", "/lib64", "--ro-bind", program, "/program", "/program",
                "--in-sandbox", start, NULL};
        const struct filemem_peer_options how = {
                .size = sizeof(how), .label = "thumbnail", .max_ranges = 1, .max_bytes = 4096};
        int peer, status;
        pid_t child;

        if (!program || filemem_open_peer(session, &how, &peer) < 0)
                return fail("no peer", filemem_last_error(session));
        snprintf(number, sizeof(number), "%d", peer);
        snprintf(start, sizeof(start), "%" PRIu64, range.start);
        child = fork();
        if (child == 0) {
                setenv("FILEMEM_FD", number, 1);
                fcntl(peer, F_SETFD, 0);
                execvp(sandbox[0], sandbox);
                _exit(fail(sandbox[0], "cannot be started"));
        }
        close(peer);
        free(program);
        return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static int thumbnail(filemem_session *session, struct filemem_range range, struct job *job)
{
        job->length = fread(job->bytes + SMALL_MAX, 1, IMAGE_MAX - 1, stdin);
        if (ferror(stdin))
                return fail("input", "cannot be read");
        if (launch(session, range))
                return fail("sandbox", "no image came of it");
        if (!job->width || job->width > SMALL_MAX || job->height > SMALL_MAX / job->width)
                return fail("sandbox", "says what cannot be");
        printf("P5\n%u %u\n255\n", job->width, job->height);
        fwrite(job->bytes, job->width, job->height, stdout);
        return fflush(stdout) || ferror(stdout) ? fail("output", "cannot be written") : 0;
}

int main(int argc, char **argv)
{
        const struct filemem_options how = {.size = sizeof(how), .private_pool = true};
        struct filemem_range range;
        filemem_session *session;
        void *job;

        if (argc > 2 && !strcmp(argv[1], "--in-sandbox"))
                return run_in_sandbox(strtoull(argv[2], NULL, 10));
        if (filemem_open(NULL, &how, &session) < 0)
                return fail("no session", filemem_open_error());
        if (filemem_allocate(session, JOB_SIZE, FILEMEM_ANONYMOUS, &range) < 0 ||
                filemem_map(session, range, PROT_READ | PROT_WRITE, &job) < 0)
                return fail("no memory", filemem_last_error(session));
        return thumbnail(session, range, job);
}
