// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include "base/check.h"

#include <errno.h>
#include <string.h>

static const struct {
        int number;
        const char *text;
} outcomes[OUTCOME_COUNT] = {[OUTCOME_OK] = {0, ""},
#define X(name, errno_, text_) [name] = {errno_, text_},
        OUTCOME_TABLE(X)
#undef X
};

int error_status(int result)
{
        if (result < 0)
                return result == -ENOMEM ? ENOMEM : EIO;
        check(result < OUTCOME_COUNT);
        return outcomes[result].number;
}

const char *error_text(int result)
{
        if (result < 0) {
                const char *text = strerrordesc_np(-result);

                return text ? text : "unknown error";
        }
        check(result < OUTCOME_COUNT);
        return outcomes[result].text;
}
