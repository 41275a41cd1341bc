// SPDX-License-Identifier: Apache-2.0
#include "cksum/crc.h"

#include "support/harness.h"

#include <stdlib.h>
#include <string.h>

static uint32_t checksum(const void *data, size_t size)
{
        return crc_finish(crc_update(0, data, size), size);
}

START_TEST(known_values)
{
        /* As cksum(1) prints them. */
        ck_assert_uint_eq(checksum("", 0), 4294967295u);
        ck_assert_uint_eq(checksum("a", 1), 1220704766u);
        ck_assert_uint_eq(checksum("123456789", 9), 930766865u);
        ck_assert_uint_eq(checksum("hello\n", 6), 3015617425u);
}
END_TEST

START_TEST(zeros_count_and_so_does_the_length)
{
        static const char zeros[70000];

        ck_assert_uint_eq(checksum(zeros, 1), 4215202376u);
        ck_assert_uint_ne(checksum(zeros, 255), checksum(zeros, 256));
        ck_assert_uint_ne(checksum(zeros, 65535), checksum(zeros, 65536));
}
END_TEST

START_TEST(pieces_make_the_whole)
{
        unsigned char data[1000];
        uint32_t whole, random = 1;

        for (size_t i = 0; i < sizeof(data); i++) {
                random = random * 1664525 + 1013904223;
                data[i] = (unsigned char)(random >> 24);
        }
        whole = checksum(data, sizeof(data));
        for (size_t cut = 0; cut <= sizeof(data); cut++) {
                uint32_t crc = crc_update(0, data, cut);

                crc = crc_update(crc, data + cut, sizeof(data) - cut);
                ck_assert_uint_eq(crc_finish(crc, sizeof(data)), whole);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("crc");
        TCase *tests = harness_case(suite, "crc", 10);

        tcase_add_unchecked_fixture(tests, crc_prepare, NULL);
        tcase_add_test(tests, known_values);
        tcase_add_test(tests, zeros_count_and_so_does_the_length);
        tcase_add_test(tests, pieces_make_the_whole);
        return harness_run(suite);
}
