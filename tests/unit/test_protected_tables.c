/* SPDX-License-Identifier: MIT */
/* Forks of much that was written: the right to write goes by table, and by entry when somebody looks. */
#include "support.h"

#include "aspace.h"

#include <quire/host.h>

#define TABLE 512 /* entries */
#define WRITABLE (vm_tmap_x86_64.writable)
#define DIRTY (vm_tmap_x86_64.dirty)

static struct vm_translation_map *tmap_of_program(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    struct vm_translation_map *tmap = &aspace->translation_map;
    vm_put_aspace(aspace);
    return tmap;
}

/* The entry for an address on a level, as it stands there. */
static uint64_t *raw_entry(addr_t address, unsigned level)
{
    const struct vm_translation_map *tmap = tmap_of_program();
    addr_t table = tmap->root;
    for (unsigned at = 3;; at--) {
        uint64_t *entries = host_frame_ptr(table);
        uint64_t *entry = &entries[address >> (VM_PAGE_SHIFT + 9 * at) & (TABLE - 1)];
        if (at == level)
            return entry;
        table = tmap_entry_physical(tmap->format, *entry);
    }
}

static bool table_allows(addr_t address)
{
    return *raw_entry(address, 1) & WRITABLE;
}

static size_t count_entries(addr_t address, uint64_t bits)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLE; i++)
        count += (*raw_entry(address + PAGES(i), 0) & bits) != 0;
    return count;
}

static void write_all(addr_t address, size_t pages, unsigned more)
{
    for (size_t i = 0; i < pages; i++)
        OK(sim_write_byte(address + PAGES(i), (uint8_t)(i + more)));
}

static void assert_all(addr_t address, size_t pages, unsigned more)
{
    for (size_t i = 0; i < pages; i++)
        assert_byte(address + PAGES(i), (uint8_t)(i + more));
}

#define SPAN ((addr_t)2 << 20)
#define BASE ((addr_t)64 << 20)

static void test_fork_protects_whole_tables(void)
{
    region_at(BASE, TABLE, LOCK_RW);
    write_all(BASE, TABLE, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    assert_false(table_allows(BASE));
    assert_int_equal(count_entries(BASE, WRITABLE), TABLE);
    SIM_CHECK(); /* which leaves it so */
    assert_false(table_allows(BASE));
    assert_byte(BASE, 1); /* the processor reads through it */
    assert_false(table_allows(BASE));
    uint64_t copies = figures().copies;
    OK(sim_write_byte(BASE + PAGE,
                      99)); /* looked at: now each entry has lost it, and one has it again */
    assert_true(table_allows(BASE));
    assert_int_equal(count_entries(BASE, WRITABLE), 1);
    assert_int_equal(figures().copies, copies + 1);
    assert_int_equal(count_entries(BASE, DIRTY), TABLE);
    write_all(BASE, TABLE, 50);
    assert_int_equal(figures().copies, copies + TABLE);
    sim_set_aspace(child);
    assert_all(BASE, TABLE, 1);
    sim_set_aspace(program);
    assert_all(BASE, TABLE, 50);
    OK(sim_delete_aspace(child));
}

static void test_fork_protects_few_pages_one_by_one(void)
{
    region_at(BASE, TABLE, LOCK_RW);
    write_all(BASE, 7, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    assert_true(table_allows(BASE));
    assert_int_equal(count_entries(BASE, WRITABLE), 0);
    write_all(BASE, 7, 10);
    sim_set_aspace(child);
    assert_all(BASE, 7, 1);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
}

/* Of a table that has pages of two regions the snapshot of one takes that one's rights. */
static void test_snapshot_protects_no_neighbour(void)
{
    region_id first = region_at(BASE, 300, LOCK_RW);
    region_at(BASE + PAGES(300), TABLE - 300, LOCK_RW);
    OK(vm_set_inheritance(program, BASE, PAGES(300), VM_INHERIT_NONE)); /* so that they stay two */
    write_all(BASE, TABLE, 1);
    void *copy = NULL;
    assert_true(vm_snapshot_region(program, "copy", &copy, REGION_ADDR_ANY_ADDRESS, first) > 0);
    assert_true(table_allows(BASE));
    assert_int_equal(count_entries(BASE, WRITABLE), TABLE - 300);
    write_all(BASE, TABLE, 9);
    assert_all((addr_t)copy, 300, 1);
}

/* A second fork finds nothing to take, and leaves the tables. */
static void test_fork_of_what_is_protected(void)
{
    region_at(BASE, 2 * TABLE, LOCK_RW);
    write_all(BASE, 2 * TABLE, 1);
    aspace_id first = fork_program();
    sim_set_aspace(program);
    uint64_t flushes = figures().tlb_flushes;
    aspace_id second = fork_program();
    sim_set_aspace(program);
    assert_int_equal(figures().tlb_flushes, flushes);
    assert_false(table_allows(BASE) || table_allows(BASE + SPAN));
    write_all(BASE, 2 * TABLE, 3);
    sim_set_aspace(second);
    assert_all(BASE, 2 * TABLE, 1);
    sim_set_aspace(program);
    OK(sim_delete_aspace(first));
    OK(sim_delete_aspace(second));
}

/* Dirty bits are still in the entries: what is evicted then is written. */
static void test_protected_pages_are_still_modified(void)
{
    region_at(BASE, TABLE, LOCK_RW);
    write_all(BASE, TABLE, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_advise_range(program, BASE, PAGES(TABLE), VM_ADVICE_PAGEOUT));
    sim_set_aspace(child);
    OK(vm_advise_range(child, BASE, PAGES(TABLE), VM_ADVICE_PAGEOUT));
    assert_all(BASE, TABLE, 1);
    sim_set_aspace(program);
    assert_all(BASE, TABLE, 1);
    OK(sim_delete_aspace(child));
}

static void test_unmap_of_what_is_protected(void)
{
    region_at(BASE, 2 * TABLE, LOCK_RW);
    write_all(BASE, 2 * TABLE, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_unmap_range(program, BASE + PAGES(10), PAGES(TABLE)));
    assert_all(BASE, 10, 1);
    write_all(BASE, 10, 5);
    OK(vm_unmap_range(program, BASE, PAGES(2 * TABLE)));
    region_at(BASE, 2 * TABLE, LOCK_RW);
    write_all(BASE, 2 * TABLE, 7);
    sim_set_aspace(child);
    assert_all(BASE, 2 * TABLE, 1);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
}

static void test_protect_of_what_is_protected(void)
{
    region_at(BASE, TABLE, LOCK_RW);
    write_all(BASE, TABLE, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_protect_range(program, BASE, PAGES(TABLE), LOCK_RO));
    assert_int_equal(sim_write_byte(BASE, 1), ERR_VM_PF_BAD_PERM);
    OK(vm_protect_range(program, BASE, PAGES(TABLE), LOCK_RW));
    write_all(BASE, TABLE, 4);
    sim_set_aspace(child);
    assert_all(BASE, TABLE, 1);
    sim_set_aspace(program);
    OK(sim_delete_aspace(child));
}

/* CPUs that walk on from tables they remember find a right that has come back after one fault. */
static void test_cpus_remember_the_protected_table(void)
{
    sim_set_hostility(SIM_TLB_REMEMBER);
    region_at(BASE, TABLE, LOCK_RW);
    write_all(BASE, TABLE, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        sim_set_cpu(cpu);
        sim_set_aspace(program);
        assert_all(BASE, 3, 1);
    }
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        sim_set_cpu(cpu);
        for (size_t i = 0; i < TABLE; i++)
            OK(sim_write_byte(BASE + PAGES(i), (uint8_t)(i + cpu + 5)));
    }
    assert_int_equal(sim_stale_accesses(), 0);
    sim_set_cpu(0);
    sim_set_aspace(child);
    assert_all(BASE, TABLE, 1);
    sim_set_aspace(program);
    assert_all(BASE, TABLE, 7);
    OK(sim_delete_aspace(child));
}

static void test_tmap_protect_table(void)
{
    struct vm_translation_map *tmap = tmap_of_program();
    struct tmap_walk walk = {.next = BASE, .last = BASE + SPAN - 1}, again = walk;
    region_at(BASE, TABLE, LOCK_RW);
    write_all(BASE, TABLE, 1);
    vm_mutex_lock(&tmap->lock, VM_RANK_TMAP);
    assert_non_null(tmap_run(tmap, &walk));
    assert_false(walk.is_protected);
    assert_true(tmap_protect_table(tmap));
    assert_false(tmap_protect_table(tmap)); /* none is the last any more */
    assert_non_null(tmap_run(tmap, &again));
    assert_true(again.is_protected);
    again = (struct tmap_walk){.next = BASE, .last = BASE + SPAN - 1, .for_rights = true};
    const uint64_t *run = tmap_run(tmap, &again);
    assert_false(again.is_protected);
    for (size_t i = 0; i < TABLE; i++)
        assert_int_equal(run[i] & WRITABLE, 0);
    assert_true(table_allows(BASE));
    tmap_flush(tmap, BASE, TABLE);
    vm_mutex_unlock(&tmap->lock);
}

/* What is the kernel's CPUs write without being asked. */
static void test_tmap_protect_table_of_the_kernel(void)
{
    void *at = NULL;
    aspace_id aid = vm_get_kernel_aspace_id();
    region_id id = vm_create_anonymous_region(aid, "heap", &at, REGION_ADDR_ANY_ADDRESS, PAGE,
                                              REGION_WIRING_WIRED, LOCK_KERNEL | LOCK_RW);
    assert_true(id > 0);
    vm_address_space *aspace = vm_get_kernel_aspace();
    struct vm_translation_map *kernel = &aspace->translation_map;
    vm_mutex_lock(&kernel->lock, VM_RANK_TMAP);
    struct tmap_walk walk = {.next = (addr_t)at, .last = (addr_t)at};
    assert_non_null(tmap_run(kernel, &walk));
    assert_false(tmap_protect_table(kernel));
    vm_mutex_unlock(&kernel->lock);
    vm_put_aspace(aspace);
    OK(vm_delete_region(aid, id));
}

UNIT_MAIN("tables that lose the right to write", TEST(test_fork_protects_whole_tables),
          TEST(test_fork_protects_few_pages_one_by_one), TEST(test_snapshot_protects_no_neighbour),
          TEST(test_fork_of_what_is_protected),
          TEST_ON(test_protected_pages_are_still_modified, .swap = 2048),
          TEST(test_unmap_of_what_is_protected), TEST(test_protect_of_what_is_protected),
          TEST_ON(test_cpus_remember_the_protected_table, .cpus = 3), TEST(test_tmap_protect_table),
          TEST(test_tmap_protect_table_of_the_kernel))
