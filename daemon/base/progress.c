// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"

#include <stddef.h>

static _Thread_local struct progress *followed;

void progress_follow(struct progress *progress)
{
        followed = progress;
}

void progress_made(void)
{
        if (followed)
                atomic_fetch_add_explicit(&followed->steps, 1, memory_order_relaxed);
}
