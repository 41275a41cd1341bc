// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

void add_lifetime_tests(Suite *suite); /* how sessions end */
void add_traffic_tests(Suite *suite);  /* many messages, many sessions, large answers */
