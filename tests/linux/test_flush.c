/* SPDX-License-Identifier: MIT */
/* What meets at the worst moment. A flush of a long range beside a question after changes, at the worst moment: the one has looked which fills are
 * under way, the other is about to tell Linux that a page may not be written. The calls are wrapped (meson.build). */
#include "../../host/linux/linux.h"

#include "support.h"

#include <pthread.h>

#define PAGES 200 /* more than are flushed window by window */

static volatile unsigned char *at;
static bool armed;
static uint32_t flushing, asking, written; /* 1: that has come; atomic */

static void set(uint32_t *word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    host_wake(word, UINT32_MAX);
}

static void wait_for(uint32_t *word, uint64_t ms)
{
    uint64_t end = host_time_ns() + ms * 1000000;
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0 && host_time_ns() < end)
        (void)host_wait(word, 0, end, false);
}

/* It will write the page, or hasn't: then the flush waits for this lock. */
void __real_uffd_protect(addr_t address, addr_t size);
void __wrap_uffd_protect(addr_t address, addr_t size);
void __wrap_uffd_protect(addr_t address, addr_t size)
{
    if (armed && address == (addr_t)at && size == PAGE) {
        set(&asking);
        wait_for(&written, 500);
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
    set(&flushing);
    wait_for(&asking, 5000);
}

static void *ask(void *changed)
{
    wait_for(&flushing, 5000);
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
    wait_for(&asking, 5000);
    assert_int_equal(asking, 1);
    pthread_join(flusher, NULL);
    write_page(at, 0, 60);
    set(&written);
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

/* ---- a region that goes while a fault in it has come through the core ----------------------------- */

static uint32_t resolved, unmapped;
static addr_t holds_at; /* atomic */
static struct kept {
    void *at;
    size_t size;
} kept_structures[29 * 40];
static size_t kept_count;

int __real_vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access);
int __wrap_vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access);
int __wrap_vm_fault_address_space(vm_address_space *aspace, addr_t address, unsigned access)
{
    int error = __real_vm_fault_address_space(aspace, address, access);
    if (error == VM_OK && address == __atomic_load_n(&holds_at, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&holds_at, 0, __ATOMIC_RELAXED);
        set(&resolved);
        wait_for(&unmapped, 20000);
    }
    return error;
}

static void *read_first(void *caught)
{
    *(int *)caught = caught_read((const void *)at);
    return NULL;
}

/* What the core has for structures of this size next is full of ones. */
static void use_memory_of_regions(void)
{
    for (size_t size = 64; size <= 512; size += 16)
        for (int i = 0; i < 40; i++) {
            void *structure = vm_meta_alloc(size);
            assert_non_null(structure);
            memset(structure, 0x11, size);
            kept_structures[kept_count++] = (struct kept){structure, size};
        }
}

static void check_memory_of_others(void)
{
    for (size_t i = 0; i < kept_count; i++) {
        const unsigned char *bytes = kept_structures[i].at;
        for (size_t b = 0; b < kept_structures[i].size; b++)
            assert_int_equal(bytes[b], 0x11);
        vm_meta_free(kept_structures[i].at, kept_structures[i].size);
    }
}

static void test_a_late_fault_writes_into_no_structure_of_others(void)
{
    struct quire_mapping mapping = {.name = "going", .size = 128 * PAGE, .limit = 64 * PAGE};
    pthread_t reader;
    int caught = 0;
    void *region;
    catch_signals();
    OK(quire_start(&(struct quire_options){.budget = 8 * MIB, .mode = QUIRE_MODE_SIGNAL}));
    OK(quire_map(&mapping, &region));
    at = region;
    __atomic_store_n(&holds_at, (addr_t)region, __ATOMIC_RELEASE);
    assert_int_equal(pthread_create(&reader, NULL, read_first, &caught), 0);
    wait_for(&resolved, 20000);
    assert_int_equal(resolved, 1);
    OK(quire_unmap(region));
    use_memory_of_regions();
    set(&unmapped);
    pthread_join(reader, NULL);
    assert_int_not_equal(caught, 0);
    check_memory_of_others();
    OK(quire_stop());
}

LINUX_MAIN(TEST_WITH(test_a_late_fault_writes_into_no_structure_of_others, .budget = 0),
           TEST(test_quire_snapshot_of_a_region_that_is_split_meanwhile),
           TEST_MODES(test_no_write_is_lost_beside_a_question_after_few_changes, .budget = 8 * MIB),
           TEST_MODES(test_no_write_is_lost_beside_a_question_after_many_changes,
                      .budget = 8 * MIB))
