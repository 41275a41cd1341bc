// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

/*
 * Lines for the journal of systemd, with fields: MESSAGE_ID of the kind of line and FILEMEM_EVENT,
 * its name; FILEMEM_SESSION, FILEMEM_POOL, FILEMEM_UID and FILEMEM_PID where the line is about one.
 */

/* Whether stderr leads to the journal, which then can be spoken to directly. */
bool service_log_is_journal(void);

/* Sends all lines there from now on; one that the journal does not take goes to stderr. Call before
 * there is a second thread. */
void service_log_start(void);
