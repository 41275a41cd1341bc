// SPDX-License-Identifier: Apache-2.0
/* The parts of filemem-exporter that need no daemon. */
#include "options.h"
#include "support/harness.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* ---- the text format ------------------------------------------------------------------------- */

static const char *get_text(struct text *text)
{
        evbuffer_add(text->buffer, "", 1);
        return (const char *)evbuffer_pullup(text->buffer, -1);
}

START_TEST(values_of_labels_are_escaped)
{
        char labels[TEXT_LABELS_MAX] = "";

        text_label(labels, "pool", "a\\b\"c\nd");
        text_label_number(labels, "uid", 7);
        ck_assert_str_eq(labels, "pool=\"a\\\\b\\\"c\\nd\",uid=\"7\"");
}
END_TEST

START_TEST(labels_that_are_too_long_are_cut_and_stay_labels)
{
        char labels[TEXT_LABELS_MAX] = "", value[2 * TEXT_LABELS_MAX];
        size_t length;

        memset(value, '"', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        text_label(labels, "pool", value);
        length = strlen(labels);
        ck_assert_uint_lt(length, TEXT_LABELS_MAX);
        ck_assert_int_eq(labels[length - 1], '"');
        ck_assert_uint_eq((length - strlen("pool=\"") - 1) % 2, 0);
}
END_TEST

START_TEST(a_counter_is_called_total_where_the_format_wants_it)
{
        struct text prometheus = {.buffer = evbuffer_new()};
        struct text open_metrics = {.buffer = evbuffer_new(), .open_metrics = true};

        text_family(&prometheus, "some_bytes", FAMILY_COUNTER, "Some.");
        text_sample(&prometheus, "some_bytes", FAMILY_COUNTER, "", 3);
        ck_assert_str_eq(get_text(&prometheus), "# HELP some_bytes_total Some.\n"
                                                "# TYPE some_bytes_total counter\n"
                                                "some_bytes_total 3\n");
        text_family(&open_metrics, "some_bytes", FAMILY_COUNTER, "Some.");
        text_sample(&open_metrics, "some_bytes", FAMILY_COUNTER, "", 3);
        ck_assert_str_eq(get_text(&open_metrics), "# HELP some_bytes Some.\n"
                                                  "# TYPE some_bytes counter\n"
                                                  "# UNIT some_bytes bytes\n"
                                                  "some_bytes_total 3\n");
        evbuffer_free(prometheus.buffer);
        evbuffer_free(open_metrics.buffer);
}
END_TEST

/* ---- options --------------------------------------------------------------------------------- */

static int parse_listen(const char *value, struct options *ret)
{
        char name[] = "filemem-exporter", option[] = "--listen", copy[128];
        char *arguments[] = {name, option, copy, NULL};
        char error[OPTIONS_ERROR_MAX];

        snprintf(copy, sizeof(copy), "%s", value);
        optind = 0;
        return options_parse(3, arguments, ret, error);
}

START_TEST(an_address_is_parsed)
{
        struct options options;

        ck_assert_int_eq(parse_listen("127.0.0.1:9000", &options), 0);
        ck_assert_str_eq(options.host, "127.0.0.1");
        ck_assert_uint_eq(options.port, 9000);
        ck_assert_int_eq(parse_listen("[::1]:0", &options), 0);
        ck_assert_str_eq(options.host, "::1");
        ck_assert_uint_eq(options.port, 0);
        ck_assert_int_eq(parse_listen(":9001", &options), 0);
        ck_assert_str_eq(options.host, "127.0.0.1");
        ck_assert_uint_eq(options.port, 9001);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
        static const char *const wrong[] = {"", "9000", "localhost", "127.0.0.1:", "127.0.0.1:x",
                "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:99999999999999999999",
                "0000000000000000000000000000000000000000000000000000000000000000000000:1"};
        struct options options;

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                ck_assert_msg(parse_listen(wrong[i], &options) == -EINVAL, "%s", wrong[i]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("exporter text");
        TCase *text = harness_case(suite, "Text", 10);
        TCase *options = harness_case(suite, "Options", 10);

        tcase_add_test(text, values_of_labels_are_escaped);
        tcase_add_test(text, labels_that_are_too_long_are_cut_and_stay_labels);
        tcase_add_test(text, a_counter_is_called_total_where_the_format_wants_it);
        tcase_add_test(options, an_address_is_parsed);
        tcase_add_test(options, what_is_no_address_is_refused);
        return harness_run(suite);
}
