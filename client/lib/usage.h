// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filemem/filemem.h"
#include "proto/wire.h"

/* Every field is written; kinds that we do not know are left out. */
void usage_copy(const Filemem__UsageReport *report, struct filemem_usage *ret);
