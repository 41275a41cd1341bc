// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <event2/http.h>
#include <stdbool.h>

/*
 * Whether a request came by a name that is not this host's. A page from anywhere in somebody's
 * browser may give its own name the address 127.0.0.1, and would then be allowed to read what is
 * answered there. So at a loopback address only such names are taken: an address, or "localhost".
 */
bool host_is_foreign(struct evhttp_request *request);
