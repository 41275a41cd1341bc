// SPDX-License-Identifier: Apache-2.0
#include "top_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ns. Keys are not read meanwhile; before there is anything to see nobody presses one. */
#define PATIENCE       UINT64_C(1000000000)
#define PATIENCE_FIRST UINT64_C(10000000000)

static int open_own(struct top_source *source, char *text, size_t size)
{
        const struct filemem_options how = {
                .size = sizeof(how), .label = "filememctl top", .no_pool = true};
        int r = filemem_open(source->socket, &how, &source->own);

        if (r < 0)
                snprintf(text, size, "%s", filemem_open_error());
        return r;
}

/* On a session that may have ended. */
static int open_on(struct top_source *source, filemem_session *session, char *text, size_t size)
{
        int r = filemem_statistics_open(session, &source->statistics);

        if (r < 0)
                snprintf(text, size, "%s",
                        filemem_last_error(session)[0] ? filemem_last_error(session)
                                                       : strerror(-r));
        return r;
}

static int open_statistics(struct top_source *source, char *text, size_t size)
{
        int r = -ECONNRESET;

        if (source->given && !source->own)
                r = open_on(source, source->given, text, size);
        if (source->own)
                r = open_on(source, source->own, text, size);
        if (r != -ECONNRESET)
                return r;
        source->given = NULL;
        source->own = filemem_close(source->own);
        r = open_own(source, text, size);
        return r < 0 ? r : open_on(source, source->own, text, size);
}

int top_source_read(struct top_source *source, struct top_sample *sample, char *text, size_t size)
{
        uint64_t before = filemem_set_timeout(source->answered ? PATIENCE : PATIENCE_FIRST);
        int r = 0;

        if (source->statistics) {
                r = top_sample_read(sample, source->statistics);
                if (r == -ESTALE)
                        source->statistics = filemem_statistics_close(source->statistics);
                else if (r < 0)
                        snprintf(text, size, "%s", strerror(-r));
        }
        if (!source->statistics) {
                r = open_statistics(source, text, size);
                if (r == 0)
                        r = top_sample_read(sample, source->statistics);
                if (r == -ESTALE)
                        snprintf(text, size, "the statistics of the daemon have ended");
        }
        filemem_set_timeout(before);
        source->answered |= r == 0;
        return r;
}

void top_source_deinit(struct top_source *source)
{
        source->statistics = filemem_statistics_close(source->statistics);
        source->own = filemem_close(source->own);
}
