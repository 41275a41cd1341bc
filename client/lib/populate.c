// SPDX-License-Identifier: Apache-2.0
#include "populate.h"

#include <errno.h>
#include <sys/mman.h>

int populate(void *address, size_t length, const char **ret_sentence)
{
        int r;

        do
                r = madvise(address, length, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
        while (r == -EINTR);
        switch (r) {
        case 0:
                return 0;
        case -EINVAL:
                *ret_sentence = "to commit pages needs Linux 5.14";
                return -ENOSYS;
        case -ENOMEM:
        case -EFAULT: /* what would have been SIGBUS: the kernel has no page for it */
                *ret_sentence = "the kernel has no memory for all pages";
                return -ENOMEM;
        default:
                *ret_sentence = "the kernel did not commit all pages";
                return r;
        }
}
