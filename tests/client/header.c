// SPDX-License-Identifier: Apache-2.0
#include <filemem/filemem.h>
#include <filemem/statistics.h>

/* Twice, because it is guarded, and with nothing else included before. */
#include <filemem/filemem.h>
#include <filemem/statistics.h>

int (*const header_is_complete)(
        filemem_session *, uint64_t, enum filemem_kind, struct filemem_range *) = filemem_allocate;
