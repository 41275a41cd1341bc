// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.h"
#include "top_source.h"
#include "top_view.h"

/* What a screen or a file is made of: the sample that is shown, and the one before it. */
struct top {
        struct top_source source;
        struct top_sample samples[2];
        struct top_sample spare; /* whose memory the next one is read into */
        unsigned current;        /* which of the two is shown */
        struct top_view view;
        uint64_t delay; /* ns from one to the next */
        bool color;
        char trouble[256]; /* why there is no newer sample; "": there is */
};

/*
 * Takes a sample and works out the rows. If there is none now the last one stays, and `trouble`
 * says why. Returns 0, -ENOMEM, or the errno of what asking again may not change.
 */
int top_refresh(struct top *top);

/* Works out the rows once more, after order or filter have changed. Returns 0 or -ENOMEM. */
int top_again(struct top *top);

/* Whether there ever was a sample. */
bool top_has_sample(const struct top *top);

/* The one that is shown. */
const struct top_sample *top_sample_shown(const struct top *top);

/* A full screen, for so many samples or until somebody has enough. Returns as command.run(), or
 * ends with a signal. */
int top_screen_run(struct top *top, uint64_t count);
