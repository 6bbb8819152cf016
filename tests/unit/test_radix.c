/* SPDX-License-Identifier: MIT */
/* The radix tree from inside. */
#include "support.h"

#include "radix.h"

#define VALUE(key) ((void *)(uintptr_t)(((key) << 4) | 1))

static struct radix tree;

static void test_radix_dense(void)
{
    tree = (struct radix){0};
    for (uint64_t key = 0; key < 5000; key++)
        OK(radix_insert(&tree, key, VALUE(key)));
    for (uint64_t key = 0; key < 5000; key++)
        assert_ptr_equal(radix_lookup(&tree, key), VALUE(key));
    assert_null(radix_lookup(&tree, 5000));
    assert_null(radix_lookup(&tree, UINT64_MAX));
    for (uint64_t key = 0; key < 5000; key += 2)
        assert_ptr_equal(radix_remove(&tree, key), VALUE(key));
    for (uint64_t key = 0; key < 5000; key++)
        assert_ptr_equal(radix_lookup(&tree, key), key % 2 == 0 ? NULL : VALUE(key));
    for (uint64_t key = 1; key < 5000; key += 2)
        assert_ptr_equal(radix_remove(&tree, key), VALUE(key));
    radix_clear(&tree);
    assert_null(tree.root);
}

static const uint64_t sparse[] = {
    7,          0,          1,          63,         64,         4095,           4096,
    1ull << 20, 1ull << 32, 1ull << 47, 1ull << 63, UINT64_MAX, UINT64_MAX - 1, (1ull << 47) + 1,
};
#define SPARSE (sizeof(sparse) / sizeof(sparse[0]))

static void test_radix_sparse_keys(void)
{
    tree = (struct radix){0};
    for (unsigned i = 0; i < SPARSE; i++)
        OK(radix_insert(&tree, sparse[i], VALUE((uint64_t)i + 1)));
    for (unsigned i = 0; i < SPARSE; i++)
        assert_ptr_equal(radix_lookup(&tree, sparse[i]), VALUE((uint64_t)i + 1));
    assert_null(radix_lookup(&tree, 2));
    assert_null(radix_lookup(&tree, (1ull << 47) + 2));
    for (unsigned i = 0; i < SPARSE; i++) {
        assert_ptr_equal(radix_remove(&tree, sparse[i]), VALUE((uint64_t)i + 1));
        assert_null(radix_lookup(&tree, sparse[i]));
        assert_null(radix_remove(&tree, sparse[i]));
    }
    radix_clear(&tree);
}

static void test_radix_next_is_in_order(void)
{
    tree = (struct radix){0};
    for (unsigned i = 0; i < SPARSE; i++)
        OK(radix_insert(&tree, sparse[i], VALUE((uint64_t)i + 1)));
    uint64_t key = 0, last = 0;
    unsigned count = 0;
    for (void *value; (value = radix_next(&tree, &key)) != NULL; key++) {
        assert_ptr_equal(value, radix_lookup(&tree, key));
        assert_true(count == 0 || key > last);
        last = key;
        count++;
        if (key == UINT64_MAX)
            break;
    }
    assert_int_equal(count, SPARSE);
    key = 65;
    assert_non_null(radix_next(&tree, &key));
    assert_int_equal(key, 4095);
    radix_clear(&tree);
    key = 0;
    assert_null(radix_next(&tree, &key));
}

static void test_radix_replace(void)
{
    tree = (struct radix){0};
    OK(radix_insert(&tree, 1000, VALUE(1)));
    assert_ptr_equal(radix_replace(&tree, 1000, VALUE(2)), VALUE(1));
    assert_ptr_equal(radix_lookup(&tree, 1000), VALUE(2));
    radix_clear(&tree);
}

static void test_radix_without_memory(void)
{
    for (unsigned n = 1; n < 50; n++) {
        tree = (struct radix){0};
        OK(radix_insert(&tree, 5, VALUE(5)));
        sim_fail_at(SIM_FAIL_METADATA, n, true);
        int error = radix_insert(&tree, 1ull << 60, VALUE(6));
        unsigned failed = sim_fail_done(SIM_FAIL_METADATA);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        assert_ptr_equal(radix_lookup(&tree, 5), VALUE(5));
        if (failed > 0) {
            assert_int_equal(error, ERR_NO_MEMORY);
            assert_null(radix_lookup(&tree, 1ull << 60));
            OK(radix_insert(&tree, 1ull << 60, VALUE(6)));
        }
        assert_ptr_equal(radix_lookup(&tree, 1ull << 60), VALUE(6));
        radix_clear(&tree);
        if (failed == 0)
            return;
    }
    fail_msg("no insertion came through");
}

static void test_radix_reserve_makes_insertion_certain(void)
{
    tree = (struct radix){0};
    OK(radix_insert(&tree, 3, VALUE(3)));
    for (unsigned i = 0; i < SPARSE; i++) {
        OK(radix_reserve(&tree, sparse[i]));
        sim_fail_at(SIM_FAIL_METADATA, 1, true);
        OK(radix_insert(&tree, sparse[i], VALUE((uint64_t)i + 1)));
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
    }
    radix_clear(&tree);
}

static void test_radix_random(void)
{
    enum { KEYS = 4096 };
    static bool there[KEYS];
    uint64_t state = 1;
    memset(there, 0, sizeof(there));
    tree = (struct radix){0};
    for (unsigned i = 0; i < 40000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t slot = state >> 52, key = slot * slot * 12289;
        if (there[slot])
            assert_ptr_equal(radix_remove(&tree, key), VALUE(slot));
        else
            OK(radix_insert(&tree, key, VALUE(slot)));
        there[slot] = !there[slot];
    }
    for (uint64_t slot = 0; slot < KEYS; slot++)
        assert_ptr_equal(radix_lookup(&tree, slot * slot * 12289),
                         there[slot] ? VALUE(slot) : NULL);
    radix_clear(&tree);
}

UNIT_MAIN("the radix tree", TEST(test_radix_dense), TEST(test_radix_sparse_keys),
          TEST(test_radix_next_is_in_order), TEST(test_radix_replace),
          TEST(test_radix_without_memory), TEST(test_radix_reserve_makes_insertion_certain),
          TEST(test_radix_random))
