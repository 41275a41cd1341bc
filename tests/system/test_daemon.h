// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/daemon.h"
#include "support/harness.h"
#include "support/raw.h"

void add_lifetime_tests(Suite *suite);   /* how sessions end */
void add_descriptor_tests(Suite *suite); /* those that linger, and when there are no more */
void add_traffic_tests(Suite *suite);    /* many messages, and their order */
void add_answer_tests(Suite *suite);     /* large ones, and what takes long to answer */
