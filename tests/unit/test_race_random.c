/* SPDX-License-Identifier: MIT */
/* Fibers that meet, each scenario in many random orders on three CPUs. */
#include "support.h"

#include <quire/host.h>

/* ---- one cache for each file ---- */

static int map_file(void *file)
{
    void *at = NULL;
    return (int)vm_map_vnode(program, "f", &at, 0, PAGES(2), LOCK_RO, REGION_NO_PRIVATE_MAP, file,
                             0);
}

static int map_and_unmap_file(void *file)
{
    for (unsigned i = 0; i < 5; i++) {
        void *at = NULL;
        region_id id =
            vm_map_vnode(program, "f", &at, 0, PAGE, LOCK_RW, REGION_PRIVATE_MAP, file, 0);
        if (id < 0)
            return (int)id;
        int byte = sim_read_byte((addr_t)at);
        if (byte != 1)
            return -1;
        int error = vm_delete_region(program, id);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static void repeat_with_seeds(unsigned times, void (*scenario)(void))
{
    struct vm_leftovers left;
    struct seeds seeds = seeds_or(1, times);
    for (unsigned long seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        OK(sim_delete_aspace(program));
        if (sim_end_counting(&left) != 0)
            fail_msg("the seed before %lu: left over:\n%s", seed, sim_log_text());
        OK(sim_start(&(struct sim_config){.cpus = 3, .seed = seed * 7919}));
        program = sim_new_aspace();
        scenario();
        SIM_CHECK();
    }
}

static void map_file_race(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    sim_fiber *mapper[4];
    size_t caches = figures().caches;
    for (unsigned i = 0; i < 4; i++)
        mapper[i] = sim_spawn_on(i % 3, program, "mapper", map_file, file);
    sim_run();
    for (unsigned i = 0; i < 4; i++)
        assert_true(sim_fiber_result(mapper[i]) > 0);
    assert_int_equal(figures().caches, caches + 1);
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
    assert_int_equal(sim_file_references(file), 0);
    assert_null(host_vnode_get_cache(file));
}

static void test_vm_map_file_race_installs_one_cache(void)
{
    repeat_with_seeds(60, map_file_race);
}

static void map_unmap_race(void)
{
    sim_file *file = sim_file_create_numbered("/f", 2);
    sim_fiber *mapper[3];
    for (unsigned i = 0; i < 3; i++)
        mapper[i] = sim_spawn_on(i, program, "mapper", map_and_unmap_file, file);
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(mapper[i]));
    assert_int_equal(sim_file_references(file), 0);
}

static void test_vm_map_file_race_with_last_unmap(void)
{
    repeat_with_seeds(60, map_unmap_race);
}

/* ---- everything at once ---- */

static int write_many(void *first)
{
    addr_t a = (addr_t)first;
    for (unsigned i = 0; i < 24; i++) {
        int error = sim_write_byte(a + PAGES(i % 8), (uint8_t)i);
        if (error != VM_OK)
            return error;
        if (sim_read_byte(a + PAGES(i % 8)) != (int)i)
            return -1;
    }
    return VM_OK;
}

static void writers_and_forks(void)
{
    sim_fiber *fiber[4];
    region_at(SPOT, 24, LOCK_RW);
    number_pages(SPOT, 24, 1);
    for (unsigned i = 0; i < 3; i++)
        fiber[i] = sim_spawn_on(i, program, "writer", write_many, PTR(SPOT + PAGES(8 * i)));
    fiber[3] = sim_spawn_on(1, program, "forker", fork_often, PTR(2));
    sim_run();
    for (unsigned i = 0; i < 4; i++)
        OK(sim_fiber_result(fiber[i]));
    for (unsigned i = 0; i < 24; i++)
        assert_byte(SPOT + PAGES(i), (int)(16 + i % 8));
}

static void test_race_of_writers_and_forks(void)
{
    repeat_with_seeds(60, writers_and_forks);
}

static int flip_protection(void *address)
{
    for (unsigned i = 0; i < 6; i++) {
        int error =
            vm_protect_range(program, (addr_t)address, PAGES(2), i % 2 == 0 ? LOCK_RO : LOCK_RW);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

static int write_or_refused(void *address)
{
    for (unsigned i = 0; i < 20; i++) {
        int error = sim_write_byte((addr_t)address + PAGES(i % 2), (uint8_t)i);
        if (error != VM_OK && error != ERR_VM_PF_BAD_PERM)
            return error;
    }
    return VM_OK;
}

static void writers_and_protection(void)
{
    region_at(SPOT, 4, LOCK_RW);
    sim_fiber *a = sim_spawn_on(0, program, "flip", flip_protection, PTR(SPOT));
    sim_fiber *b = sim_spawn_on(1, program, "write", write_or_refused, PTR(SPOT));
    sim_fiber *c = sim_spawn_on(2, program, "write", write_or_refused, PTR(SPOT + PAGE));
    sim_run();
    OK(sim_fiber_result(a));
    OK(sim_fiber_result(b));
    OK(sim_fiber_result(c));
}

static void test_race_of_writers_and_protection(void)
{
    repeat_with_seeds(60, writers_and_protection);
}

static int child_life(void *aid)
{
    aspace_id child = (aspace_id)(intptr_t)aid;
    for (unsigned i = 0; i < 6; i++) {
        if (sim_read_byte(SPOT + PAGES(i)) != (int)i + 1)
            return -1;
        if (i % 2 == 0 && sim_write_byte(SPOT + PAGES(i), (uint8_t)child) != VM_OK)
            return -2;
    }
    return VM_OK;
}

static void family(void)
{
    aspace_id child[3];
    sim_fiber *fiber[3];
    region_at(SPOT, 6, LOCK_RW);
    number_pages(SPOT, 6, 1);
    for (unsigned i = 0; i < 3; i++) {
        child[i] = vm_copy_aspace(program, "child");
        fiber[i] = sim_spawn_on(i, child[i], "child", child_life, PTR((intptr_t)child[i]));
    }
    number_pages(SPOT, 3, 100);
    sim_run();
    for (unsigned i = 0; i < 3; i++) {
        OK(sim_fiber_result(fiber[i]));
        OK(sim_delete_aspace(child[i]));
    }
    assert_numbered(SPOT, 3, 100);
    assert_numbered(SPOT + PAGES(3), 3, 4);
}

static void test_race_of_a_family_on_shared_pages(void)
{
    repeat_with_seeds(60, family);
}

static int exit_space(void *aid)
{
    return vm_delete_aspace((aspace_id)(intptr_t)aid);
}

static void exits_and_writes(void)
{
    region_at(SPOT, 24, LOCK_RW);
    number_pages(SPOT, 24, 1);
    aspace_id first = vm_copy_aspace(program, "first");
    aspace_id second = vm_copy_aspace(first, "second");
    sim_fiber *a = sim_spawn_on(0, ERR_VM_INVALID_ASPACE, "exit", exit_space, PTR((intptr_t)first));
    sim_fiber *b = sim_spawn_on(1, program, "write", write_many, PTR(SPOT));
    sim_fiber *c = sim_spawn_on(2, second, "write", write_many, PTR(SPOT + PAGES(8)));
    sim_run();
    OK(sim_fiber_result(a));
    OK(sim_fiber_result(b));
    OK(sim_fiber_result(c));
    sim_set_aspace(second);
    assert_numbered(SPOT, 8, 1);
    assert_numbered(SPOT + PAGES(8), 8, 16);
    sim_set_aspace(program);
    OK(sim_delete_aspace(second));
    assert_numbered(SPOT + PAGES(8), 16, 9);
}

static void test_race_of_exit_and_writers(void)
{
    repeat_with_seeds(60, exits_and_writes);
}

static vm_cache_ref *truncated;

static int truncate_often(void *file)
{
    for (unsigned i = 0; i < 6; i++) {
        size_t size = i % 2 == 0 ? PAGE : PAGES(4);
        sim_file_set_size(file, size);
        vm_cache_truncate(truncated, (off_t)size);
    }
    return VM_OK;
}

static int touch_file(void *address)
{
    for (unsigned i = 0; i < 16; i++) {
        int byte = sim_read_byte((addr_t)address + PAGES(i % 4));
        if (byte < 0 && byte != ERR_VM_PF_PAST_END)
            return byte;
    }
    return VM_OK;
}

static void faults_and_truncation(void)
{
    sim_file *file = sim_file_create_numbered("/f", 4);
    addr_t a, b;
    OK(vm_get_vnode_cache(file, &truncated));
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    map_pages(&b, file, 4, LOCK_RW, REGION_PRIVATE_MAP, 0);
    sim_fiber *fiber[3] = {
        sim_spawn_on(0, program, "truncate", truncate_often, file),
        sim_spawn_on(1, program, "touch", touch_file, PTR(a)),
        sim_spawn_on(2, program, "touch", touch_file, PTR(b)),
    };
    sim_run();
    for (unsigned i = 0; i < 3; i++)
        OK(sim_fiber_result(fiber[i]));
    vm_put_cache(truncated);
    OK(vm_unmap_range(program, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE));
}

static void test_race_of_faults_and_truncation(void)
{
    repeat_with_seeds(60, faults_and_truncation);
}

/* ---- a space that goes while its fibers run ---- */

static aspace_id victim;
static sim_file *victims_file;

static int live_in_victim(void *argument)
{
    uint64_t state = (uintptr_t)argument * 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < 30; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        addr_t at = SPOT + PAGES(state >> 60);
        void *place = PTR(at);
        switch (state >> 40 & 7) {
        case 0:
            (void)vm_create_anonymous_region(victim, "x", &place, REGION_ADDR_REPLACE, PAGES(3),
                                             REGION_WIRING_LAZY, LOCK_RW);
            break;
        case 1:
            (void)vm_map_vnode(victim, "f", &place, REGION_ADDR_REPLACE, PAGES(3), LOCK_RW,
                               REGION_PRIVATE_MAP, victims_file, 0);
            break;
        case 2:
            (void)vm_unmap_range(victim, at, PAGES(2));
            break;
        case 3:
            (void)user_memset(place, 'x', PAGES(2));
            break;
        case 4: {
            aspace_id child = vm_copy_aspace(victim, "child");
            if (child > 0)
                (void)vm_delete_aspace(child);
            break;
        }
        default:
            (void)sim_write_byte(at, (uint8_t)i);
        }
    }
    return VM_OK;
}

static void space_goes(void)
{
    victim = vm_create_aspace("victim", SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, false);
    victims_file = sim_file_create_numbered("/f", 3);
    for (uintptr_t i = 1; i < 5; i++)
        sim_spawn_on((unsigned)(i % 3), victim, "lives", live_in_victim,
                     PTR(i * 977 + (uintptr_t)victim));
    for (unsigned i = 0; i < 25; i++)
        sim_yield();
    OK(vm_delete_aspace(victim));
    assert_int_equal(vm_delete_aspace(victim), ERR_VM_INVALID_ASPACE);
    sim_run();
    sim_set_cpu(1);
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    sim_set_cpu(2);
    sim_set_aspace(program);
    sim_set_cpu(0);
    sim_set_aspace(program);
    assert_int_equal(sim_file_references(victims_file), 0);
}

static void test_race_of_a_space_that_goes(void)
{
    repeat_with_seeds(100, space_goes);
}

UNIT_MAIN("races in random order", TEST(test_vm_map_file_race_installs_one_cache),
          TEST(test_vm_map_file_race_with_last_unmap), TEST(test_race_of_writers_and_forks),
          TEST(test_race_of_writers_and_protection), TEST(test_race_of_a_family_on_shared_pages),
          TEST(test_race_of_exit_and_writers), TEST(test_race_of_faults_and_truncation),
          TEST(test_race_of_a_space_that_goes))
