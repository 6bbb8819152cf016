/* SPDX-License-Identifier: MIT */
/* A store that the core doesn't know: it has every second page, can't be written, charges nothing, has
 * no end. Each operation it lacks has the default that store.h names. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

#include "aspace.h"
#include "cache.h"
#include "create.h"
#include "pagein.h"
#include "writeback.h"

static unsigned destroyed, reads;
static int next_error;

static void own_destroy(vm_store *store)
{
    (void)store;
    destroyed++;
}

static bool own_has_page(vm_store *store, off_t offset)
{
    (void)store;
    return (offset / (off_t)PAGE) % 2 == 0;
}

static int own_read(vm_store *store, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    (void)store;
    assert_int_equal(count, 1); /* its next page is a hole */
    reads++;
    *done = next_error == VM_OK ? PAGE : 0;
    memset(host_frame_ptr(frames[0]), 200 + (int)(offset / (off_t)PAGE), *done);
    return next_error;
}

static const struct vm_store_ops own_ops = {
    .destroy = own_destroy, .has_page = own_has_page, .read = own_read};
static vm_store own;

static vm_cache_ref *own_cache(void)
{
    own = (vm_store){.magic = VM_STORE_MAGIC, .ops = &own_ops};
    destroyed = reads = 0;
    next_error = VM_OK;
    vm_cache_ref *ref = cache_create_for(&own, (off_t)PAGES(6), false);
    assert_non_null(ref);
    return ref;
}

/* Six pages at SPOT; `ref` is given away. */
static region_id map_own(vm_cache_ref *ref, int mapping)
{
    void *at = PTR(SPOT);
    vm_address_space *aspace;
    struct create_request r = {.aid = program,
                               .name = "own",
                               .address = &at,
                               .addr_type = REGION_ADDR_EXACT_ADDRESS,
                               .size = PAGES(6),
                               .lock = LOCK_RW,
                               .mapping = mapping,
                               .max_lock = LOCK_RW,
                               .inherit = create_inherit_of(mapping)};
    OK(create_begin(&r, &aspace));
    region_id id = create_finish(&r, aspace, ref);
    assert_true(id > 0);
    return id;
}

static void test_pages_and_holes(void)
{
    region_id id = map_own(own_cache(), REGION_NO_PRIVATE_MAP);
    for (unsigned i = 0; i < 6; i++)
        assert_byte(SPOT + PAGES(i), i % 2 == 0 ? 200 + (int)i : 0);
    assert_int_equal(reads, 3);
    assert_int_equal(sim_committed(), 0);
    OK(vm_delete_region(program, id));
    assert_int_equal(destroyed, 1);
}

static void test_reads_that_fail(void)
{
    region_id id = map_own(own_cache(), REGION_NO_PRIVATE_MAP);
    next_error = ERR_IO;
    assert_int_equal(sim_read_byte(SPOT), ERR_IO);
    assert_byte(SPOT + PAGE, 0);
    next_error = VM_OK;
    assert_byte(SPOT, 200);
    OK(vm_delete_region(program, id));
}

static void test_no_commit_no_write_no_end(void)
{
    vm_cache_ref *ref = own_cache();
    vm_cache_acquire_ref(ref);
    region_id id = map_own(ref, REGION_NO_PRIVATE_MAP);
    cache_lock(ref);
    OK(cache_charge(ref->cache, (int64_t)PAGE));
    assert_int_equal(own.committed_size, 0);
    assert_int_equal(cache_end(ref), INT64_MAX);
    cache_unlock(ref);
    OK(sim_write_byte(SPOT + PAGE, 9));
    OK(writeback_range(ref, 0, INT64_MAX)); /* it has no other place: that is no error */
    assert_true(vm_cache_lookup_page(ref, (off_t)PAGE)->modified);
    assert_byte(SPOT + PAGE, 9);
    OK(vm_delete_region(program, id));
    assert_int_equal(destroyed, 0);
    vm_cache_release_ref(ref);
    assert_int_equal(destroyed, 1);
}

/* A cache whose pages have another home doesn't become one with what stands on it. */
static void test_it_never_merges(void)
{
    vm_cache_ref *ref = own_cache();
    vm_cache_acquire_ref(ref);
    region_id id = map_own(ref, REGION_PRIVATE_MAP);
    OK(sim_write_byte(SPOT, 9));
    vm_cache_release_ref(ref);
    assert_int_equal(region_info(id).chain_depth, 2);
    assert_byte(SPOT, 9);
    assert_byte(SPOT + PAGES(2), 202);
    OK(vm_delete_region(program, id));
    assert_int_equal(destroyed, 1);
}

/* What a child discards shows the store again, holes as well: not what the parent has written over it. */
static void test_discarded_pages_show_the_store(void)
{
    region_id id = map_own(own_cache(), REGION_PRIVATE_MAP);
    number_pages(SPOT, 2, 1);
    aspace_id child = fork_program();
    OK(vm_discard_range(child, SPOT, PAGES(2)));
    assert_byte(SPOT, 200);
    assert_byte(SPOT + PAGE, 0);
    OK(sim_write_byte(SPOT + PAGE, 50));
    sim_set_aspace(program);
    assert_numbered(SPOT, 2, 1);
    OK(sim_delete_aspace(child));
    OK(vm_delete_region(program, id));
    assert_int_equal(destroyed, 1);
}

UNIT_MAIN("a store of one's own", TEST(test_pages_and_holes), TEST(test_reads_that_fail),
          TEST(test_no_commit_no_write_no_end), TEST(test_it_never_merges),
          TEST(test_discarded_pages_show_the_store))
