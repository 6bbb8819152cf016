/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

aspace_id program;

void fail_test(const char *text)
{
    fail_msg("%s", text);
}

size_t free_frames(void)
{
    vm_trim();
    return sim_free_frames();
}

static void begin(const struct sim_config *config)
{
    sim_set_failure_handler(fail_test);
    assert_int_equal(sim_start(config), VM_OK);
}

static void end(void)
{
    SIM_CHECK();
    sim_end();
}

void unit_run(void **state)
{
    const struct unit_test *test = *state;
    begin(&test->config);
    size_t frames = free_frames();
    int64_t committed = sim_committed();
    program = sim_new_aspace();
    assert_true(program > 0);
    test->function();
    SIM_CHECK();
    assert_int_equal(sim_delete_aspace(program), VM_OK);
    sim_run_until_blocked(); /* a daemon may be writing pages of it, which are there until it has */
    assert_int_equal(sim_committed(), committed);
    assert_int_equal(free_frames(), frames);
    end();
}

int unit_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

static jmp_buf after_panic;
static char panic_text[512];

static void note_panic(const char *text)
{
    strncpy(panic_text, text, sizeof(panic_text) - 1);
    longjmp(after_panic, 1);
}

void assert_panics(void (*misuse)(void), const char *words)
{
    panic_text[0] = '\0';
    sim_set_failure_handler(note_panic);
    if (setjmp(after_panic) == 0)
        misuse();
    sim_set_failure_handler(fail_test);
    if (strstr(panic_text, words) == NULL)
        fail_msg("\"%s\" isn't in: %s", words, panic_text);
    OK(sim_start(NULL));
    program = sim_new_aspace();
}

void take_picture(struct picture *picture, aspace_id aid)
{
    memset(picture, 0, sizeof(*picture));
    picture->aid = aid;
    addr_t cookie = 0;
    while (picture->count < 128 &&
           vm_get_next_region_info(aid, &cookie, &picture->region[picture->count]) == VM_OK)
        picture->count++;
    vm_info info = figures();
    picture->committed = info.committed;
    picture->regions = info.regions;
    picture->caches = info.caches;
    picture->aspaces = info.aspaces;
}

static void assert_same_region(const vm_region_info *a, const vm_region_info *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->lock, b->lock);
    assert_int_equal(a->wiring, b->wiring);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->mapping, b->mapping);
    assert_int_equal(a->inherit, b->inherit);
    assert_int_equal(a->cache_offset, b->cache_offset);
    assert_ptr_equal(a->vnode, b->vnode);
    assert_int_equal(a->resident_pages, b->resident_pages);
    assert_int_equal(a->chain_depth, b->chain_depth);
}

void assert_unchanged(const struct picture *before)
{
    struct picture now;
    take_picture(&now, before->aid);
    assert_int_equal(now.count, before->count);
    for (size_t i = 0; i < now.count; i++)
        assert_same_region(&before->region[i], &now.region[i]);
    assert_int_equal(now.committed, before->committed);
    assert_int_equal(now.regions, before->regions);
    assert_int_equal(now.caches, before->caches);
    assert_int_equal(now.aspaces, before->aspaces);
}

region_id new_region(addr_t *address, size_t pages)
{
    void *at = NULL;
    region_id id = vm_create_anonymous_region(program, "pages", &at, REGION_ADDR_ANY_ADDRESS,
                                              PAGES(pages), REGION_WIRING_LAZY, LOCK_RW);
    assert_true(id > 0);
    *address = (addr_t)at;
    return id;
}

addr_t new_pages(size_t pages)
{
    addr_t address;
    new_region(&address, pages);
    return address;
}

region_id region_at(addr_t base, size_t pages, unsigned lock)
{
    void *at = PTR(base);
    region_id id = vm_create_anonymous_region(program, "fixed", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(pages), REGION_WIRING_LAZY, lock);
    assert_true(id > 0);
    assert_ptr_equal(at, PTR(base));
    return id;
}

region_id map_pages(addr_t *address, sim_file *file, size_t pages, unsigned lock, int mapping,
                    size_t first_page)
{
    void *at = NULL;
    region_id id = vm_map_vnode(program, "file", &at, REGION_ADDR_ANY_ADDRESS, PAGES(pages), lock,
                                mapping, file, (off_t)PAGES(first_page));
    assert_true(id > 0);
    *address = (addr_t)at;
    return id;
}

region_id find_region(addr_t address)
{
    vm_region_info info;
    addr_t cookie = address;
    if (vm_get_next_region_info(program, &cookie, &info) != VM_OK || info.base > address)
        return 0;
    return info.id;
}

vm_region_info region_info(region_id id)
{
    vm_region_info info;
    memset(&info, 0, sizeof(info));
    assert_int_equal(vm_get_region_info(id, &info), VM_OK);
    return info;
}

size_t count_regions(aspace_id aid)
{
    vm_region_info info;
    addr_t cookie = 0;
    size_t count = 0;
    while (vm_get_next_region_info(aid, &cookie, &info) == VM_OK)
        count++;
    return count;
}

vm_info figures(void)
{
    vm_info info;
    vm_get_info(&info);
    return info;
}

void number_pages(addr_t address, size_t pages, unsigned first)
{
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(sim_write_byte(address + PAGES(i), (uint8_t)(first + i)), VM_OK);
}

void assert_numbered(addr_t address, size_t pages, unsigned first)
{
    for (size_t i = 0; i < pages; i++)
        assert_byte(address + PAGES(i), (uint8_t)(first + i));
}

void assert_byte(addr_t address, int expected)
{
    assert_int_equal(sim_read_byte(address), expected);
}

struct seeds seeds_or(unsigned long first, unsigned long count)
{
    struct seeds seeds = {first, count};
    const char *chosen = getenv("QUIRE_SEEDS");
    if (chosen != NULL)
        assert_int_equal(sscanf(chosen, "%lu,%lu", &seeds.first, &seeds.count), 2);
    return seeds;
}

aspace_id fork_program(void)
{
    aspace_id child = vm_copy_aspace(program, "child");
    assert_true(child > 0);
    sim_set_aspace(child);
    return child;
}

int fork_once(void *unused)
{
    (void)unused;
    return (int)vm_copy_aspace(program, "child");
}

int fork_often(void *times)
{
    for (uintptr_t i = 0; i < (uintptr_t)times; i++) {
        aspace_id child = vm_copy_aspace(program, "child");
        if (child < 0)
            return (int)child;
        int error = vm_delete_aspace(child);
        if (error != VM_OK)
            return error;
    }
    return VM_OK;
}

int look_at_region(void *id)
{
    vm_region_info info;
    return vm_get_region_info((region_id)(uintptr_t)id, &info);
}
