// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/filemem.pb-c.h"

struct request;

/* Opens a session for somebody else, as in rpc.h. Its socket goes with the reply. */
int handle_open_peer(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
