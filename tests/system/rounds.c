// SPDX-License-Identifier: Apache-2.0
#include "rounds.h"

#include "base/clock.h"
#include "support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

uint64_t rounds_read_status(pid_t pid, const char *field)
{
        uint64_t number = 0;
        char path[64], line[256];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, field, strlen(field)) == 0)
                        number = strtoull(
                                line + strlen(field) + 1, NULL, 10); /* behind a colon, in kB */
        fclose(file);
        ck_assert_uint_gt(number, 0);
        return number * 1024;
}

int rounds_connect(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

#define ROUNDS 301

uint64_t rounds_measure(struct raw *raw, uint64_t *ret_worst)
{
        static uint64_t times[ROUNDS];

        for (int i = 0; i < ROUNDS; i++) {
                struct raw_operation operation;
                uint64_t began = clock_now(), start = raw_get(raw, PAGE, 1);

                raw_decref(&operation, start, start + PAGE);
                raw_do(raw, &operation);
                times[i] = clock_now() - began;
        }
        qsort(times, ROUNDS, sizeof(times[0]), compare);
        if (ret_worst)
                *ret_worst = times[ROUNDS - 1];
        return times[ROUNDS / 2];
}
