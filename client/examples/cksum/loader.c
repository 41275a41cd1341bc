// SPDX-License-Identifier: Apache-2.0
#include "cksum/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct loader {
        filemem_session *session;
        struct files *files;
        struct plumbing *plumbing;
        unsigned next_worker;
        unsigned handed; /* ranges */
        unsigned receipts[FILES_MAX];
};

static int fail(const struct loader *loader, const char *what, int error)
{
        const char *sentence = filemem_last_error(loader->session);

        fprintf(stderr, "filemem-cksum: loader: %s: %s\n", what,
                sentence[0] ? sentence : strerror(-error));
        return error;
}

/* Reads size bytes, all of them or none. Returns 0 or a positive errno. */
static int read_whole(int fd, unsigned char *target, uint64_t size)
{
        while (size) {
                ssize_t n = read(fd, target, size < (64u << 20) ? (size_t)size : 64u << 20);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno;
                if (n == 0)
                        return ESTALE;
                target += n;
                size -= (uint64_t)n;
        }
        return 0;
}

/* Fills the range. Returns 0, a positive errno that is the file's fault, or a negative one. */
static int fill(struct loader *loader, int fd, struct announcement *about)
{
        uint64_t page = filemem_page_size(loader->session);
        uint64_t size = (uint64_t)about->info.st_size;
        struct stat after;
        void *address;
        int r;

        r = filemem_allocate(loader->session, (size + page - 1) & ~(page - 1), FILEMEM_PAGE_CACHE,
                &about->range);
        if (r < 0)
                return fail(loader, "cannot allocate", r);
        r = filemem_map(loader->session, about->range, PROT_READ | PROT_WRITE, &address);
        if (r < 0)
                return fail(loader, "cannot map", r);
        r = read_whole(fd, address, size);
        if (r == 0 && (fstat(fd, &after) < 0 || !files_are_same(&about->info, &after)))
                r = ESTALE;
        if (r > 0) {
                int released = filemem_decref(loader->session, about->range);

                return released < 0 ? fail(loader, "cannot release", released) : r;
        }
        about->has_range = true;
        return 0;
}

/* Opens and loads one file. Returns as fill() does. */
static int load(struct loader *loader, const char *path, struct announcement *about)
{
        /* Not to wait for a writer, should it be a pipe. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        int r;

        if (fd < 0)
                return errno;
        if (fstat(fd, &about->info) < 0)
                r = errno;
        else if (!S_ISREG(about->info.st_mode))
                r = S_ISDIR(about->info.st_mode) ? EISDIR : ENOTSUP;
        else
                r = about->info.st_size ? fill(loader, fd, about) : 0;
        close(fd);
        return r;
}

static int hand_over(struct loader *loader, struct announcement *about)
{
        struct task task = {
                .file = about->file,
                .receipt = true,
                .range = about->range,
                .size = (uint64_t)about->info.st_size,
        };
        int *pipe = loader->plumbing->tasks[about->worker];

        if (plumbing_write(pipe[1], &task, sizeof(task)) <= 0)
                return fail(loader, "a worker is gone", -EPIPE);
        loader->handed++;
        loader->next_worker = (loader->next_worker + 1) % loader->plumbing->workers;
        return 0;
}

static int load_and_tell(struct loader *loader, unsigned file)
{
        struct announcement about = {.file = file, .worker = loader->next_worker};
        int r = load(loader, loader->files->list[file].path, &about);

        if (r < 0)
                return r;
        about.error = r;
        loader->files->list[file].range = about.range;
        /* The coordinator first, so that it knows the file when a worker speaks of it. */
        if (plumbing_write(loader->plumbing->announcements[1], &about, sizeof(about)) <= 0)
                return fail(loader, "the coordinator is gone", -EPIPE);
        return about.has_range ? hand_over(loader, &about) : 0;
}

/* Two have to hold a range before the loader lets go of it: a worker and the coordinator. */
static int let_go(struct loader *loader)
{
        unsigned left = loader->handed;

        while (left) {
                struct receipt receipt;
                int r = plumbing_read(loader->plumbing->receipts[0], &receipt, sizeof(receipt));

                if (r <= 0 || receipt.file >= loader->files->count)
                        return fail(loader, "the others are gone", -EPIPE);
                if (++loader->receipts[receipt.file] != 2)
                        continue;
                r = filemem_decref(loader->session, loader->files->list[receipt.file].range);
                if (r < 0)
                        return fail(loader, "cannot release", r);
                left--;
        }
        return 0;
}

int loader_run(const char *socket, struct files *files, struct plumbing *plumbing)
{
        const struct filemem_options how = {.size = sizeof(how), .label = "cksum loader"};
        struct loader loader = {.files = files, .plumbing = plumbing};
        int r = filemem_open(socket, &how, &loader.session);

        if (r < 0) {
                fprintf(stderr, "filemem-cksum: loader: %s\n", filemem_open_error());
                return 1;
        }
        for (unsigned i = 0; r == 0 && i < files->count; i++)
                r = load_and_tell(&loader, i);
        if (r == 0)
                r = let_go(&loader);
        filemem_close(loader.session);
        return r < 0 ? 1 : 0;
}
