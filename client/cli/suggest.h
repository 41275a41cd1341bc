// SPDX-License-Identifier: Apache-2.0
#pragma once

/* What somebody may have meant by a word that there is not; NULL if nothing is like it. */
const char *suggest_command(const char *word);
const char *suggest_option(const char *word);
const char *suggest_one_of(const char *word, const char *const *of);
