/* SPDX-License-Identifier: MIT */
/* Lists: none, one and more members. */
#include "support.h"

#include "list.h"

struct member {
    int value;
    struct list_link link;
};

static void test_a_list_has_one_member(void)
{
    struct list_link list;
    struct member a = {.value = 1}, b = {.value = 2};
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_false(list_has_one(&list));
    list_add_head(&list, &a.link);
    assert_true(list_has_one(&list));
    list_add_head(&list, &b.link);
    assert_false(list_has_one(&list));
    assert_int_equal(list_member(list.next, struct member, link)->value, 2);
    list_remove(&b.link);
    assert_true(list_has_one(&list));
    assert_true(list_is_empty(&b.link)); /* it may be removed again */
    list_remove(&b.link);
    list_remove(&a.link);
    assert_true(list_is_empty(&list));
}

UNIT_MAIN("lists", TEST(test_a_list_has_one_member))
