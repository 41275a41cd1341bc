// SPDX-License-Identifier: Apache-2.0
#include "proto/status.h"

#include <errno.h>
#include <stddef.h>

/* status, errno, name: one line for each value of the enum. */
#define STATUS_TABLE(X)                                                                            \
        X(OK, 0)                                                                                   \
        X(EPERM, EPERM)                                                                            \
        X(ENOENT, ENOENT)                                                                          \
        X(EIO, EIO)                                                                                \
        X(ENOMEM, ENOMEM)                                                                          \
        X(EACCES, EACCES)                                                                          \
        X(EBUSY, EBUSY)                                                                            \
        X(EINVAL, EINVAL)                                                                          \
        X(ENOSYS, ENOSYS)                                                                          \
        X(EPROTO, EPROTO)                                                                          \
        X(EOVERFLOW, EOVERFLOW)                                                                    \
        X(EMSGSIZE, EMSGSIZE)                                                                      \
        X(EDQUOT, EDQUOT)

/* Not indexed by status or errno: the numbers of the two agree on some machines only. */
static const struct {
        Filemem__Status status;
        int number;
        const char *name;
} table[] = {
#define X(name_, number_) {FILEMEM__STATUS__STATUS_##name_, number_, #name_},
        STATUS_TABLE(X)
#undef X
};

#define TABLE_LENGTH (sizeof(table) / sizeof(table[0]))

int status_to_errno(Filemem__Status status)
{
        for (size_t i = 0; i < TABLE_LENGTH; i++)
                if (table[i].status == status)
                        return table[i].number;
        return EPROTO;
}

Filemem__Status status_from_errno(int number)
{
        for (size_t i = 0; i < TABLE_LENGTH; i++)
                if (table[i].number == number)
                        return table[i].status;
        return FILEMEM__STATUS__STATUS_EIO;
}

const char *status_name(Filemem__Status status)
{
        for (size_t i = 0; i < TABLE_LENGTH; i++)
                if (table[i].status == status)
                        return table[i].name;
        return "?";
}
