// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded into a program: its allocation number $STARVE_AT fails (0: the first), once, whoever in
 * the process makes it. With $STARVE_COUNT it says at the end how many there were.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static long left = -1, count;

__attribute__((constructor)) static void begin(void)
{
        const char *text = getenv("STARVE_AT");

        left = text ? strtol(text, NULL, 10) : -1;
        count = 0;
}

__attribute__((destructor)) static void end(void)
{
        char text[32];
        int length = snprintf(text, sizeof(text), "%ld\n", count);

        if (getenv("STARVE_COUNT") && write(STDERR_FILENO, text, (size_t)length) != length)
                _exit(125);
}

static int fails(void)
{
        count++;
        if (left < 0 || left-- > 0)
                return 0;
        errno = ENOMEM;
        return 1;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
        return fails() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t nmemb, size_t size)
{
        return fails() ? NULL : __libc_calloc(nmemb, size);
}

__attribute__((visibility("default"))) void *realloc(void *ptr, size_t size)
{
        return fails() ? NULL : __libc_realloc(ptr, size);
}
