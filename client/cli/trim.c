// SPDX-License-Identifier: Apache-2.0
#include "clock.h"
#include "command.h"
#include "table.h"

static const struct column list[] = {
        {"pool", "pool", COLUMN_TEXT, .help = "that was trimmed"},
        {"given_back", "given back", COLUMN_BYTES,
                .help = "bytes that went back to the kernel meanwhile, touched or not"},
        {"time_ns", "took", COLUMN_TIME, .help = "how long that took"},
};

const struct columns trim_columns = RECORD_OF(list);

int trim_run(filemem_session *session, const struct options *options)
{
        const char *pool = options->pool ? options->pool : DEFAULT_POOL;
        uint64_t start = clock_now(), given_back;
        int r = filemem_trim(session, pool, &given_back);
        const struct cell cells[] = {
                CELL_TEXT(pool),
                CELL_NUMBER(r < 0 ? 0 : given_back),
                CELL_NUMBER(clock_now() - start),
        };

        return r < 0 ? r : table_print_record("trim", &trim_columns, cells, options);
}
