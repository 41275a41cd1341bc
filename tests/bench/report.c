// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include "base/check.h"
#include "bench/statistics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Every row has these, in this order; the rest is what one scenario alone measures. */
static const char *const common[] = {"ns_per_op", "p50_ns", "p99_ns", "floor_ns", "ratio"};

#define COMMON_COUNT (sizeof(common) / sizeof(*common))

void report_begin(struct report *report, const char *scenario)
{
        report->scenario = scenario;
        report->row_count = 0;
}

struct report_row *report_row(struct report *report, const char *variant, uint64_t n)
{
        struct report_row *row;

        for (size_t i = 0; i < report->row_count; i++) {
                row = &report->rows[i];
                if (row->n == n && !strcmp(row->variant, variant)) {
                        row->muted = report->muted;
                        return row;
                }
        }
        check(report->row_count < REPORT_ROWS_MAX);
        row = &report->rows[report->row_count++];
        *row = (struct report_row){.n = n, .muted = report->muted};
        snprintf(row->variant, sizeof(row->variant), "%s", variant);
        return row;
}

static struct report_field *find(struct report_row *row, const char *name)
{
        for (size_t i = 0; i < row->field_count; i++)
                if (!strcmp(row->fields[i].name, name))
                        return &row->fields[i];
        return NULL;
}

void report_add(struct report_row *row, const char *name, double value)
{
        struct report_field *field = find(row, name);

        if (row->muted)
                return;
        if (!field) {
                check(row->field_count < REPORT_FIELDS_MAX);
                field = &row->fields[row->field_count++];
                *field = (struct report_field){.name = name};
        }
        check(field->count < REPORT_REPEAT_MAX);
        field->values[field->count++] = value;
}

/* The median of a field; NAN if it was not measured. */
static double get(struct report_row *row, const char *name)
{
        struct report_field *field;

        if (!strcmp(name, "ratio"))
                return get(row, "ns_per_op") / get(row, "floor_ns");
        field = find(row, name);
        return field ? statistics_median(field->values, field->count) : NAN;
}

/* The least ns_per_op of all repetitions; NAN if there is but one. */
static double get_best(struct report_row *row)
{
        struct report_field *field = find(row, "ns_per_op");

        if (!field || field->count < 2)
                return NAN;
        return statistics_minimum(field->values, field->count);
}

static bool is_common(const char *name)
{
        for (size_t i = 0; i < COMMON_COUNT; i++)
                if (!strcmp(common[i], name))
                        return true;
        return false;
}

/* Three digits that mean something, and never an exponent. */
static int decimals(double value)
{
        double size = fabs(value);

        return size >= 100 || size == floor(size) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
}

static void print_json(const char *scenario, struct report_row *row, FILE *stream)
{
        fprintf(stream, "{\"scenario\": \"%s\", \"variant\": \"%s\", \"n\": %" PRIu64, scenario,
                row->variant, row->n);
        for (size_t i = 0; i < COMMON_COUNT; i++) {
                double value = get(row, common[i]);

                if (isfinite(value))
                        fprintf(stream, ", \"%s\": %.*f", common[i], decimals(value), value);
                else
                        fprintf(stream, ", \"%s\": null", common[i]);
        }
        for (size_t i = 0; i < row->field_count; i++) {
                const char *name = row->fields[i].name;

                if (!is_common(name))
                        fprintf(stream, ", \"%s\": %.*f", name, decimals(get(row, name)),
                                get(row, name));
        }
        if (isfinite(get_best(row)))
                fprintf(stream, ", \"best_ns\": %.*f", decimals(get_best(row)), get_best(row));
        if (row->op_hash) /* as text: many a reader has no integers of 64 bits */
                fprintf(stream, ", \"op_hash\": \"%" PRIu64 "\"", row->op_hash);
        fputs("}\n", stream);
}

static void print_title(FILE *stream)
{
        fprintf(stream, "%-12s  %-16s  %8s  %11s  %11s  %11s  %11s  %7s  %s\n", "scenario",
                "variant", "n", "ns/op", "p50 ns", "p99 ns", "floor ns", "ratio", "further");
}

static void print_line(const char *scenario, struct report_row *row, FILE *stream)
{
        static const int widths[COMMON_COUNT] = {11, 11, 11, 11, 7};

        fprintf(stream, "%-12s  %-16s  %8" PRIu64, scenario, row->variant, row->n);
        for (size_t i = 0; i < COMMON_COUNT; i++) {
                double value = get(row, common[i]);

                if (isfinite(value))
                        fprintf(stream, "  %*.*f", widths[i], decimals(value), value);
                else
                        fprintf(stream, "  %*s", widths[i], "-");
        }
        for (size_t i = 0; i < row->field_count; i++) {
                const char *name = row->fields[i].name;

                if (!is_common(name))
                        fprintf(stream, "  %s=%.*f", name, decimals(get(row, name)),
                                get(row, name));
        }
        if (isfinite(get_best(row)))
                fprintf(stream, "  best_ns=%.*f", decimals(get_best(row)), get_best(row));
        if (row->op_hash)
                fprintf(stream, "  op_hash=%" PRIu64, row->op_hash);
        fputc('\n', stream);
}

void report_print(struct report *report, FILE *stream)
{
        if (!report->json && !report->titled)
                print_title(stream);
        report->titled = true;
        for (size_t i = 0; i < report->row_count; i++) {
                if (report->json)
                        print_json(report->scenario, &report->rows[i], stream);
                else
                        print_line(report->scenario, &report->rows[i], stream);
        }
        fflush(stream);
}
