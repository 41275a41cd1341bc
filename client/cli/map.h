// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "map/survey.h"
#include "options.h"

/*
 * Makes the survey that the options ask for, of at most `cells` cells. count: what is committed is
 * wanted too; if the user may join the pool, that is done for the time that it takes, to read only,
 * so that the kernel can be asked. Returns 0, a negative errno of the library, or EXIT_CODE_USAGE
 * after a sentence.
 */
int map_survey_asked(filemem_session *session, const struct options *options, size_t cells,
        bool count, struct map_survey *ret);

/* The cells as a table. Returns 0 or -ENOMEM. */
int map_table_print(const struct map_survey *survey, const struct options *options);
