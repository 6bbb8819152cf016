/* SPDX-License-Identifier: MIT */
/* What meets at the worst moment. A flush of a long range beside a question after changes, at the worst moment: the one has looked which fills are
 * under way, the other is about to tell Linux that a page may not be written. The calls are wrapped (meson.build). */
#include "../../host/linux/linux.h"

#include "support.h"

#include <limits.h>
#include <pthread.h>

#define PAGES 200 /* more than are flushed window by window */

static volatile unsigned char *at;
static bool armed;
static uint32_t flushing, asking, written; /* 1: that has come; atomic */

/* It will write the page, or hasn't: then the flush waits for this lock. */
void __real_uffd_protect(addr_t address, addr_t size);
void __wrap_uffd_protect(addr_t address, addr_t size);
void __wrap_uffd_protect(addr_t address, addr_t size)
{
    if (armed && address == (addr_t)at && size == PAGE) {
        set_word(&asking);
        wait_for_word(&written, 500);
    }
    __real_uffd_protect(address, size);
}

void __real_place_wait_for_fills(void);
void __wrap_place_wait_for_fills(void);
void __wrap_place_wait_for_fills(void)
{
    __real_place_wait_for_fills();
    if (!armed)
        return;
    set_word(&flushing);
    wait_for_word(&asking, 5000);
}

static void *ask(void *changed)
{
    wait_for_word(&flushing, 5000);
    OK(quire_changed((void *)at, PAGE, changed));
    return NULL;
}

static void *flush(void *unused)
{
    (void)unused;
    OK(quire_flush((void *)at, PAGES * PAGE));
    return NULL;
}

/* Each `step`th page was written. */
static void check(size_t step)
{
    struct test_store *store = store_create(PAGES);
    pthread_t flusher, asker;
    unsigned char changed = 0;
    at = map_store(store, 0);
    for (size_t i = 0; i < PAGES; i += step)
        write_page(at, i, i + 50);
    armed = true;
    assert_int_equal(pthread_create(&flusher, NULL, flush, NULL), 0);
    assert_int_equal(pthread_create(&asker, NULL, ask, &changed), 0);
    wait_for_word(&asking, 5000);
    assert_int_equal(asking, 1);
    pthread_join(flusher, NULL);
    write_page(at, 0, 60);
    set_word(&written);
    pthread_join(asker, NULL);
    armed = false;
    assert_int_equal(changed, 1);
    for (size_t i = 0; i < PAGES; i += step)
        assert_true(page_is(store->bytes, i, i + 50));
    OK(quire_flush((void *)at, PAGES * PAGE));
    assert_true(page_is(store->bytes, 0, 60));
}

/* Linux is told of the pages one by one, or of all with one call. */
static void test_no_write_is_lost_beside_a_question_after_few_changes(void)
{
    check(100);
}

static void test_no_write_is_lost_beside_a_question_after_many_changes(void)
{
    check(1);
}

/* ---- a snapshot of what is split meanwhile ------------------------------------------------------ */

static bool splits;

region_id __real_vm_snapshot_region(aspace_id aid, const char *name, void **address, int type,
                                    region_id source);
region_id __wrap_vm_snapshot_region(aspace_id aid, const char *name, void **address, int type,
                                    region_id source);
region_id __wrap_vm_snapshot_region(aspace_id aid, const char *name, void **address, int type,
                                    region_id source)
{
    if (splits)
        OK(quire_protect((void *)(at + 50 * PAGE), 10 * PAGE, false));
    return __real_vm_snapshot_region(aid, name, address, type, source);
}

static void test_quire_snapshot_of_a_region_that_is_split_meanwhile(void)
{
    void *copy;
    at = map_memory(PAGES);
    for (size_t i = 0; i < PAGES; i++)
        write_page(at, i, i + 1);
    splits = true;
    assert_int_equal(quire_snapshot((void *)at, &copy), ERR_UNSUPPORTED);
    splits = false;
    OK(quire_protect((void *)(at + 50 * PAGE), 10 * PAGE, true));
    OK(quire_snapshot((void *)at, &copy));
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(at, i, i + 1) && page_is(copy, i, i + 1));
}

/* ---- pages that others take as soon as they have come ------------------------------------------- */

static volatile unsigned char *populated;
static unsigned to_take, taken;

int __real_fault_resolve(addr_t address, unsigned access, bool is_absent);
int __wrap_fault_resolve(addr_t address, unsigned access, bool is_absent);
int __wrap_fault_resolve(addr_t address, unsigned access, bool is_absent)
{
    int error = __real_fault_resolve(address, access, is_absent);
    if (__atomic_load_n(&to_take, __ATOMIC_RELAXED) > 0 &&
        address - (addr_t)__atomic_load_n(&populated, __ATOMIC_RELAXED) < PAGES * PAGE) {
        __atomic_fetch_sub(&to_take, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
        (void)vm_advise_range(process.aid, address, PAGE, VM_ADVICE_PAGEOUT);
    }
    return error;
}

/* A snapshot of pages that are in swap, of which so many go again when they have come. */
static int populate_beside_evictions(unsigned evictions)
{
    void *copy;
    add_swap(4 * PAGES);
    at = map_memory(PAGES);
    for (size_t i = 0; i < PAGES; i++)
        write_page(at, i, i + 1);
    OK(quire_snapshot((void *)at, &copy));
    OK(quire_unmap((void *)at));
    OK(quire_evict(copy, PAGES * PAGE));
    __atomic_store_n(&populated, copy, __ATOMIC_RELAXED);
    __atomic_store_n(&to_take, evictions, __ATOMIC_RELAXED);
    int error = quire_populate((char *)copy + 20 * PAGE, 8 * PAGE, false);
    __atomic_store_n(&to_take, 0, __ATOMIC_RELAXED);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(copy, i, i + 1));
    return error;
}

static void test_populate_of_a_snapshot_goes_on_while_others_need_memory(void)
{
    OK(populate_beside_evictions(100));
    assert_int_equal(taken, 100);
}

static void test_populate_of_a_snapshot_ends_where_nothing_stays(void)
{
    assert_int_equal(populate_beside_evictions(UINT_MAX), ERR_NO_MEMORY);
    assert_true(taken > 100 && taken < 1000);
}

/* ---- pages that are about to go, and are mapped still ------------------------------------------- */

static bool stops_reclaim;
static uint32_t reclaiming, has_populated;

/* The pages of a cache that only others' regions show are busy by now, and these still show them. */
void __real_chain_walk_consumers(void *ref, void *visit, void *argument);
void __wrap_chain_walk_consumers(void *ref, void *visit, void *argument);
void __wrap_chain_walk_consumers(void *ref, void *visit, void *argument)
{
    if (stops_reclaim) {
        set_word(&reclaiming);
        wait_for_word(&has_populated, 500);
    }
    __real_chain_walk_consumers(ref, visit, argument);
}

static void *reclaim(void *unused)
{
    (void)unused;
    (void)vm_reclaim(8);
    return NULL;
}

static void test_populate_waits_for_pages_that_are_about_to_go(void)
{
    pthread_t thread;
    void *first, *second;
    add_swap(4 * PAGES);
    at = map_memory(PAGES);
    for (size_t i = 0; i < PAGES; i++)
        write_page(at, i, i + 1);
    OK(quire_snapshot((void *)at, &first));
    OK(quire_snapshot(first, &second));
    OK(quire_unmap((void *)at));
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(first, i, i + 1));
    stops_reclaim = true;
    assert_int_equal(pthread_create(&thread, NULL, reclaim, NULL), 0);
    wait_for_word(&reclaiming, 5000);
    assert_int_equal(reclaiming, 1);
    OK(quire_populate(first, PAGES * PAGE, false));
    stops_reclaim = false;
    set_word(&has_populated);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(page_is(second, i, i + 1));
}

LINUX_MAIN(TEST(test_quire_snapshot_of_a_region_that_is_split_meanwhile),
           TEST_MODES(test_populate_waits_for_pages_that_are_about_to_go, .budget = 8 * MIB),
           TEST_MODES(test_populate_of_a_snapshot_goes_on_while_others_need_memory,
                      .budget = 8 * MIB),
           TEST_MODES(test_populate_of_a_snapshot_ends_where_nothing_stays, .budget = 8 * MIB),
           TEST_MODES(test_no_write_is_lost_beside_a_question_after_few_changes, .budget = 8 * MIB),
           TEST_MODES(test_no_write_is_lost_beside_a_question_after_many_changes,
                      .budget = 8 * MIB))
