// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"

/*
 * One line on stderr about a wrong command line, that says what to do. Returns EXIT_CODE_USAGE.
 */
__attribute__((format(printf, 1, 2))) enum exit_code complain(const char *sentence, ...);

/* The same of an option's value that is none of those that it may be; NULL: there is none. */
enum exit_code complain_of_choice(const char *option, const char *value, const char *const *of);
