// SPDX-License-Identifier: Apache-2.0
/*
 * The traces of the 2018 ancestor, replayed.
 *
 * Compared, after every step: the result (offsets), st_blocks, the file size (its doubling), and
 * the runs of equal (kind, references). After a scan also the committed pages of every kind.
 *
 * Not compared: where the ancestor cut a segment because part of it is committed (here an entry has
 * a count); its sticky "reclaimable" flag; and usageSwapped, which it adds to System because it
 * cannot place it, where filemem says stray: that column is subtracted.
 */
#include "memory/fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct holder *holder;
static struct range found; /* by r_find */

static struct range range_of(const json_t *array, size_t at)
{
        return pages((uint64_t)json_integer_value(json_array_get(array, at)),
                (uint64_t)json_integer_value(json_array_get(array, at + 1)));
}

static void expect_range(const json_t *want, struct range range)
{
        struct range wanted = range_of(want, 0);

        ck_assert_uint_eq(range.start, wanted.start);
        ck_assert_uint_eq(range.end, wanted.end);
}

static void do_allocate(const json_t *op, const json_t *want)
{
        uint64_t count = (uint64_t)json_integer_value(json_array_get(op, 1));

        expect_range(
                want, take(holder, count, (enum kind)json_integer_value(json_array_get(op, 2))));
}

/* The ancestor may have cut what is freed by `committed`: then it takes the first part only. */
static void do_reclaim_one(const json_t *want)
{
        struct range range;

        if (!reclaim_find(pool, &range, 1)) {
                ck_assert_str_eq(json_string_value(want), "none");
                return;
        }
        ck_assert_uint_eq(range.start, range_of(want, 0).start);
        ck_assert_uint_ge(range.end, range_of(want, 0).end);
        range = range_of(want, 0);
        ck_assert_int_eq(reclaim_punch(pool, range), 0);
        ck_assert_int_eq(reclaim_finish(pool, &range, 1), 0);
}

static void do_reclaim_all(const json_t *want)
{
        const json_t *one;
        struct range range;
        size_t i;

        for (i = 0; (one = json_array_get(want, i)); i++)
                do_reclaim_one(one);
        ck_assert(!reclaim_find(pool, &range, 1));
}

static void do_read(struct range range)
{
        volatile unsigned char *address = client_map(range);

        for (uint64_t i = 0; i < range.end - range.start; i += FIXTURE_PAGE)
                ck_assert_uint_eq(address[i], 0);
        client_unmap((unsigned char *)address, range);
}

static void do_step(const char *name, const json_t *op, const json_t *want)
{
        if (!strcmp(name, "alloc"))
                do_allocate(op, want);
        else if (!strcmp(name, "inc"))
                ck_assert_int_eq(pool_incref(holder, range_of(op, 1)), 0);
        else if (!strcmp(name, "dec"))
                ck_assert_int_eq(pool_decref(holder, range_of(op, 1)), 0);
        else if (!strcmp(name, "decommit"))
                ck_assert_int_eq(decommit(holder, range_of(op, 1), false), 0);
        else if (!strcmp(name, "touch"))
                client_touch(range_of(op, 1), 1);
        else if (!strcmp(name, "rtouch"))
                do_read(range_of(op, 1));
        else if (!strcmp(name, "scan"))
                ck_assert_int_eq(scan_run(pool), 0);
        else if (!strcmp(name, "reclaim1"))
                do_reclaim_one(want);
        else if (!strcmp(name, "reclaim_all"))
                do_reclaim_all(want);
        else if (!strcmp(name, "r_find"))
                ck_assert(reclaim_find(pool, &found, 1));
        else if (!strcmp(name, "r_decommit"))
                ck_assert_int_eq(reclaim_punch(pool, found), 0);
        else if (!strcmp(name, "r_mark"))
                ck_assert_int_eq(reclaim_finish(pool, &found, 1), 0);
        else
                ck_abort_msg("unknown step %s", name);
        if (!strcmp(name, "r_find"))
                expect_range(want, found);
}

/* The ancestor's segments, those that differ only in `committed` taken together, are our entries.
 */
static void expect_segments(const json_t *segments)
{
        struct pool_entry entries[64];
        uint64_t next, count = pool_dump(pool, 0, entries, 64, &next);
        size_t i, at = 0;
        const json_t *segment;
        uint64_t end = 0;

        for (i = 0; (segment = json_array_get(segments, i)); i++) {
                struct range range = range_of(segment, 0);
                unsigned kind = (unsigned)json_integer_value(json_array_get(segment, 2));
                uint32_t refs = (uint32_t)json_integer_value(json_array_get(segment, 4));

                if (i && at && entries[at - 1].kind == kind && entries[at - 1].refs == refs &&
                        end == range.start) {
                        end = range.end;
                        continue;
                }
                if (at)
                        ck_assert_uint_eq(entries[at - 1].range.end, end);
                ck_assert_uint_lt(at, count);
                ck_assert_uint_eq(entries[at].range.start, range.start);
                ck_assert_uint_eq(entries[at].kind, kind);
                ck_assert_uint_eq(entries[at].refs, refs);
                end = range.end;
                at++;
        }
        ck_assert_uint_eq(at, count);
        if (at)
                ck_assert_uint_eq(entries[at - 1].range.end, end);
}

static void expect_committed(const json_t *wanted, uint64_t swapped)
{
        struct pool_usage usage;

        pool_usage(pool, &usage);
        usage.committed[KIND_SYSTEM] += usage.reclaimable_committed;
        for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
                uint64_t want = (uint64_t)json_integer_value(json_array_get(wanted, kind));

                if (kind == KIND_SYSTEM)
                        want -= swapped;
                ck_assert_uint_eq(usage.committed[kind], want * FIXTURE_PAGE);
        }
}

static void replay(const json_t *trace)
{
        const json_t *steps = json_object_get(trace, "steps"), *step;
        struct pool_information info;
        size_t i;

        fixture_set_up();
        ck_assert_int_eq(holder_new(pool, &holder), 0);
        for (i = 0; (step = json_array_get(steps, i)); i++) {
                const json_t *op = json_array_get(step, 0);
                const char *name = json_string_value(json_array_get(op, 0));

                do_step(name, op, json_array_get(step, 1));
                expect_segments(json_array_get(step, 2));
                if (!strcmp(name, "scan"))
                        expect_committed(json_array_get(step, 5),
                                (uint64_t)json_integer_value(json_array_get(step, 4)));
                ck_assert_uint_eq(stored() / FIXTURE_PAGE,
                        (uint64_t)json_integer_value(json_array_get(step, 6)));
                pool_information(pool, &info);
                ck_assert_uint_eq(info.size / FIXTURE_PAGE,
                        (uint64_t)json_integer_value(json_array_get(step, 7)));
                pool_validate(pool);
        }
        holder = holder_free(holder);
        fixture_tear_down();
}

static json_t *file;

START_TEST(a_trace_of_the_ancestor_goes_the_same_way)
{
        const json_t *trace = json_array_get(json_object_get(file, "traces"), (size_t)_i);

        replay(trace);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("traces");
        TCase *vectors = harness_case(suite, "vectors", 20);
        json_error_t error;
        size_t count;

        file = json_load_file(FILEMEM_VECTORS "/traces.json", 0, &error);
        count = json_array_size(json_object_get(file, "traces"));
        if (count != 16) {
                fprintf(stderr, "%zu traces instead of 16: %s\n", count, error.text);
                return 1;
        }
        tcase_add_loop_test(vectors, a_trace_of_the_ancestor_goes_the_same_way, 0, (int)count);
        return harness_run(suite);
}
