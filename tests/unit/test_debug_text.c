/* SPDX-License-Identifier: MIT */
/* What the debugger says about each kind of region, cache, page and space. */
#include "support.h"

#include <stdio.h>

#include "aspace.h"
#include "cache.h"

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    sim_log_clear();
    OK(vm_debugger_command(line));
}

static bool said(const char *words)
{
    return strstr(sim_log_text(), words) != NULL;
}

static void assert_says(const char *words)
{
    if (!said(words))
        fail_msg("\"%s\" is not in:\n%s", words, sim_log_text());
}

/* A region of the test's own, without a reference. */
static vm_region *region_of(region_id id)
{
    vm_region *region = vm_get_region_by_id(id);
    assert_non_null(region);
    vm_put_region(region);
    return region;
}

static void says_of(region_id id, const char *words)
{
    say("region %ld", (long)id);
    assert_says(words);
}

/* ---- numbers ---- */

static void test_numbers_in_all_spellings(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    say("region 0X%lX", (unsigned long)id);
    assert_says("region 0x");
    say("db 0X1000000A 1"); /* 0x1000000a */
    assert_says("nothing is mapped");
    OK(sim_write_byte(SPOT + 0xab, 5));
    say("db 0x100000AB 1");
    assert_says(" 05");
    say("db 0x100000AG 1");
    assert_says("usage");
}

static void test_memory_in_rows(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT + 16, 0x77));
    say("db 0x10000000 17");
    assert_says("0x0000000010000000 ");
    assert_says("\n0x0000000010000010  77\n");
}

static void test_memory_that_is_none(void)
{
    void *at = PTR(SPOT);
    assert_true(vm_map_physical_memory(program, "d", &at, REGION_ADDR_EXACT_ADDRESS, PAGE, LOCK_RW,
                                       SIM_DEVICE_LOW) > 0);
    OK(sim_write_byte(SPOT, 1));
    say("db 0x10000000 1"); /* a device isn't read by accident */
    assert_says("nothing is mapped");
    sim_set_aspace(ERR_VM_INVALID_ASPACE);
    say("db 0x10000000 1"); /* nobody's */
    assert_says("nothing is mapped");
    sim_set_aspace(program);
}

/* ---- regions ---- */

static void test_rights(void)
{
    says_of(region_at(SPOT, 1, LOCK_RW), "rw-, lazy, private");
    says_of(region_at(SPOT * 2, 1, LOCK_RO), "r--, lazy, private");
    says_of(region_at(SPOT * 3, 1, LOCK_NO_READ), "---, lazy, private");
    says_of(region_at(SPOT * 4, 1, LOCK_EXECUTE), "r-x, lazy, private");
    says_of(region_at(SPOT * 5, 1, LOCK_RW | REGION_GROWS_DOWN), "rw-, grows down, lazy");
    says_of(vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image"),
            "rw-, kernel, wired already");
}

static void test_sharing(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 1);
    says_of(region_at(SPOT, 1, LOCK_RW | REGION_SHARED), ", shared");
    says_of(map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0), ", shared");
    says_of(map_pages(&at, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0), ", private");
    vm_region *region = region_of(region_at(SPOT * 2, 1, LOCK_RW | REGION_SHARED));
    void *clone = NULL;
    says_of(vm_clone_region(program, "c", &clone, 0, region->id, REGION_PRIVATE_MAP,
                            LOCK_RW | REGION_SHARED),
            ", private");
}

/* A region on its way out is in no space, but still in the table. */
static void test_regions_without_a_space(void)
{
    vm_region *region = region_of(region_at(SPOT, 1, LOCK_RW));
    vm_address_space *aspace = region->aspace;
    region->aspace = NULL;
    say("region %ld", (long)region->id);
    bool deleted = said("space (deleted)");
    say("regions");
    bool listed = said(" 0 0x0000000010000000");
    region->aspace = aspace;
    assert_true(deleted && listed);
}

static void test_spaces_that_end(void)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    vm_put_aspace(aspace);
    say("aspace %ld", (long)program);
    assert_says(", normal");
    aspace->state = VM_ASPACE_DELETION;
    say("aspace %ld", (long)program);
    aspace->state = VM_ASPACE_NORMAL;
    assert_says("being deleted");
}

/* ---- figures ---- */

static void test_promises_and_contradictions(void)
{
    char words[64];
    region_at(SPOT, 3, LOCK_RW);
    say("commit");
    snprintf(words, sizeof(words), "committed 12 KiB of at most %ld KiB",
             (long)figures().max_commit / 1024);
    assert_says(words);
    say("check");
    assert_says("0 contradictions");
    vm_region *region = vm_get_region_by_id(find_region(SPOT));
    region->magic ^= 1;
    say("check");
    assert_says("1 contradictions");
    region->magic ^= 1;
    vm_put_region(region);
}

/* ---- caches ---- */

static void test_cache_references(void)
{
    vm_cache_ref *ref = region_of(region_at(SPOT, 1, LOCK_RW))->cache_ref;
    say("cache_ref 0x%lx", (unsigned long)ref);
    assert_says(", not locked");
    cache_lock(ref);
    say("cache_ref 0x%lx", (unsigned long)ref);
    cache_unlock(ref);
    assert_says(", locked");
}

static void test_kinds_of_caches(void)
{
    addr_t at;
    sim_file *file = sim_file_create_numbered("/f", 1);
    vm_region *mapped = region_of(map_pages(&at, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0));
    assert_byte(at, 1);
    say("cache 0x%lx", (unsigned long)mapped->cache_ref->cache);
    assert_says("permanent, a file's");
    assert_says("ACTIVE, mapped 1 times");
    struct vm_page *page = vm_cache_lookup_page(mapped->cache_ref, 0);
    vm_page_set_busy(page);
    page->modified = 1;
    say("cache 0x%lx", (unsigned long)mapped->cache_ref->cache);
    page->modified = 0;
    vm_page_clear_busy(page);
    assert_says("ACTIVE, busy, modified, mapped");
    say("cache 0x%lx", (unsigned long)region_of(region_at(SPOT, 1, LOCK_RW))->cache_ref->cache);
    assert_says("temporary\n");
}

static void test_what_hides_pages_below(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    number_pages(SPOT, 2, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_discard_range(program, SPOT + PAGE, PAGE));
    say("cache 0x%lx", (unsigned long)region_of(id)->cache_ref->cache);
    assert_says("offset 0x1000: hides what is below");
    assert_byte(SPOT + PAGE, 0);
    OK(sim_delete_aspace(child));
}

UNIT_MAIN("what the debugger says", TEST(test_numbers_in_all_spellings), TEST(test_memory_in_rows),
          TEST(test_memory_that_is_none), TEST(test_rights), TEST(test_sharing),
          TEST(test_regions_without_a_space), TEST(test_spaces_that_end),
          TEST(test_promises_and_contradictions), TEST(test_cache_references),
          TEST(test_kinds_of_caches), TEST(test_what_hides_pages_below))
