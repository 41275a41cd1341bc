// SPDX-License-Identifier: Apache-2.0
#include "proto/status.h"
#include "support/harness.h"

#include <errno.h>
#include <string.h>

START_TEST(every_status_of_the_contract_goes_there_and_back)
{
        const ProtobufCEnumDescriptor *statuses = &filemem__status__descriptor;

        ck_assert_uint_ge(statuses->n_values, 13);
        for (unsigned i = 0; i < statuses->n_values; i++) {
                Filemem__Status status = (Filemem__Status)statuses->values[i].value;
                int number = status_to_errno(status);

                ck_assert_int_eq(status_from_errno(number), status);
                /* The name is that of the contract without "STATUS_". */
                ck_assert_str_eq(status_name(status), statuses->values[i].name + strlen("STATUS_"));
                if (status != FILEMEM__STATUS__STATUS_OK)
                        ck_assert_str_eq(status_name(status), strerrorname_np(number));
        }
        ck_assert_int_eq(status_to_errno(FILEMEM__STATUS__STATUS_OK), 0);
}
END_TEST

START_TEST(numbers_are_those_of_errno_where_a_trace_is_read)
{
        ck_assert_int_eq(FILEMEM__STATUS__STATUS_ENOMEM, ENOMEM);
        ck_assert_int_eq(FILEMEM__STATUS__STATUS_EDQUOT, EDQUOT);
        ck_assert_int_eq(FILEMEM__STATUS__STATUS_EPROTO, EPROTO);
}
END_TEST

START_TEST(what_has_no_status_has_a_defined_answer)
{
        ck_assert_int_eq(status_from_errno(ENOTTY), FILEMEM__STATUS__STATUS_EIO);
        ck_assert_int_eq(status_from_errno(-1), FILEMEM__STATUS__STATUS_EIO);
        ck_assert_int_eq(status_to_errno((Filemem__Status)12345), EPROTO);
        ck_assert_int_eq(status_to_errno((Filemem__Status)-1), EPROTO);
        ck_assert_str_eq(status_name((Filemem__Status)12345), "?");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("status");
        TCase *tests = harness_case(suite, "status", 5);

        tcase_add_test(tests, every_status_of_the_contract_goes_there_and_back);
        tcase_add_test(tests, numbers_are_those_of_errno_where_a_trace_is_read);
        tcase_add_test(tests, what_has_no_status_has_a_defined_answer);
        return harness_run(suite);
}
