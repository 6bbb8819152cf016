/* SPDX-License-Identifier: MIT */
/* The debugger's commands on reclaim: what they print, beside what the structures hold. */
#include "support.h"

#include <stdio.h>

#include "cache.h"
#include "system.h"

static const char *say(const char *line)
{
    sim_log_clear();
    OK(vm_debugger_command(line));
    return sim_log_text();
}

static void assert_said(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void assert_said(const char *format, ...)
{
    char words[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    if (strstr(sim_log_text(), words) == NULL)
        fail_msg("\"%s\" is not in:\n%s", words, sim_log_text());
}

static unsigned count_said(const char *words)
{
    unsigned count = 0;
    for (const char *at = sim_log_text(); (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static struct vm_page *page_behind(addr_t address)
{
    addr_t physical;
    OK(vm_get_page_mapping(program, address, &physical));
    struct vm_page *page = vm_page_at(physical);
    assert_non_null(page);
    return page;
}

static void collect(void)
{
    vm_system.reclaim.gone = SIZE_MAX / 2;
    reclaim_collect();
}

/* ---- reclaim ---- */

static void test_debug_reclaim_word_for_word(void)
{
    const struct vm_page_pool *pool = &vm_system.pages;
    region_at(SPOT, 8, LOCK_RW);
    number_pages(SPOT, 8, 1);
    assert_true(vm_reclaim(4) >= 4);
    say("reclaim");
    assert_said("policy car (Bansal and Modha, FAST 2004), target %zu\n", pool->target);
    assert_said("  inactive %zu pages, %u ghosts; active %zu pages, 0 ghosts\n",
                pool->count[VM_PAGE_INACTIVE], pool->ghosts.count[VM_GHOST_RECENT],
                pool->count[VM_PAGE_ACTIVE]);
    assert_true(pool->ghosts.count[VM_GHOST_RECENT] >= 4);
    assert_said("  accessed bits collected %lu times, %zu pages have gone since\n",
                (unsigned long)figures().collections, vm_system.reclaim.gone);
    assert_said("free %zu frames; %zu are kept for tables, %zu of these for pageout\n",
                figures().free_pages + figures().clear_pages, pool->reserve.user,
                pool->reserve.system);
    assert_said("  daemons work from %zu to %zu: 0 run, 0 asleep\n", pool->reserve.low,
                pool->reserve.high);
    assert_said("  0 threads wait for frames; none was there 0 times\nmemory is normal\n");
    assert_said("gone %lu pages, 0 without a write, 0 forgotten; 0 came back soon, %lu stayed\n",
                (unsigned long)figures().evictions, (unsigned long)figures().kept);
    assert_said("modified 0 pages of files, 0 busy pages, 0 write errors\n");
}

static void test_debug_reclaim_of_levels(void)
{
    static addr_t frames[256];
    size_t count = 0;
    for (; vm_allocate_frames(1, false, &frames[count]) == VM_OK; count++)
        ;
    (void)vm_reclaim(1);
    say("reclaim");
    assert_said("memory is critical\n");
    for (unsigned i = 0; i < 3; i++)
        vm_free_frames(frames[--count], 1);
    (void)vm_reclaim(0);
    say("reclaim");
    assert_said("memory is low\n");
    while (count > 0)
        vm_free_frames(frames[--count], 1);
    (void)vm_reclaim(0);
    say("reclaim");
    assert_said("memory is normal\n");
}

static void test_debug_reclaim_of_daemons(void)
{
    (void)sim_run_until_blocked();
    say("reclaim");
    assert_said(": 2 run, 2 asleep\n");
}

/* ---- page, queue ---- */

static void test_debug_page_word_for_word(void)
{
    char line[64];
    addr_t a;
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 3, 1);
    const struct vm_page *page = page_behind(SPOT + PAGE);
    snprintf(line, sizeof(line), "page %u", page->number);
    say(line);
    assert_said("page 0x%x: INACTIVE, modified, mapped 1 times, wired 0\n  cache %p, offset 0x%lx, "
                "slot 0x0\n",
                page->number, (void *)page->cache, (unsigned long)page->offset * PAGE);
    OK(vm_advise_range(program, SPOT, PAGES(3), VM_ADVICE_FREE));
    say(line);
    assert_said(", discardable, mapped 1");
    for (unsigned i = 0; i < 3; i++)
        collect();
    OK(vm_protect_range(program, SPOT, PAGES(3), LOCK_RO));
    assert_byte(SPOT + PAGE, 2);
    OK(vm_protect_range(program, SPOT, PAGES(3), LOCK_RW));
    OK(sim_write_byte(SPOT + PAGE, 3));
    collect();
    say(line);
    assert_said(", referenced");
    OK(vm_wire_range(program, SPOT, PAGES(3)));
    say(line);
    assert_said("WIRED");
    assert_said("wired 1\n");
    sim_file *file = sim_file_create_numbered("/f", 1);
    map_pages(&a, file, 1, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a, 9));
    OK(vm_protect_range(program, a, PAGE, LOCK_RO));
    snprintf(line, sizeof(line), "page 0x%x", page_behind(a)->number);
    say(line);
    assert_said(", a file's, modified");
}

static int page_out(void *unused)
{
    (void)unused;
    return vm_advise_range(program, SPOT, PAGE, VM_ADVICE_PAGEOUT);
}

static void test_debug_page_that_is_busy(void)
{
    char line[64];
    region_at(SPOT, 1, LOCK_RW);
    number_pages(SPOT, 1, 1);
    snprintf(line, sizeof(line), "page %u", page_behind(SPOT)->number);
    sim_swap_block(sim_boot_swap(), true);
    sim_spawn("writer", page_out, NULL);
    assert_int_equal(sim_run_until_blocked(), 1);
    say(line);
    assert_said(", busy");
    sim_swap_block(sim_boot_swap(), false);
    sim_run();
}

static void test_debug_page_refuses(void)
{
    static const char *const usage[] = {"page", "page 1 2", "page x"};
    for (unsigned i = 0; i < 3; i++) {
        say(usage[i]);
        assert_said("usage: page NUMBER\n");
    }
    say("page 0xffffffff");
    assert_said("page: there is no frame 0xffffffff\n");
    say("page 0x100000001");
    assert_said("page: there is no frame 0x100000001\n");
}

static void test_debug_queue_begins_with_the_oldest(void)
{
    char words[40];
    region_at(SPOT, 20, LOCK_RW);
    number_pages(SPOT, 20, 1);
    size_t there = vm_system.pages.count[VM_PAGE_INACTIVE];
    assert_true(there >= 20);
    say("queue inactive");
    assert_said("inactive: %zu pages\n", there);
    assert_int_equal(count_said("page 0x"), 16);
    say("queue inactive 1000");
    assert_int_equal(count_said("page 0x"), there);
    snprintf(words, sizeof(words), "page 0x%x: ", page_behind(SPOT)->number);
    const char *first = strstr(sim_log_text(), words);
    snprintf(words, sizeof(words), "page 0x%x: ", page_behind(SPOT + PAGES(19))->number);
    assert_true(first != NULL && first < strstr(sim_log_text(), words));
    say("queue inactive 2");
    assert_int_equal(count_said("page 0x"), 2);
    say("queue active");
    assert_said("active: %zu pages\n", vm_system.pages.count[VM_PAGE_ACTIVE]);
}

static void test_debug_queue_refuses(void)
{
    static const char *const usage[] = {"queue", "queue free", "queue active x", "queue inactive x",
                                        "queue active 1 2"};
    for (unsigned i = 0; i < 5; i++) {
        say(usage[i]);
        assert_said("usage: queue active or inactive [COUNT]\n");
    }
}

/* ---- swap, slot ---- */

static void test_debug_swap_word_for_word(void)
{
    sim_swap *more = sim_swap_create(8);
    OK(vm_swap_add(sim_swap_store(more), 8, "more"));
    region_at(SPOT, 16, LOCK_RW);
    number_pages(SPOT, 16, 1);
    OK(vm_advise_range(program, SPOT, PAGES(16), VM_ADVICE_PAGEOUT));
    assert_byte(SPOT, 1);
    sim_swap_fail_reads(more, 1, 1);
    assert_int_equal(sim_read_byte(SPOT + PAGES(15)), ERR_IO);
    say("swap");
    vm_swap_info first, second;
    OK(vm_get_swap_info(0, &first));
    OK(vm_get_swap_info(1, &second));
    assert_said("%zu of 20 slots are free\n", figures().free_swap_slots);
    assert_said("  %s: slots 0x1 to 0xc, %zu used; %lu pages written, %lu read, 0 errors\n",
                first.name, first.used_slots, (unsigned long)first.pages_written,
                (unsigned long)first.pages_read);
    assert_said(
        "  more: slots 0x20000001 to 0x20000008, %zu used; 4 pages written, 0 read, 1 errors\n",
        second.used_slots);
}

static void test_debug_swap_without_any(void)
{
    say("swap");
    assert_string_equal(sim_log_text(), "0 of 0 slots are free\n");
    say("slot 1");
    assert_string_equal(sim_log_text(), "slot: there is no slot 1\n");
}

static void test_debug_slot_says_who_knows_it(void)
{
    region_id id = region_at(SPOT, 2, LOCK_RW);
    vm_region *region = vm_get_region_by_id(id);
    number_pages(SPOT, 2, 1);
    for (unsigned i = 0; i < 3; i++)
        collect();
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_PAGEOUT));
    say("slot 1");
    assert_said("slot 0x1 of %s is used\n", vm_system.swap.area[0].name);
    assert_said("  region 0x%lx sees it, offset 0x%lx of cache %p\n", (long)id,
                (unsigned long)region->cache_offset, (void *)region->cache_ref->cache);
    assert_int_equal(count_said("sees it"), 1);
    assert_byte(SPOT, 1);
    say("slot 1");
    assert_said(", in a frame too\n");
    aspace_id child = vm_copy_aspace(program, "child");
    say("slot 1");
    assert_int_equal(count_said("sees it"), 2);
    OK(sim_delete_aspace(child));
    say("slot 12");
    assert_said("slot 0xc of %s is free\n", vm_system.swap.area[0].name);
    assert_int_equal(count_said("sees it"), 0);
    vm_put_region(region);
}

static void test_debug_cache_of_pages_in_swap(void)
{
    char line[64];
    vm_region *region = vm_get_region_by_id(region_at(SPOT, 2, LOCK_RW));
    number_pages(SPOT, 2, 1);
    OK(vm_advise_range(program, SPOT, PAGES(2), VM_ADVICE_PAGEOUT));
    snprintf(line, sizeof(line), "cache %p", (void *)region->cache_ref->cache);
    say(line);
    assert_said("  offset 0x%lx: in swap, slot 0x1\n", (unsigned long)region->cache_offset);
    assert_int_equal(count_said("in swap"), 2);
    vm_put_region(region);
}

static void test_debug_slot_refuses(void)
{
    static const char *const usage[] = {"slot", "slot 1 2", "slot x"};
    static const char *const none[] = {"0", "13", "0x20000000", "0x20000001", "0x100000001"};
    for (unsigned i = 0; i < 3; i++) {
        say(usage[i]);
        assert_said("usage: slot NUMBER\n");
    }
    for (unsigned i = 0; i < 5; i++) {
        char line[64];
        snprintf(line, sizeof(line), "slot %s", none[i]);
        say(line);
        assert_said("slot: there is no slot %s\n", none[i]);
    }
}

/* ---- files ---- */

static void test_debug_files_word_for_word(void)
{
    addr_t a;
    vm_cache_ref *cache;
    sim_file *file = sim_file_create_numbered("/f", 4);
    say("files");
    assert_said("0 caches of files\n");
    map_pages(&a, file, 4, LOCK_RW, REGION_NO_PRIVATE_MAP, 0);
    OK(sim_write_byte(a + PAGE, 9));
    OK(vm_get_vnode_cache(file, &cache));
    sim_file_fail_writes(file, 1, 1000, ERR_IO);
    (void)vm_reclaim(4);
    sim_file_fail_writes(file, 0, 0, VM_OK);
    say("files");
    assert_said("1 caches of files\n");
    assert_said("  cache_ref %p: %zu pages, 1 modified, %u write errors, the last: %s\n",
                (void *)cache, cache->cache->page_count, cache->write_errors,
                vm_error_text(ERR_IO));
    assert_true(cache->write_errors > 0);
    sim_file *other = sim_file_create_numbered("/g", 1);
    map_pages(&a, other, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0);
    say("files");
    assert_said("2 caches of files\n");
    assert_said(": 0 pages, 0 modified, 0 write errors\n");
    vm_put_cache(cache);
}

static void test_debug_reclaim_is_in_help(void)
{
    static const char *const commands[] = {"reclaim", "queue", "page", "swap", "slot", "files"};
    say("help");
    for (unsigned i = 0; i < 6; i++)
        assert_said("\n%-12s ", commands[i]);
}

#define SWAP .swap = 12

UNIT_MAIN("debug_reclaim", TEST_ON(test_debug_reclaim_word_for_word, SWAP),
          TEST_ON(test_debug_reclaim_of_levels, .memory = (size_t)1 << 20),
          TEST_ON(test_debug_reclaim_of_daemons, .page_daemons = 2),
          TEST(test_debug_page_word_for_word), TEST_ON(test_debug_page_that_is_busy, SWAP),
          TEST(test_debug_page_refuses), TEST(test_debug_queue_begins_with_the_oldest),
          TEST(test_debug_queue_refuses), TEST_ON(test_debug_swap_word_for_word, SWAP),
          TEST(test_debug_swap_without_any), TEST_ON(test_debug_slot_says_who_knows_it, SWAP),
          TEST_ON(test_debug_slot_refuses, SWAP), TEST_ON(test_debug_cache_of_pages_in_swap, SWAP),
          TEST(test_debug_files_word_for_word), TEST(test_debug_reclaim_is_in_help))
