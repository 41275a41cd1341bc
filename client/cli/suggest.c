// SPDX-License-Identifier: Apache-2.0
#include "suggest.h"

#include "command.h"
#include "options.h"

#include <string.h>

#define WORD_LENGTH_MAX 24

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
        unsigned least = a < b ? a : b;

        return least < c ? least : c;
}

/* How many letters have to be put in, left out or replaced; a lot for long words. */
static unsigned distance(const char *from, const char *to)
{
        size_t length = strlen(to);
        unsigned row[WORD_LENGTH_MAX + 1];

        if (strlen(from) > WORD_LENGTH_MAX || length > WORD_LENGTH_MAX)
                return WORD_LENGTH_MAX;
        for (unsigned i = 0; i <= length; i++)
                row[i] = i;
        for (; *from; from++) {
                unsigned before = row[0]++;

                for (unsigned i = 1; i <= length; i++) {
                        unsigned above = row[i];

                        row[i] = smallest(above + 1, row[i - 1] + 1, before + (*from != to[i - 1]));
                        before = above;
                }
        }
        return row[length];
}

struct best {
        const char *word;
        const char *found;
        unsigned distance;
};

static void consider(struct best *best, const char *candidate)
{
        unsigned d = distance(best->word, candidate);

        if (d < best->distance) {
                best->distance = d;
                best->found = candidate;
        }
}

/* A third of the letters may be wrong, and one more. */
static struct best begin(const char *word)
{
        return (struct best){.word = word, .distance = (unsigned)strlen(word) / 3 + 2};
}

const char *suggest_command(const char *word)
{
        struct best best = begin(word);

        for (size_t i = 0; command_at(i); i++)
                consider(&best, command_at(i)->name);
        return best.found;
}

const char *suggest_option(const char *word)
{
        struct best best = begin(word);

        for (int id = 0; id < OPTION_COUNT; id++)
                consider(&best, option_infos[id].name);
        return best.found;
}

const char *suggest_one_of(const char *word, const char *const *of)
{
        struct best best = begin(word);

        for (; *of; of++)
                consider(&best, *of);
        return best.found;
}
