// SPDX-License-Identifier: Apache-2.0
#include "bench/service.h"

#include "support/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 1000 /* naps */

static void nap(void)
{
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* In the child. Its log is of no interest as long as it answers. */
static void become_daemon(const struct service *service, const char *config)
{
        int null = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
                _exit(126);
        if (config)
                execl(FILEMEM_DAEMON, "filememd", "--foreground", "--socket", service->socket,
                        "--config", config, (char *)NULL);
        else
                execl(FILEMEM_DAEMON, "filememd", "--foreground", "--socket", service->socket,
                        (char *)NULL);
        _exit(127);
}

static int try_connect(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        int r = 0;

        if (fd < 0)
                return -errno;
        strcpy(address.sun_path, path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                r = -errno;
        close(fd);
        return r;
}

static int await_answer(const struct service *service)
{
        int r = -ETIMEDOUT;

        for (int i = 0; i < PATIENCE; i++) {
                r = try_connect(service->socket);
                if (r == 0 || waitpid(service->pid, NULL, WNOHANG) != 0)
                        break;
                nap();
        }
        return r;
}

static int write_config(const char *path, const char *text)
{
        FILE *file = fopen(path, "we");

        if (!file)
                return -errno;
        fputs(text, file);
        return fclose(file) ? -errno : 0;
}

int service_start(struct service *service, const char *config)
{
        char path[96];
        int r;

        r = temporary_path(service->folder, sizeof(service->folder), "filemem-bench.XXXXXX");
        if (r < 0)
                return r;
        if (!mkdtemp(service->folder))
                return -errno;
        service->pid = -1;
        snprintf(service->socket, sizeof(service->socket), "%s/filemem.sock", service->folder);
        snprintf(path, sizeof(path), "%s/filememd.conf", service->folder);
        r = config ? write_config(path, config) : 0;
        if (r == 0) {
                service->pid = fork();
                if (service->pid == 0)
                        become_daemon(service, config ? path : NULL);
                r = service->pid < 0 ? -errno : await_answer(service);
        }
        if (r < 0)
                service_stop(service);
        return r;
}

int service_start_pinned(struct service *service, enum pinning pinning, const char *config)
{
        cpu_set_t before;
        int r;

        sched_getaffinity(0, sizeof(before), &before);
        pinning_enter_other(pinning);
        r = service_start(service, config);
        pinning_leave(&before);
        return r;
}

uint64_t service_memory(const struct service *service, const char *name)
{
        size_t length = strlen(name);
        uint64_t value = 0;
        char text[128];
        FILE *file;

        snprintf(text, sizeof(text), "/proc/%d/status", service->pid);
        file = fopen(text, "re");
        if (!file)
                return 0;
        while (fgets(text, sizeof(text), file))
                if (!strncmp(text, name, length) && text[length] == ':')
                        value = strtoull(text + length + 1, NULL, 10);
        fclose(file);
        return value * 1024;
}

void service_stop(struct service *service)
{
        char path[96];

        if (service->pid > 0) {
                kill(service->pid, SIGTERM);
                while (waitpid(service->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        unlink(service->socket);
        snprintf(path, sizeof(path), "%s/filememd.conf", service->folder);
        unlink(path);
        rmdir(service->folder);
}
