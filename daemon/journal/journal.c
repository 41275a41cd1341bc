// SPDX-License-Identifier: Apache-2.0
#include "journal/journal.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "journal/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Linux 6.3; not in the headers of Debian 12. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

_Static_assert(sizeof(struct journal_header) <= JOURNAL_HEADER_SIZE, "the header is a page");

static size_t file_size(const struct journal *journal)
{
        return JOURNAL_HEADER_SIZE + 2 * journal->area_size;
}

/* Sparse: what is mapped costs nothing before it is used. */
static int map_file(struct journal *journal, const struct journal_format *format, int fd)
{
        void *map;

        check(format->record_size % 8 == 0 && format->record_size <= JOURNAL_RECORD_MAX);
        *journal = (struct journal){
                .fd = -1,
                .area_size = format->area_size,
                .record_size = format->record_size,
                .version = format->version,
        };
        map = mmap(NULL, file_size(journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                0);
        if (map == MAP_FAILED)
                return -errno;
        journal->map = map;
        journal->header = map;
        for (unsigned i = 0; i < 2; i++) {
                struct journal_area *area = &journal->areas[i];

                area->header = &journal->header->areas[i];
                area->records = journal->map + JOURNAL_HEADER_SIZE + i * format->area_size;
                area->record_size = format->record_size;
        }
        return 0;
}

static void unmap_file(struct journal *journal)
{
        if (journal->map)
                munmap(journal->map, file_size(journal));
        journal->map = NULL;
}

static int punch(const struct journal *journal, off_t start, size_t length)
{
        int r;

        do
                r = fallocate(journal->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
                        (off_t)length);
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : 0;
}

int journal_clear(const struct journal *journal)
{
        const struct journal_area *area = &journal->areas[!journal->active];

        return punch(journal, area->records - journal->map, journal->area_size);
}

/* ---- making ---------------------------------------------------------------------------------- */

int journal_format(struct journal *journal, const struct journal_format *format, int fd)
{
        int r;

        if (ftruncate(fd, (off_t)(JOURNAL_HEADER_SIZE + 2 * format->area_size)) < 0)
                return -errno;
        r = map_file(journal, format, fd);
        if (r < 0)
                return r;
        journal->fd = fd;
        r = punch(journal, 0, file_size(journal));
        if (r == 0 && fallocate(fd, 0, 0, JOURNAL_HEADER_SIZE) < 0)
                r = -errno;
        if (r < 0) {
                unmap_file(journal);
                journal->fd = -1;
                return r;
        }
        journal->active = 1;
        journal->areas[1].seed = (uint64_t)(uintptr_t)journal->map;
        journal_copy_begin(journal);
        check(journal_copy_end(journal) == 0);
        journal->header->layout = JOURNAL_LAYOUT;
        journal->header->area_size = format->area_size;
        atomic_thread_fence(memory_order_release);
        memcpy(journal->header->magic, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC));
        return 0;
}

int journal_create(struct journal *journal, const struct journal_format *format)
{
        cleanup_(fd_closep) int fd =
                memfd_create(format->name, MFD_CLOEXEC | MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0 && errno == EINVAL) /* before 6.3 */
                fd = memfd_create(format->name, MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fchmod(fd, 0600) < 0)
                return -errno;
        r = journal_format(journal, format, fd);
        if (r == 0)
                steal_fd(&fd); /* it is the journal's now */
        return r;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int check_header(struct journal *journal, const struct journal_format *format)
{
        const struct journal_header *header = journal->header;
        uint32_t selector = atomic_load_explicit(&header->active, memory_order_acquire);
        unsigned active = selector ? 1 : 0;
        const struct journal_area_header *area = &header->areas[active];

        if (memcmp(header->magic, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC)) != 0)
                return -EBADMSG;
        if (header->layout > JOURNAL_LAYOUT)
                return -EPROTONOSUPPORT;
        if (selector != journal_selector(active))
                return -EBADMSG;
        if (area->version > format->version)
                return -EPROTONOSUPPORT;
        if (header->layout != JOURNAL_LAYOUT || header->area_size != format->area_size)
                return -EBADMSG;
        if (area->record_size % 8 || area->record_size < 16 ||
                area->record_size > format->record_size)
                return -EBADMSG;
        journal->active = active;
        journal->areas[active].record_size = area->record_size;
        journal->areas[active].seed = area->seed;
        return 0;
}

int journal_open(struct journal *journal, const struct journal_format *format, int fd)
{
        struct stat info;
        int r;

        if (fstat(fd, &info) < 0)
                return -errno;
        if ((uint64_t)info.st_size < JOURNAL_HEADER_SIZE)
                return -EBADMSG;
        if ((uint64_t)info.st_size != JOURNAL_HEADER_SIZE + 2 * format->area_size) {
                /* Another layout, perhaps of the future: the header has to say. */
                struct journal_header header;

                if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
                        return -EBADMSG;
                return memcmp(header.magic, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC)) == 0 &&
                                       header.layout > JOURNAL_LAYOUT
                               ? -EPROTONOSUPPORT
                               : -EBADMSG;
        }
        r = map_file(journal, format, fd);
        if (r < 0)
                return r;
        r = check_header(journal, format);
        if (r < 0) {
                unmap_file(journal);
                return r;
        }
        journal->fd = fd;
        return 0;
}

void journal_close(struct journal *journal)
{
        unmap_file(journal);
        if (journal->header)
                fd_close(journal->fd);
        *journal = (struct journal){.fd = -1};
}
