// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "table.h"

#include <time.h>

static const struct column list[] = {
        {"time_ns", "ROUND TRIP", COLUMN_TIME, .help = "from the question to the answer"},
};

const struct columns ping_columns = RECORD_OF(list);

static uint64_t now(void)
{
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int ping_run(filemem_session *session, const struct options *options)
{
        uint64_t start = now();
        int r = filemem_ping(session);
        struct cell cells[] = {CELL_NUMBER(now() - start)};

        return r < 0 ? r : table_print_record("ping", &ping_columns, cells, options);
}
