// SPDX-License-Identifier: Apache-2.0
#include "journal/fixture.h"

#include "base/cleanup.h"

#include <fcntl.h>

const struct journal_format format = {
        .name = "test", .version = 3, .record_size = sizeof(struct entry), .area_size = AREA};

struct entry make(uint32_t number)
{
        return (struct entry){.number = number,
                .square = (uint64_t)number * number,
                .filler = {UINT64_MAX - number, 7}};
}

struct journal journal;

void set_up(void)
{
        ck_assert_int_eq(journal_create(&journal, &format), 0);
}

void tear_down(void)
{
        journal_close(&journal);
}

int append(uint32_t number)
{
        const struct entry entry = make(number);

        return journal_append(&journal, &entry);
}

void append_many(uint32_t count)
{
        for (uint32_t i = 0; i < count; i++)
                ck_assert_int_eq(append(i), 0);
}

/* As whoever gets the memfd next. */
int open_again(struct journal *again)
{
        int fd = fcntl(journal.fd, F_DUPFD_CLOEXEC, 0);
        int r;

        ck_assert_int_ge(fd, 0);
        r = journal_open(again, &format, fd);
        if (r < 0)
                fd_close(fd);
        return r;
}

/* How many records are read, each of which has to be right; *ret_end is what ended it. */
uint64_t count_read(int *ret_end)
{
        struct journal again;
        struct entry entry;
        uint64_t count = 0;

        ck_assert_int_eq(open_again(&again), 0);
        while ((*ret_end = journal_read(&again, count, &entry)) == 1) {
                struct entry expected = make((uint32_t)count);

                expected.mark = entry.mark;
                ck_assert_mem_eq(&entry, &expected, sizeof(entry));
                count++;
        }
        journal_close(&again);
        return count;
}

void assert_reads(uint64_t count, int end)
{
        int found;

        ck_assert_uint_eq(count_read(&found), count);
        ck_assert_int_eq(found, end);
}

struct entry *place(uint32_t index)
{
        return (struct entry *)(void *)journal.areas[journal.active].records + index;
}
