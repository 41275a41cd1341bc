// SPDX-License-Identifier: Apache-2.0
#include "support/old_kernel.h"

#include "support/harness.h"

#include <seccomp.h>

void old_kernel_without(int number, int argument, uint64_t bits, int error)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        const uint32_t action = SCMP_ACT_ERRNO((uint32_t)error);
        int r;

        ck_assert_ptr_nonnull(filter);
        if (argument == OLD_KERNEL_WHOLE_CALL)
                r = seccomp_rule_add(filter, action, number, 0);
        else
                r = seccomp_rule_add(filter, action, number, 1,
                        SCMP_CMP((unsigned)argument, SCMP_CMP_MASKED_EQ, bits, bits));
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(seccomp_load(filter), 0);
        seccomp_release(filter);
}
