// SPDX-License-Identifier: Apache-2.0
#include "memory/swap_device.h"

#include "memory/fixture.h"
#include "support/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWAP_SIZE "268435456"
#define ZRAM      "/sys/class/zram-control/"

static char number[16]; /* of the device; empty: there is none */
static char device[64];
static bool made_node, swapping;

static enum change impossible_or_failed(const char *what, int error)
{
        bool forbidden = error == -EPERM || error == -EACCES || error == -EROFS;

        printf("%s: %s\n", what, strerror(-error));
        return forbidden ? CHANGE_IMPOSSIBLE : CHANGE_FAILED;
}

static const char *attribute(const char *name)
{
        static char path[96];

        snprintf(path, sizeof(path), "/sys/block/zram%s/%s", number, name);
        return path;
}

/* The node of the device; one of our own where /dev does not follow the kernel. */
static int find_node(void)
{
        unsigned long major_number, minor_number;
        char text[32], name[40], *colon;
        int r = guardian_read(attribute("dev"), text, sizeof(text));

        if (r < 0)
                return r;
        snprintf(device, sizeof(device), "/dev/zram%s", number);
        if (access(device, F_OK) == 0)
                return 0;
        major_number = strtoul(text, &colon, 10);
        minor_number = strtoul(*colon == ':' ? colon + 1 : colon, NULL, 10);
        snprintf(name, sizeof(name), "filemem-test-swap.%d", (int)getpid());
        r = temporary_path(device, sizeof(device), name);
        if (r < 0)
                return r;
        if (mknod(device, S_IFBLK | 0600, makedev((unsigned)major_number, (unsigned)minor_number)) <
                0)
                return -errno;
        made_node = true;
        return 0;
}

/* What mkswap(8) does. */
static int write_header(void)
{
        static unsigned char page[FIXTURE_PAGE];
        static const unsigned char signature[10] = {
                'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2'};
        uint32_t version = 1, last = (uint32_t)(strtoul(SWAP_SIZE, NULL, 10) / FIXTURE_PAGE - 1);
        int fd = open(device, O_WRONLY | O_CLOEXEC), r = 0;

        if (fd < 0)
                return -errno;
        memcpy(page + 1024, &version, sizeof(version));
        memcpy(page + 1028, &last, sizeof(last));
        memcpy(page + sizeof(page) - sizeof(signature), signature, sizeof(signature));
        if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page) || fsync(fd) < 0)
                r = -errno;
        close(fd);
        return r;
}

static void load_module(void)
{
        pid_t pid = fork();

        if (pid == 0) {
                execlp("modprobe", "modprobe", "-q", "zram", (char *)NULL);
                _exit(EXIT_FAILURE);
        }
        waitpid(pid, NULL, 0);
}

enum change swap_device_make(void)
{
        int r;

        if (access(ZRAM "hot_add", F_OK) < 0)
                load_module();
        if (access(ZRAM "hot_add", F_OK) < 0) {
                printf("no zram in this kernel\n");
                return CHANGE_IMPOSSIBLE;
        }
        r = guardian_read(ZRAM "hot_add", number, sizeof(number));
        if (r < 0)
                return impossible_or_failed(ZRAM "hot_add", r);
        r = guardian_write(attribute("disksize"), SWAP_SIZE);
        if (r < 0)
                return impossible_or_failed("disksize", r);
        r = find_node();
        if (r < 0)
                return impossible_or_failed("mknod", r);
        r = write_header();
        if (r < 0)
                return impossible_or_failed(device, r);
        if (swapon(device, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK) < 0)
                return impossible_or_failed("swapon", -errno);
        swapping = true;
        return CHANGE_MADE;
}

bool swap_device_undo(void)
{
        bool undone = true;

        if (swapping && swapoff(device) < 0)
                undone = false;
        if (made_node)
                unlink(device);
        if (number[0] && guardian_write(ZRAM "hot_remove", number) < 0)
                undone = false;
        if (!undone)
                printf("the swap device zram%s could not be removed: %s\n", number,
                        strerror(errno));
        return undone;
}
