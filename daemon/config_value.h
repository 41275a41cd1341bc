// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>

/* Room for a sentence about a value. */
#define CONFIG_VALUE_ERROR_MAX 256

/*
 * What the configuration file has behind a `=`. Each parses a text into a `target` of the type that
 * it names. Returns 0, or -EINVAL or -ENOMEM with the target unchanged and a sentence in `error`
 * that the name of the key goes before, such as "'x' is not yes or no".
 *
 * argument: what the kind of value needs to know, else NULL.
 */
typedef int config_parse(
        const char *value, const void *argument, void *target, char error[CONFIG_VALUE_ERROR_MAX]);

/* char *: a copy, which replaces and frees what was there. */
config_parse config_parse_path;

/* mode_t, octal. */
config_parse config_parse_mode;

/* bool. argument: const char *[2], the words for false and true; NULL: no and yes. */
config_parse config_parse_bool;

/* unsigned int, or an enum of that size. argument: struct config_choice *, up to one without name.
 */
struct config_choice {
        const char *name;
        int value;
};

config_parse config_parse_choice;

/* uint64_t: a plain number. argument: uint64_t *, the largest one, or NULL. */
config_parse config_parse_number;

/* uint64_t: bytes, such as 16384, 512M or 2T. argument: as above. */
config_parse config_parse_size;

/* uint64_t: as config_parse_number and config_parse_size, or LIMIT_NONE for "none". argument:
 * uint64_t *, the smallest one, or NULL. */
config_parse config_parse_limit;
config_parse config_parse_limit_size;

/* uint64_t: seconds, up to a day, as ns. */
config_parse config_parse_seconds;

/* uint64_t: microseconds, up to a thousand, as ns. */
config_parse config_parse_microseconds;

/* uint64_t: bytes of a pool: a multiple of CHUNK_SIZE that a pool can have. */
config_parse config_parse_capacity;

/* gid_t: name or number of a group. */
config_parse config_parse_group;

/* struct principals: `*`, USER and @GROUP, names or numbers, separated by spaces or commas. */
config_parse config_parse_principals;
