// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "command.h"
#include "table.h"

static const struct column list[] = {
        {"time_ns", "ROUND TRIP", COLUMN_TIME, .help = "from the question to the answer"},
};

const struct columns ping_columns = RECORD_OF(list);

int ping_run(filemem_session *session, const struct options *options)
{
        uint64_t start = clock_now();
        int r = filemem_ping(session);
        struct cell cells[] = {CELL_NUMBER(clock_now() - start)};

        return r < 0 ? r : table_print_record("ping", &ping_columns, cells, options);
}
