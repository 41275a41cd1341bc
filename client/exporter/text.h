// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The text format of Prometheus (0.0.4), and OpenMetrics (1.0.0), which differ little: in the
 * latter the name of a counter's family has no "_total", there are units, and an end.
 */
struct text {
        struct evbuffer *buffer;
        bool open_metrics;
};

enum family_type { FAMILY_GAUGE, FAMILY_COUNTER, FAMILY_HISTOGRAM };

/* The lines before the samples of a family. name: without the "_total" of a counter. */
void text_family(struct text *text, const char *name, enum family_type type, const char *help);

/* One sample. labels: as text_label() made them, or "". */
void text_sample(struct text *text, const char *name, enum family_type type, const char *labels,
        uint64_t value);
void text_sample_double(struct text *text, const char *name, enum family_type type,
        const char *labels, double value);

/* Nanoseconds as seconds. */
double text_seconds(uint64_t nanoseconds);

#define TEXT_LABELS_MAX 512

/* Appends name="value", escaped, to labels that begin as "". */
void text_label(char labels[TEXT_LABELS_MAX], const char *name, const char *value);
void text_label_number(char labels[TEXT_LABELS_MAX], const char *name, uint64_t value);
