// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include "support/fault.h"
#include "support/harness.h"

#include <errno.h>

static const gid_t groups[] = {20, 30};
static const struct identity somebody = {.uid = 1, .gid = 10, .groups = groups, .group_count = 2};

static bool have(bool is_group, uint32_t id)
{
        struct principals principals = PRINCIPALS_NONE;
        bool found;

        ck_assert_int_eq(principals_add(&principals, (struct principal){is_group, id}), 0);
        found = principals_have(&principals, &somebody);
        principals_deinit(&principals);
        return found;
}

START_TEST(users_and_groups_are_told_apart)
{
        ck_assert(have(false, 1));
        ck_assert(have(true, 10));
        ck_assert(have(true, 20));
        ck_assert(have(true, 30));
        ck_assert(!have(true, 1));
        ck_assert(!have(false, 10));
        ck_assert(!have(false, 20));
        ck_assert(!have(true, 40));
}
END_TEST

START_TEST(nobody_is_in_no_list_but_everybody)
{
        const struct identity nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};
        struct principals principals = PRINCIPALS_NONE;

        ck_assert(!principals_have(&principals, &nobody));
        ck_assert(!principals_have(&principals, &somebody));
        principals.everybody = true;
        ck_assert(principals_have(&principals, &nobody));
        ck_assert(principals_have(&principals, &somebody));
}
END_TEST

START_TEST(who_is_added_twice_is_there_once)
{
        struct principals principals = PRINCIPALS_NONE;

        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(principals_add(&principals, (struct principal){true, 5}), 0);
        ck_assert_int_eq(principals_add(&principals, (struct principal){false, 5}), 0);
        ck_assert_uint_eq(principals.count, 2);
        principals_deinit(&principals);
        ck_assert_uint_eq(principals.count, 0);
}
END_TEST

START_TEST(who_may_write_may_read)
{
        struct access access = {0};

        ck_assert_int_eq(principals_add(&access.join, (struct principal){false, 1}), 0);
        ck_assert(access_may_join(&access, &somebody, false));
        ck_assert(access_may_join(&access, &somebody, true));
        access_deinit(&access);
        ck_assert_int_eq(principals_add(&access.join_read_only, (struct principal){false, 1}), 0);
        ck_assert(!access_may_join(&access, &somebody, false));
        ck_assert(access_may_join(&access, &somebody, true));
        access_deinit(&access);
        ck_assert_int_eq(principals_add(&access.admin, (struct principal){false, 1}), 0);
        ck_assert(!access_may_join(&access, &somebody, true));
        access_deinit(&access);
}
END_TEST

START_TEST(copying_survives_every_failed_allocation)
{
        struct access access = {.join.everybody = true}, copy;
        bool happened = true;

        ck_assert_int_eq(principals_add(&access.join, (struct principal){true, 1}), 0);
        ck_assert_int_eq(principals_add(&access.join_read_only, (struct principal){true, 2}), 0);
        ck_assert_int_eq(principals_add(&access.admin, (struct principal){true, 3}), 0);
        for (long n = 0; happened; n++) {
                int r;

                fault_alloc_at(n);
                r = access_copy(&access, &copy);
                happened = fault_alloc_happened();
                fault_alloc_at(-1);
                ck_assert_int_eq(r, happened ? -ENOMEM : 0);
        }
        ck_assert(copy.join.everybody);
        ck_assert_uint_eq(copy.admin.list[0].id, 3);
        access_deinit(&copy);
        access_deinit(&access);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("access");
        TCase *tests = harness_case(suite, "access", 10);

        tcase_add_test(tests, users_and_groups_are_told_apart);
        tcase_add_test(tests, nobody_is_in_no_list_but_everybody);
        tcase_add_test(tests, who_is_added_twice_is_there_once);
        tcase_add_test(tests, who_may_write_may_read);
        tcase_add_test(tests, copying_survives_every_failed_allocation);
        return harness_run(suite);
}
