// SPDX-License-Identifier: Apache-2.0
#include "server/pools.h"

#include "base/error.h"
#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#define DAEMON 1000

static struct event_base *base;
static struct memory *memory;
static struct limits limits;
static struct pools pools;
static unsigned expired;

static const struct identity alice = {.uid = 1, .gid = 1};
static const struct identity bob = {.uid = 2, .gid = 2};
static const struct identity root = {.uid = 0, .gid = 0};
static const struct identity the_daemon = {.uid = DAEMON, .gid = 2};

static struct principal only_alice = {.id = 1};
static const struct access everybody = {.join.everybody = true};
static const struct access nobody;
static const struct access for_alice = {.join = {.count = 1, .list = &only_alice}};
static const struct access read_by_alice = {.join_read_only = {.count = 1, .list = &only_alice}};

#define OPTIONS(name_)                                                                             \
        {                                                                                          \
                .name = (name_), .capacity = CHUNK_SIZE                                            \
        }
static const struct pool_options options_a = OPTIONS("a"), options_b = OPTIONS("b"),
                                 options_none = OPTIONS("");

static void on_expired(struct served *served)
{
        expired++;
        served_release(served);
}

static int configure(const struct pools_rule *rules, size_t count)
{
        const struct pools_config config = {
                .admin_group = 2,
                .private_pools = {.options = &options_none, .access = &for_alice},
                .pools = rules,
                .count = count,
        };

        return pools_configure(&pools, &config);
}

static void set_up(void)
{
        const struct memory_options options = {.accounting = ACCOUNTING_BEST};

        base = event_base_new();
        ck_assert_int_eq(memory_new(&options, &memory), 0);
        ck_assert_int_eq(limits_init(&limits, &limits_defaults, 100, NULL), 0);
        pools_init(&pools, base, memory, &limits, DAEMON, on_expired);
        expired = 0;
}

static void tear_down(void)
{
        pools_deinit(&pools);
        limits_deinit(&limits);
        memory_free(memory);
        event_base_free(base);
}

static void expect_join(
        const char *name, const struct identity *identity, bool read_only, int expected)
{
        struct served *served = NULL;

        ck_assert_int_eq(pools_join(&pools, name, identity, read_only, &served), expected);
        ck_assert_int_eq(served != NULL, expected == 0);
        served_release(served);
}

START_TEST(rules_are_asked_and_owners_are_not)
{
        const struct pools_rule rules[] = {
                {&options_a, &for_alice, NULL}, {&options_b, &nobody, NULL}};

        set_up();
        ck_assert_int_eq(configure(rules, 2), 0);
        expect_join("a", &alice, false, 0);
        expect_join("a", &bob, false, OUTCOME_POOL_DENIED);
        expect_join("b", &alice, true, OUTCOME_POOL_DENIED);
        expect_join("b", &root, false, 0);
        expect_join("b", &the_daemon, false, 0);
        expect_join("c", &root, false, OUTCOME_POOL_UNKNOWN);
        expect_join("", &root, false, OUTCOME_POOL_UNKNOWN);
        ck_assert(!pools_is_admin(&pools, &alice));
        ck_assert(pools_is_admin(&pools, &bob)); /* by his group */
        tear_down();
}
END_TEST

START_TEST(rules_change_and_pools_stay)
{
        struct pools_rule rules[] = {{&options_a, &for_alice, NULL}};
        struct pool *pool;

        set_up();
        ck_assert_int_eq(configure(rules, 1), 0);
        pool = pools_find(&pools, "a")->pool;
        rules[0].access = &read_by_alice;
        ck_assert_int_eq(configure(rules, 1), 0);
        ck_assert_ptr_eq(pools_find(&pools, "a")->pool, pool);
        expect_join("a", &alice, false, OUTCOME_POOL_DENIED);
        expect_join("a", &alice, true, 0);
        tear_down();
}
END_TEST

START_TEST(pool_that_nobody_uses_vanishes_with_its_section)
{
        const struct pools_rule rules[] = {
                {&options_a, &everybody, NULL}, {&options_b, &everybody, NULL}};
        struct served *used;

        set_up();
        ck_assert_int_eq(configure(rules, 2), 0);
        ck_assert_int_eq(pools_join(&pools, "b", &alice, false, &used), 0);
        ck_assert_int_eq(configure(rules, 0), 0);
        ck_assert_ptr_null(pools_find(&pools, "a"));
        ck_assert_ptr_eq(pools_find(&pools, "b"), used);
        expect_join("b", &alice, false, OUTCOME_POOL_CLOSED);
        ck_assert_uint_eq(pools.count, 1);
        served_release(used);
        ck_assert_uint_eq(pools.count, 0);
        tear_down();
}
END_TEST

START_TEST(private_pool_lives_with_its_users)
{
        struct served *served;

        set_up();
        ck_assert_int_eq(configure(NULL, 0), 0);
        ck_assert_int_eq(pools_make_private(&pools, &bob, &served), OUTCOME_POOL_DENIED);
        ck_assert_int_eq(pools_make_private(&pools, &alice, &served), 0);
        ck_assert_uint_eq(served->uid, 1);
        expect_join(served_name(served), &alice, false, OUTCOME_POOL_UNKNOWN);
        expect_join(served_name(served), &root, false, OUTCOME_POOL_UNKNOWN);
        served_use(served);
        ck_assert_int_eq(configure(NULL, 0), 0); /* which says nothing of private ones */
        served_release(served);
        ck_assert_uint_eq(pools.count, 1);
        served_release(served);
        ck_assert_uint_eq(pools.count, 0);
        tear_down();
}
END_TEST

START_TEST(destroyed_pool_expires_and_a_new_one_takes_its_name)
{
        const struct pools_rule rules[] = {{&options_a, &everybody, NULL}};
        struct served *old;

        set_up();
        ck_assert_int_eq(configure(rules, 1), 0);
        ck_assert_int_eq(pools_join(&pools, "a", &alice, false, &old), 0);
        served_destroy(old);
        expect_join("a", &alice, false, OUTCOME_POOL_CLOSED);
        ck_assert_int_eq(configure(rules, 1), 0);
        ck_assert_ptr_ne(pools_find(&pools, "a"), old);
        expect_join("a", &alice, false, 0);
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0); /* 2 s */
        ck_assert_uint_eq(expired, 1);
        ck_assert_uint_eq(pools.count, 1);
        served_destroy(pools_find(&pools, "a")); /* without users it is gone at once */
        ck_assert_uint_eq(pools.count, 0);
        tear_down();
}
END_TEST

/* Whatever fails, the pools are those of before. */
START_TEST(configuring_survives_every_failed_allocation)
{
        const struct pools_rule before[] = {{&options_a, &for_alice, NULL}};
        const struct pools_rule after[] = {
                {&options_b, &for_alice, NULL}, {&options_a, &read_by_alice, NULL}};
        bool happened = true;
        size_t fds;
        long n;

        set_up();
        ck_assert_int_eq(configure(before, 1), 0);
        fds = harness_count_fds();
        for (n = 0; happened; n++) {
                int r;

                fault_alloc_at(n);
                r = configure(after, 2);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert_int_eq(r, happened ? -ENOMEM : 0);
                if (!happened)
                        break;
                ck_assert_uint_eq(pools.count, 1);
                ck_assert_uint_eq(harness_count_fds(), fds);
                expect_join("a", &alice, false, 0);
        }
        ck_assert_int_gt(n, 4);
        ck_assert_uint_eq(pools.count, 2);
        expect_join("a", &alice, false, OUTCOME_POOL_DENIED);
        expect_join("b", &alice, false, 0);
        tear_down();
}
END_TEST

START_TEST(making_a_private_pool_survives_every_failed_allocation)
{
        struct served *served = NULL;
        bool happened = true;

        set_up();
        ck_assert_int_eq(configure(NULL, 0), 0);
        for (long n = 0; happened; n++) {
                int r;

                fault_alloc_at(n);
                r = pools_make_private(&pools, &alice, &served);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert_int_eq(r, happened ? -ENOMEM : 0);
                ck_assert_uint_eq(pools.count, happened ? 0 : 1);
        }
        served_release(served);
        tear_down();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pools registry");
        TCase *tests = harness_case(suite, "pools registry", 30);

        tcase_add_test(tests, rules_are_asked_and_owners_are_not);
        tcase_add_test(tests, rules_change_and_pools_stay);
        tcase_add_test(tests, pool_that_nobody_uses_vanishes_with_its_section);
        tcase_add_test(tests, private_pool_lives_with_its_users);
        tcase_add_test(tests, destroyed_pool_expires_and_a_new_one_takes_its_name);
        tcase_add_test(tests, configuring_survives_every_failed_allocation);
        tcase_add_test(tests, making_a_private_pool_survives_every_failed_allocation);
        return harness_run(suite);
}
