// SPDX-License-Identifier: Apache-2.0
#include "fault_map.h"
#include "peer.h"
#include "support/harness.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)

static struct peer peer;
static filemem_session *session;

static void serve(struct peer *where)
{
        const Filemem__ToDaemon *message;
        Filemem__PoolReport report = FILEMEM__POOL_REPORT__INIT;
        Filemem__Result result = FILEMEM__RESULT__INIT;

        /* argument: not NULL means that the pool may be mapped for exec. */
        report.exec = where->argument != NULL;
        report.size = PEER_CHUNK;
        result.body_case = FILEMEM__RESULT__BODY_POOL_INFO;
        result.pool_info = &report;
        peer_greet(where);
        while ((message = peer_receive(where)))
                peer_reply(where, message->request->id, &result);
}

static void begin(void)
{
        peer_start(&peer, serve, NULL);
        session = peer_open(&peer);
}

static void end(void)
{
        filemem_close(session);
        peer_stop(&peer);
}

static struct filemem_range range(uint64_t start, uint64_t end_)
{
        return (struct filemem_range){start, end_};
}

START_TEST(a_range_across_chunks_is_contiguous)
{
        void *address, *again, *second;

        ck_assert_int_eq(filemem_map(session, range(PEER_CHUNK - PEER_PAGE, PEER_CHUNK * 3),
                                 READ_WRITE, &address),
                0);
        memset(address, 7, 2 * PEER_PAGE);
        ck_assert_int_eq(
                filemem_map(session, range(PEER_CHUNK, PEER_CHUNK + PEER_PAGE), PROT_READ, &second),
                0);
        ck_assert_ptr_eq(second, (char *)address + PEER_PAGE);
        ck_assert_uint_eq(*(unsigned char *)second, 7);
        ck_assert_int_eq(
                filemem_map(session, range(PEER_CHUNK - PEER_PAGE, PEER_CHUNK), PROT_WRITE, &again),
                0);
        ck_assert_ptr_eq(again, address);
}
END_TEST

START_TEST(chunks_are_not_for_exec_and_not_for_nothing)
{
        void *address;

        ck_assert_int_eq(filemem_map(session, range(0, PEER_PAGE), PROT_READ | PROT_EXEC, &address),
                -EACCES);
        ck_assert_int_eq(filemem_map(session, range(0, PEER_PAGE), PROT_NONE, &address), -EINVAL);
        ck_assert_int_eq(
                filemem_map(session, range(0, PEER_PAGE), 0x1000 | PROT_READ, &address), -EINVAL);
        ck_assert_int_eq(filemem_map(session, range(0, PEER_PAGE), PROT_READ, NULL), -EINVAL);
}
END_TEST

START_TEST(with_a_window_there_is_one_block)
{
        struct filemem_block block;
        void *address;

        ck_assert_int_eq(
                filemem_map_blocks(session, range(PEER_PAGE, PEER_CAPACITY), PROT_READ, NULL, 0),
                1);
        ck_assert_int_eq(
                filemem_map_blocks(session, range(PEER_PAGE, PEER_CAPACITY), PROT_READ, &block, 1),
                1);
        ck_assert_int_eq(
                filemem_map(session, range(PEER_PAGE, PEER_CAPACITY), PROT_READ, &address), 0);
        ck_assert_ptr_eq(block.address, address);
        ck_assert_uint_eq(block.length, PEER_CAPACITY - PEER_PAGE);
}
END_TEST

START_TEST(without_a_window_there_are_blocks)
{
        struct filemem_range wide = range(PEER_CHUNK - PEER_PAGE, 2 * PEER_CHUNK + PEER_PAGE);
        struct filemem_block blocks[4] = {0};
        void *address;

        filemem_close(session);
        peer_stop(&peer);
        peer_start(&peer, serve, NULL);
        session = peer_open(&peer);
        fault_map_at(1); /* after the array of chunks */
        ck_assert_int_eq(filemem_map(session, wide, READ_WRITE, &address), -ERANGE);
        ck_assert(fault_map_happened());
        ck_assert_int_eq(filemem_map_blocks(session, wide, READ_WRITE, NULL, 0), 3);
        ck_assert_int_eq(filemem_map_blocks(session, wide, READ_WRITE, blocks, 2), 3);
        ck_assert_ptr_null(blocks[2].address);
        ck_assert_int_eq(filemem_map_blocks(session, wide, READ_WRITE, blocks, 4), 3);
        ck_assert_uint_eq(blocks[0].length, PEER_PAGE);
        ck_assert_uint_eq(blocks[1].length, PEER_CHUNK);
        ck_assert_uint_eq(blocks[2].length, PEER_PAGE);
        ck_assert_ptr_null(blocks[3].address);
        memcpy(blocks[1].address, "middle", 7);
        ck_assert_int_eq(
                filemem_map(session, range(PEER_CHUNK, 2 * PEER_CHUNK), PROT_READ, &address), 0);
        ck_assert_str_eq(address, "middle");
}
END_TEST

START_TEST(a_mapping_of_ones_own_has_the_protection_asked_for)
{
        void *chunk, *own;

        ck_assert_int_eq(filemem_map(session, range(0, PEER_PAGE), READ_WRITE, &chunk), 0);
        memcpy(chunk, "shared", 7);
        ck_assert_int_eq(
                filemem_map_into(session, range(0, PEER_PAGE), NULL, PROT_READ, 0, &own), 0);
        ck_assert_ptr_ne(own, chunk);
        ck_assert_str_eq(own, "shared");
        ck_assert_int_eq(mprotect(own, PEER_PAGE, PROT_NONE), 0);
        ck_assert_int_eq(munmap(own, PEER_PAGE), 0);
        ck_assert_str_eq(chunk, "shared");
}
END_TEST

START_TEST(a_fixed_mapping_is_where_it_should_be)
{
        size_t size = 4 * PEER_PAGE;
        char *place = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct filemem_range two = range(PEER_PAGE, 3 * PEER_PAGE);
        void *own = NULL;

        ck_assert_ptr_ne(place, MAP_FAILED);
        ck_assert_int_eq(filemem_map_into(session, two, place + PEER_PAGE, READ_WRITE,
                                 FILEMEM_MAP_FIXED, &own),
                0);
        ck_assert_ptr_eq(own, place + PEER_PAGE);
        place[PEER_PAGE] = 1;
        place[3 * PEER_PAGE - 1] = 1;
        own = NULL;
        ck_assert_int_eq(
                filemem_map_into(session, two, NULL, READ_WRITE, FILEMEM_MAP_FIXED, &own), -EINVAL);
        ck_assert_int_eq(
                filemem_map_into(session, two, place + 1, READ_WRITE, FILEMEM_MAP_FIXED, &own),
                -EINVAL);
        ck_assert_int_eq(filemem_map_into(session, two, NULL, READ_WRITE, 64, &own), -EINVAL);
        ck_assert_int_eq(filemem_map_into(session, two, NULL, 0x1000, 0, &own), -EINVAL);
        ck_assert_ptr_null(own);
        munmap(place, size);
}
END_TEST

START_TEST(precommit_commits_all_pages_now)
{
        uint64_t before, after;
        void *own = NULL;

        ck_assert_int_eq(filemem_total_usage(session, &before), 0);
        ck_assert_uint_eq(before, 0);
        ck_assert_int_eq(filemem_map_into(session, range(0, 64 * PEER_PAGE), NULL, READ_WRITE,
                                 FILEMEM_MAP_PRECOMMIT, &own),
                0);
        ck_assert_int_eq(filemem_total_usage(session, &after), 0);
        ck_assert_uint_eq(after, 64 * PEER_PAGE);
        munmap(own, 64 * PEER_PAGE);
        ck_assert_int_eq(filemem_map_into(session, range(0, PEER_PAGE), NULL, PROT_READ,
                                 FILEMEM_MAP_PRECOMMIT, &own),
                -EINVAL);
}
END_TEST

START_TEST(a_precommit_that_fails_is_undone)
{
        static const struct {
                int error;
                int expected;
        } cases[] = {{ENOMEM, -ENOMEM}, {EFAULT, -ENOMEM}, {EINVAL, -ENOSYS}, {EPERM, -EPERM},
                {EINTR, 0}};
        void *own = NULL;

        fault_advise(cases[_i].error);
        ck_assert_int_eq(filemem_map_into(session, range(0, PEER_PAGE), NULL, READ_WRITE,
                                 FILEMEM_MAP_PRECOMMIT, &own),
                cases[_i].expected);
        if (cases[_i].expected) {
                ck_assert_ptr_null(own);
                ck_assert_str_ne(filemem_last_error(session), "");
        } else {
                munmap(own, PEER_PAGE);
        }
}
END_TEST

START_TEST(a_mapping_that_fails_says_so)
{
        void *address = NULL;

        fault_map_at(0);
        ck_assert_int_eq(
                filemem_map_into(session, range(0, PEER_PAGE), NULL, PROT_READ, 0, &address),
                -ENOMEM);
        fault_map_at(0);
        ck_assert_int_eq(filemem_map(session, range(0, PEER_PAGE), PROT_READ, &address), -ENOMEM);
        ck_assert_ptr_null(address);
        ck_assert_str_ne(filemem_last_error(session), "");
}
END_TEST

START_TEST(one_thread_needs_no_memory_after_its_first_call)
{
        uint64_t size;

        ck_assert_int_eq(filemem_total_size(session, &size), 0);
        fault_map_at(0);
        ck_assert_int_eq(filemem_total_size(session, &size), 0);
        ck_assert(!fault_map_happened());
        fault_map_at(-1);
        ck_assert_uint_eq(size, PEER_CHUNK);
}
END_TEST

START_TEST(exec_is_for_pools_that_allow_it)
{
        void *own = NULL;

        ck_assert_int_eq(filemem_map_into(session, range(0, PEER_PAGE), NULL, PROT_READ | PROT_EXEC,
                                 0, &own),
                -EACCES);
        ck_assert_ptr_null(own);
        filemem_close(session);
        peer_stop(&peer);
        peer_start(&peer, serve, "yes");
        session = peer_open(&peer);
        ck_assert_int_eq(filemem_map_into(session, range(0, PEER_PAGE), NULL, PROT_READ | PROT_EXEC,
                                 0, &own),
                0);
        munmap(own, PEER_PAGE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("map");
        TCase *tests = harness_case(suite, "map", 20);

        tcase_add_checked_fixture(tests, begin, end);
        tcase_add_test(tests, a_range_across_chunks_is_contiguous);
        tcase_add_test(tests, chunks_are_not_for_exec_and_not_for_nothing);
        tcase_add_test(tests, with_a_window_there_is_one_block);
        tcase_add_test(tests, without_a_window_there_are_blocks);
        tcase_add_test(tests, a_mapping_of_ones_own_has_the_protection_asked_for);
        tcase_add_test(tests, a_fixed_mapping_is_where_it_should_be);
        tcase_add_test(tests, precommit_commits_all_pages_now);
        tcase_add_loop_test(tests, a_precommit_that_fails_is_undone, 0, 5);
        tcase_add_test(tests, a_mapping_that_fails_says_so);
        tcase_add_test(tests, one_thread_needs_no_memory_after_its_first_call);
        tcase_add_test(tests, exec_is_for_pools_that_allow_it);
        return harness_run(suite);
}
