/* SPDX-License-Identifier: MIT */
/* vm_create_cache and vm_map_cache: a store of the host's own, mapped as often as it likes. */
#include "support.h"

#include <quire/host.h>
#include <quire/store.h>

#include "cache.h"
#include "system.h"

enum { STORE_PAGES = 8 };

static unsigned char bytes[STORE_PAGES * 4096];
static unsigned destroyed, writes;
static int write_error;

static void own_destroy(vm_store *store)
{
    (void)store;
    destroyed++;
}

static bool own_has_page(vm_store *store, off_t offset)
{
    (void)store;
    return offset < (off_t)sizeof bytes;
}

static off_t own_size(vm_store *store)
{
    (void)store;
    return (off_t)sizeof bytes;
}

static int own_read(vm_store *store, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    (void)store;
    for (size_t i = 0; i < count; i++)
        memcpy(host_frame_ptr(frames[i]), &bytes[(size_t)offset + i * PAGE], PAGE);
    *done = count * PAGE;
    return VM_OK;
}

static int own_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    (void)store;
    writes++;
    *done = 0;
    if (write_error != VM_OK)
        return write_error;
    for (size_t i = 0; i < count; i++)
        memcpy(&bytes[(size_t)offset + i * PAGE], host_frame_ptr(frames[i]), PAGE);
    *done = count * PAGE;
    return VM_OK;
}

static unsigned acquired, released;

static void own_acquire(vm_store *store)
{
    (void)store;
    acquired++;
}

static void own_release(vm_store *store)
{
    (void)store;
    assert_int_equal(destroyed, 0);
    released++;
}

static off_t growing;

static off_t growing_size(vm_store *store)
{
    (void)store;
    return growing;
}

/* All that the file had; somebody makes it longer before this returns. */
static int growing_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                         size_t *done)
{
    (void)store, (void)offset, (void)frames, (void)count;
    *done = (size_t)growing;
    growing = (off_t)PAGE;
    writes++;
    return VM_OK;
}

static int own_fault(vm_store *store, vm_region *region, addr_t address, unsigned access)
{
    (void)store, (void)region, (void)address, (void)access;
    return ERR_IO;
}

static const struct vm_store_ops own_ops = {.destroy = own_destroy,
                                            .has_page = own_has_page,
                                            .size = own_size,
                                            .read = own_read,
                                            .write = own_write};
static const struct vm_store_ops faulting_ops = {.destroy = own_destroy, .fault = own_fault};
static const struct vm_store_ops counted_ops = {.destroy = own_destroy,
                                                .has_page = own_has_page,
                                                .read = own_read,
                                                .write = own_write,
                                                .acquire_ref = own_acquire,
                                                .release_ref = own_release};
static const struct vm_store_ops growing_ops = {.destroy = own_destroy,
                                                .has_page = own_has_page,
                                                .size = growing_size,
                                                .read = own_read,
                                                .write = growing_write};
static const struct vm_store_ops endless_ops = {.read = own_read};
static vm_store own;

static vm_cache_ref *new_cache(void)
{
    vm_cache_ref *cache;
    for (unsigned i = 0; i < STORE_PAGES; i++)
        memset(&bytes[i * PAGE], 100 + (int)i, PAGE);
    own = (vm_store){.ops = &own_ops};
    destroyed = writes = 0;
    write_error = VM_OK;
    OK(vm_create_cache(&own, (off_t)sizeof bytes, &cache));
    return cache;
}

static region_id map_at(addr_t base, size_t pages, unsigned lock, int mapping, vm_cache_ref *cache,
                        size_t first)
{
    void *at = PTR(base);
    return vm_map_cache(program, "own", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(pages), lock, mapping,
                        cache, (off_t)PAGES(first));
}

static void test_vm_create_cache_errors(void)
{
    vm_cache_ref *cache;
    vm_store other = {.ops = &endless_ops}, nothing = {.magic = 0};
    own = (vm_store){.ops = &own_ops};
    assert_int_equal(vm_create_cache(NULL, 4096, &cache), ERR_INVALID_ARGS);
    assert_int_equal(vm_create_cache(&own, 0, &cache), ERR_INVALID_ARGS);
    assert_int_equal(vm_create_cache(&own, -1, &cache), ERR_INVALID_ARGS);
    assert_int_equal(vm_create_cache(&own, 4096, NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_create_cache(&other, 4096, &cache), ERR_INVALID_ARGS);
    assert_int_equal(vm_create_cache(&nothing, 4096, &cache), ERR_INVALID_ARGS);
    OK(vm_create_cache(&own, 4096, &cache));
    assert_int_equal(own.magic, VM_STORE_MAGIC);
    assert_int_equal(cache->cache->virtual_size, 4096);
    vm_cache_ref *second;
    assert_int_equal(vm_create_cache(&own, 4096, &second), ERR_INVALID_ARGS);
    vm_put_cache(cache);
    own = (vm_store){.ops = &own_ops};
    OK(vm_create_cache(&own, 1, &cache));
    vm_put_cache(cache);
}

static void test_vm_create_cache_without_memory(void)
{
    vm_cache_ref *cache;
    size_t caches = figures().caches;
    own = (vm_store){.ops = &own_ops};
    destroyed = 0;
    for (unsigned nth = 1; nth <= 2; nth++) {
        sim_fail_at(SIM_FAIL_METADATA, nth, false);
        assert_int_equal(vm_create_cache(&own, 4096, &cache), ERR_NO_MEMORY);
        sim_fail_at(SIM_FAIL_METADATA, 0, false);
        assert_null(own.cache);
        assert_int_equal(figures().caches, caches);
    }
    assert_int_equal(destroyed, 0);
    OK(vm_create_cache(&own, 4096, &cache));
    vm_put_cache(cache);
    assert_int_equal(destroyed, 1);
}

/* Whoever has the lock of last references may give back one that isn't. */
static void test_a_reference_beside_others_goes_without_a_lock(void)
{
    vm_cache_ref *cache = new_cache();
    vm_cache_acquire_ref(cache);
    vm_mutex_lock(&vm_system.vnode_lock, VM_RANK_VNODE);
    vm_put_cache(cache);
    vm_mutex_unlock(&vm_system.vnode_lock);
    assert_int_equal(destroyed, 0);
    vm_put_cache(cache);
    assert_int_equal(destroyed, 1);
}

static void test_vm_map_cache_several_times_at_offsets(void)
{
    vm_cache_ref *cache = new_cache();
    region_id one = map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0);
    region_id two = map_at(SPOT + PAGES(16), 3, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 5);
    assert_true(one > 0 && two > 0);
    assert_byte(SPOT + PAGES(5), 105);
    OK(sim_write_byte(SPOT + PAGES(18), 9));
    assert_byte(SPOT + PAGES(7), 9);
    OK(vm_sync_range(program, SPOT, PAGES(8)));
    assert_int_equal(bytes[PAGES(7)], 9);
    vm_put_cache(cache);
    OK(vm_delete_region(program, one));
    assert_int_equal(destroyed, 0);
    OK(vm_delete_region(program, two));
    assert_int_equal(destroyed, 1);
}

static void test_vm_map_cache_private(void)
{
    vm_cache_ref *cache = new_cache();
    region_id id = map_at(SPOT, 4, LOCK_RW, REGION_PRIVATE_MAP, cache, 2);
    assert_true(id > 0);
    OK(sim_write_byte(SPOT, 9));
    assert_byte(SPOT + PAGE, 103);
    OK(vm_delete_region(program, id));
    vm_put_cache(cache);
    assert_int_equal(writes, 0);
    assert_int_equal(bytes[PAGES(2)], 102);
}

static void test_vm_map_cache_errors(void)
{
    vm_cache_ref *cache = new_cache();
    REFUSED(ERR_INVALID_ARGS, map_at(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, NULL, 0));
    void *at = PTR(SPOT);
    for (off_t offset = -1; offset <= 1; offset += 2)
        REFUSED(ERR_INVALID_ARGS, vm_map_cache(program, "own", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                               LOCK_RW, REGION_NO_PRIVATE_MAP, cache, offset));
    REFUSED(ERR_INVALID_ARGS,
            vm_map_cache(program, "own", &at, REGION_ADDR_EXACT_ADDRESS, PAGES(2), LOCK_RW,
                         REGION_NO_PRIVATE_MAP, cache, INT64_MAX - (off_t)VM_PAGE_MASK));
    REFUSED(ERR_INVALID_ARGS, map_at(SPOT, 0, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0));
    REFUSED(ERR_PERMISSION_DENIED,
            map_at(SPOT, 1, LOCK_RW | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, cache, 0));
    REFUSED(ERR_VM_INVALID_ASPACE, vm_map_cache(-1, "own", &at, REGION_ADDR_EXACT_ADDRESS, PAGE,
                                                LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0));
    vm_put_cache(cache);
    assert_int_equal(destroyed, 1);
}

static void test_vm_map_cache_no_write_stays_so(void)
{
    vm_cache_ref *cache = new_cache();
    assert_true(map_at(SPOT, 1, LOCK_RO | REGION_NO_WRITE, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    assert_int_equal(vm_protect_range(program, SPOT, PAGE, LOCK_RW), ERR_PERMISSION_DENIED);
    vm_put_cache(cache);
    OK(vm_unmap_range(program, SPOT, PAGE));
}

static void test_vm_map_cache_of_a_store_with_fault(void)
{
    vm_cache_ref *cache;
    own = (vm_store){.ops = &faulting_ops};
    OK(vm_create_cache(&own, (off_t)PAGE, &cache));
    REFUSED(ERR_UNSUPPORTED, map_at(SPOT, 1, LOCK_RW, REGION_PRIVATE_MAP, cache, 0));
    assert_true(map_at(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    assert_int_equal(sim_read_byte(SPOT), ERR_IO);
    OK(vm_unmap_range(program, SPOT, PAGE));
    vm_put_cache(cache);
}

/* What nobody synced is written with the last reference, whoever has it. */
static void test_the_last_reference_writes(void)
{
    vm_cache_ref *cache = new_cache();
    region_id id = map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0);
    OK(sim_write_byte(SPOT + PAGES(3), 9));
    vm_put_cache(cache);
    assert_int_equal(writes, 0);
    OK(vm_delete_region(program, id));
    assert_int_equal(writes, 1);
    assert_int_equal(bytes[PAGES(3)], 9);
    assert_int_equal(destroyed, 1);
}

static void test_past_the_end(void)
{
    vm_cache_ref *cache = new_cache();
    assert_true(map_at(SPOT, 12, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    assert_int_equal(sim_read_byte(SPOT + PAGES(STORE_PAGES)), ERR_VM_PF_PAST_END);
    assert_byte(SPOT + PAGES(STORE_PAGES - 1), 107);
    vm_put_cache(cache);
    OK(vm_unmap_range(program, SPOT, PAGES(12)));
    assert_int_equal(destroyed, 1);
}

/* Its pages are reclaimed as a file's are: the clean ones go, the modified ones are written. */
static void test_its_pages_are_reclaimed(void)
{
    vm_cache_ref *cache = new_cache();
    assert_true(map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    for (unsigned i = 0; i < 8; i++)
        assert_byte(SPOT + PAGES(i), 100 + (int)i);
    OK(sim_write_byte(SPOT + PAGES(6), 9));
    OK(vm_advise_range(program, SPOT, PAGES(8), VM_ADVICE_PAGEOUT));
    assert_int_equal(figures().evictions, 8);
    assert_int_equal(bytes[PAGES(6)], 9);
    assert_byte(SPOT + PAGES(6), 9);
    vm_put_cache(cache);
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
}

/* ---- whose pages are written, and when ---- */

static vm_cache_ref *racing;
static region_id racing_region;

static int put_it(void *unused)
{
    (void)unused;
    vm_put_cache(racing);
    return VM_OK;
}

static int delete_it(void *unused)
{
    (void)unused;
    return vm_delete_region(program, racing_region);
}

/* Two give the last references back at once: one of them writes. */
static void test_the_last_of_two_references_writes(void)
{
    struct vm_leftovers left;
    for (unsigned long seed = 1; seed < 400; seed++) {
        OK(sim_delete_aspace(program));
        assert_int_equal(sim_end_counting(&left), 0);
        OK(sim_start(&(struct sim_config){.cpus = 3, .seed = seed * 7919}));
        program = sim_new_aspace();
        racing = new_cache();
        racing_region = map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, racing, 0);
        OK(sim_write_byte(SPOT + PAGES(3), 9));
        (void)sim_spawn_on(0, program, "put", put_it, NULL);
        sim_fiber *deleter = sim_spawn_on(1, program, "delete", delete_it, NULL);
        sim_run();
        OK(sim_fiber_result(deleter));
        assert_int_equal(destroyed, 1);
        assert_int_equal(bytes[PAGES(3)], 9);
    }
}

static void test_vm_sync_files_writes_them_too(void)
{
    vm_cache_ref *cache = new_cache();
    assert_true(map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    OK(sim_write_byte(SPOT, 9));
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
    OK(vm_sync_files());
    assert_int_equal(writes, 1);
    assert_int_equal(figures().modified_file_pages, 0);
    vm_put_cache(cache);
    assert_int_equal(writes, 1);
}

static void test_vm_cache_discard_forgets_them(void)
{
    vm_cache_ref *cache = new_cache();
    assert_true(map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    OK(sim_write_byte(SPOT, 9));
    vm_cache_discard(cache);
    assert_byte(SPOT, 100);
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
    vm_put_cache(cache);
    assert_int_equal(writes, 0);
}

static void test_the_store_hears_of_references(void)
{
    vm_cache_ref *cache;
    acquired = released = destroyed = 0;
    own = (vm_store){.ops = &counted_ops};
    OK(vm_create_cache(&own, (off_t)sizeof bytes, &cache));
    assert_int_equal(acquired, 1);
    assert_true(map_at(SPOT, 8, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    OK(vm_unmap_range(program, SPOT, PAGES(8)));
    vm_put_cache(cache);
    assert_true(acquired >= 2);
    assert_int_equal(released, acquired);
    assert_int_equal(destroyed, 1);
}

/* No write was too short: but what the file has got meanwhile is still to be written. */
static void test_a_file_that_grows_meanwhile_is_no_error(void)
{
    vm_cache_ref *cache;
    uint32_t seen = 0;
    growing = 100;
    writes = 0;
    own = (vm_store){.ops = &growing_ops};
    OK(vm_create_cache(&own, (off_t)PAGE, &cache));
    assert_true(map_at(SPOT, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, cache, 0) > 0);
    OK(sim_write_byte(SPOT, 9));
    OK(vm_sync_range(program, SPOT, PAGE));
    OK(vm_sync_range(program, SPOT, PAGE));
    assert_int_equal(writes, 2);
    growing = 100;
    OK(sim_write_byte(SPOT, 9));
    OK(vm_advise_range(program, SPOT, PAGE, VM_ADVICE_PAGEOUT));
    OK(vm_cache_take_error(cache, &seen));
    OK(vm_unmap_range(program, SPOT, PAGE));
    vm_put_cache(cache);
}

UNIT_MAIN("caches of the host's own stores", TEST(test_vm_create_cache_errors),
          TEST(test_vm_create_cache_without_memory),
          TEST(test_vm_map_cache_several_times_at_offsets), TEST(test_vm_map_cache_private),
          TEST(test_vm_map_cache_errors), TEST(test_vm_map_cache_no_write_stays_so),
          TEST(test_vm_map_cache_of_a_store_with_fault), TEST(test_the_last_reference_writes),
          TEST(test_the_last_of_two_references_writes),
          TEST(test_a_reference_beside_others_goes_without_a_lock),
          TEST(test_vm_sync_files_writes_them_too), TEST(test_vm_cache_discard_forgets_them),
          TEST(test_the_store_hears_of_references),
          TEST(test_a_file_that_grows_meanwhile_is_no_error), TEST(test_past_the_end),
          TEST(test_its_pages_are_reclaimed))
