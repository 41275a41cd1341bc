// SPDX-License-Identifier: Apache-2.0
#include "server/label.h"

#include "support/harness.h"

/* NOLINTBEGIN(misc-misleading-bidirectional): that is what is refused */
static const struct row {
        const char *label;
        bool valid;
} rows[] = {
        {"", true}, {"worker 7", true}, {"~!@#$%^&*()", true}, {"Zählwerk", true},
        {"\xe2\x82\xac", true},     /* euro */
        {"\xf0\x9f\x90\x98", true}, /* beyond 16 bits */
        {"\xf4\x8f\xbf\xbd", true}, /* nearly the last */
        {"\xc2\xa0", true},         /* the first after the controls */
        {"1234567890123456789012345678901234567890123456789012345678901234", true},
        {"12345678901234567890123456789012345678901234567890123456789012345", false},
        {"1234567890123456789012345678901234567890123456789012345678901\xe2\x82\xac", true},
        {"12345678901234567890123456789012345678901234567890123456789012\xe2\x82\xac", false},
        {"two\nlines", false}, {"tab\there", false}, {"\033[31mred", false}, {"\x7f", false},
        {"\xc2\x85", false}, /* next line */
        {"\xc2\x9b"
         "31m",
                false},  /* an escape of one character */
        {"\x80", false}, /* starts in the middle */
        {"\xc3", false}, /* ends in the middle */
        {"\xe2\x82", false}, {"\xf0\x9f\x90", false}, {"\xc3(", false},
        {"\xc0\xaf", false}, /* longer than need be */
        {"\xe0\x80\xaf", false}, {"\xf0\x80\x80\xaf", false},
        {"\xed\xa0\x80", false},     /* half of a pair */
        {"\xf4\x90\x80\x80", false}, /* beyond the last */
        {"\xf8\x88\x80\x80\x80", false}, {"\xff", false},
        {"\xe2\x80\xa8", false}, /* separates lines */
        {"\xe2\x80\xae"
         "txt.exe",
                false},                                   /* turns the direction */
        {"\xe2\x81\xa6", false}, {"\xe2\x80\x8b", false}, /* no width */
        {"\xef\xbb\xbf", false}, {"\xef\xbf\xbf", false}, /* no character */
};
/* NOLINTEND(misc-misleading-bidirectional) */

START_TEST(labels_are_judged)
{
        ck_assert_msg(label_is_valid(rows[_i].label) == rows[_i].valid, "'%s'", rows[_i].label);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("label");
        TCase *tests = harness_case(suite, "label", 10);

        tcase_add_loop_test(tests, labels_are_judged, 0, (int)(sizeof(rows) / sizeof(rows[0])));
        return harness_run(suite);
}
