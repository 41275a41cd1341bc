// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include "support/harness.h"

#include <errno.h>

static struct options options;
static char error[OPTIONS_ERROR_MAX];

#define parse(...) parse_list((const char *[]){"filememd", __VA_ARGS__, NULL})

static int parse_list(const char **arguments)
{
        int count = 0;

        while (arguments[count])
                count++;
        return options_parse(count, (char **)(uintptr_t)arguments, &options, error);
}

START_TEST(nothing_is_fine)
{
        const char *arguments[] = {"filememd", NULL};

        ck_assert_int_eq(parse_list(arguments), 0);
        ck_assert_ptr_null(options.socket);
        ck_assert_ptr_null(options.config);
        ck_assert(!options.foreground && !options.help && !options.version);
}
END_TEST

START_TEST(every_option_is_understood)
{
        ck_assert_int_eq(
                parse("--socket", "/s", "--config=/c", "--foreground", "--help", "--version"), 0);
        ck_assert_str_eq(options.socket, "/s");
        ck_assert_str_eq(options.config, "/c");
        ck_assert(options.foreground && options.help && options.version);
}
END_TEST

START_TEST(wrong_ones_are_named_and_change_nothing)
{
        options.socket = "as before";
        ck_assert_int_eq(parse("--sock-it"), -EINVAL);
        ck_assert_str_eq(error, "unknown option '--sock-it'");
        ck_assert_int_eq(parse("-q"), -EINVAL);
        ck_assert_str_eq(error, "unknown option '-q'");
        ck_assert_int_eq(parse("--foreground=yes"), -EINVAL);
        ck_assert_str_eq(error, "option '--foreground=yes' takes no argument");
        ck_assert_int_eq(parse("--socket"), -EINVAL);
        ck_assert_str_eq(error, "option '--socket' needs an argument");
        ck_assert_int_eq(parse("--socket="), -EINVAL);
        ck_assert_str_eq(error, "option '--socket' needs an argument");
        ck_assert_int_eq(parse("more"), -EINVAL);
        ck_assert_str_eq(error, "unexpected argument 'more'");
        ck_assert_str_eq(options.socket, "as before");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("options");
        TCase *tests = harness_case(suite, "options", 10);

        tcase_add_test(tests, nothing_is_fine);
        tcase_add_test(tests, every_option_is_understood);
        tcase_add_test(tests, wrong_ones_are_named_and_change_nothing);
        return harness_run(suite);
}
