// SPDX-License-Identifier: Apache-2.0
/*
 * top_client LABEL: a session that does what it is told on standard input, a line each: "+"
 * allocates 4 MiB, "-" frees the last one. Says "ok" after each, and ends with its input.
 */
#include "filemem/filemem.h"

#include <stdio.h>

#define LENGTH     (UINT64_C(4) << 20)
#define RANGES_MAX 64

int main(int argc, char **argv)
{
        const struct filemem_options options = {
                .size = sizeof(options), .label = argc > 1 ? argv[1] : NULL};
        static struct filemem_range ranges[RANGES_MAX];
        filemem_session *session;
        size_t count = 0;
        char line[16];

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (filemem_open(NULL, &options, &session) < 0) {
                fprintf(stderr, "top_client: %s\n", filemem_open_error());
                return 1;
        }
        puts("ok");
        while (fgets(line, sizeof(line), stdin)) {
                if (line[0] == '+' && count < RANGES_MAX) {
                        if (filemem_allocate(session, LENGTH, FILEMEM_ANONYMOUS, &ranges[count]) ==
                                0)
                                count++;
                } else if (line[0] == '-' && count > 0) {
                        filemem_decref(session, ranges[--count]);
                }
                puts("ok");
        }
        filemem_close(session);
        return 0;
}
