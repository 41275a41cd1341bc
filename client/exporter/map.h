// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source.h"

/* Asks for the entries of a pool and adds them up in cells. Returns 0 or a negative errno. */
int map_fetch(filemem_session *session, const char *pool, struct source_map *ret);
