// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

/* One to one: the positive errno that a status stands for; 0 for OK, EPROTO for an unknown one. */
int status_to_errno(Filemem__Status status);

/* The status for a positive errno; EIO for one that has none. */
Filemem__Status status_from_errno(int number);

/* "OK", "EINVAL", ...; "?" for an unknown one. Static storage. */
const char *status_name(Filemem__Status status);
