/* SPDX-License-Identifier: MIT */
/* What the debugger prints, word for word, beside what the structures hold. */
#include "support.h"

#include <stdio.h>

#include "aspace.h"
#include "cache.h"
#include "system.h"

static char expected[8192];
static size_t used;

static void expect(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void expect(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    used += (size_t)vsnprintf(expected + used, sizeof(expected) - used, format, arguments);
    va_end(arguments);
    assert_true(used < sizeof(expected));
}

/* The command prints what has been expected since the last one. */
static void says(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void says(const char *format, ...)
{
    char line[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    sim_log_clear();
    OK(vm_debugger_command(line));
    used = 0;
    assert_string_equal(sim_log_text(), expected);
}

static vm_region *get(region_id id)
{
    vm_region *region = vm_get_region_by_id(id);
    assert_non_null(region);
    vm_put_region(region);
    return region;
}

static vm_address_space *space(aspace_id aid)
{
    vm_address_space *aspace = vm_get_aspace_by_id(aid);
    assert_non_null(aspace);
    vm_put_aspace(aspace);
    return aspace;
}

/* ---- regions and spaces ---- */

static void expect_region(const vm_region *region, const char *space_name, const char *rights)
{
    expect("region 0x%lx \"%s\" %p\n", (long)region->id, region->name, (const void *)region);
    expect("  space %s, 0x%016lx to 0x%016lx, size 0x%lx\n", space_name,
           (unsigned long)region->base, (unsigned long)region->base + region->size - 1,
           (unsigned long)region->size);
    expect("  %s\n", rights);
    expect("  cache_ref %p, cache %p, offset 0x%lx, %u references\n", (void *)region->cache_ref,
           (void *)region->cache_ref->cache, (unsigned long)region->cache_offset,
           region->ref_count);
}

static void region_says(region_id id, const char *rights)
{
    expect_region(get(id), "program", rights);
    says("region %ld", (long)id);
}

static void test_dump_region_word_for_word(void)
{
    addr_t a, b;
    void *stack = NULL, *null = NULL;
    sim_file *file = sim_file_create_numbered("/f", 1);
    region_says(region_at(SPOT, 1, LOCK_RW), "rw-, lazy, private");
    region_says(region_at(SPOT + PAGES(2), 1, LOCK_EXECUTE), "r-x, lazy, private");
    region_says(region_at(SPOT + PAGES(4), 1, LOCK_NO_READ), "---, lazy, private");
    region_says(region_at(SPOT + PAGES(6), 1, LOCK_RW | LOCK_KERNEL), "rw-, kernel, lazy, private");
    region_says(region_at(SPOT + PAGES(8), 1, LOCK_RW | REGION_SHARED), "rw-, lazy, shared");
    region_says(map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0), "r--, lazy, shared");
    region_says(map_pages(&b, file, 1, LOCK_RW, REGION_PRIVATE_MAP, 0), "rw-, lazy, private");
    region_says(vm_create_anonymous_region(program, "stack", &stack, REGION_ADDR_TOP, PAGE,
                                           REGION_WIRING_WIRED, LOCK_RW | REGION_GROWS_DOWN),
                "rw-, grows down, wired, private");
    region_says(vm_create_null_region(program, "null", &null, 0, PAGE), "---, lazy, shared");
}

static void test_dump_region_of_the_kernel(void)
{
    void *at = NULL;
    aspace_id kernel = vm_get_kernel_aspace_id();
    region_id id = vm_create_anonymous_region(kernel, "run", &at, 0, PAGES(2),
                                              REGION_WIRING_WIRED_CONTIG, LOCK_RW | LOCK_KERNEL);
    expect_region(get(id), "kernel", "rw-, kernel, contiguous, private");
    says("region run");
    region_id boot = vm_find_region_by_name(kernel, "boot image");
    expect_region(get(boot), "kernel",
                  get(boot)->lock & LOCK_EXECUTE ? "rwx, kernel, wired already, private"
                                                 : "rw-, kernel, wired already, private");
    says("region 0x%lX", (long)boot);
    OK(vm_delete_region(kernel, id));
}

static void test_dump_region_that_is_deleted(void)
{
    addr_t a;
    region_id id = new_region(&a, 1);
    vm_region *region = vm_get_region_by_id(id);
    vm_region *twin = get(new_region(&a, 2));
    OK(vm_delete_region(program, id));
    expect_region(twin, "program", "rw-, lazy, private");
    says("region pages");
    expect("region: there is no region %ld\n", (long)id);
    says("region %ld", (long)id);
    vm_put_region(region);
}

static void test_dump_region_usage(void)
{
    expect("usage: region ID or NAME\n");
    says("region");
    expect("usage: region ID or NAME\n");
    says("region a b");
    expect("region: there is no region none\n");
    says("region none");
    expect("usage: aspace ID or NAME\n");
    says("aspace");
    expect("aspace: there is no address space 0x\n");
    says("aspace 0x");
    expect("aspace: there is no address space 18446744073709551616\n");
    says("aspace 18446744073709551616");
}

static void expect_region_lines(bool with_space)
{
    uint64_t key = 0;
    const vm_region *region;
    for (; (region = radix_next(&vm_system.region_table, &key)) != NULL; key++)
        if (with_space)
            expect("0x%06lx %8ld 0x%016lx 0x%-12lx 0x%-2x %s\n", (long)region->id,
                   (long)region->aspace->id, (unsigned long)region->base,
                   (unsigned long)region->size, region->lock, region->name);
        else if (region->aspace->id == program)
            expect("  0x%06lx 0x%016lx 0x%-12lx %s\n", (long)region->id,
                   (unsigned long)region->base, (unsigned long)region->size, region->name);
}

static void test_dump_region_list_word_for_word(void)
{
    region_at(SPOT, 300, LOCK_RW);
    region_at(SPOT + PAGES(400), 2, LOCK_NO_READ);
    expect("%8s %8s %-18s %-14s %-4s %s\n", "id", "space", "base", "size", "lock", "name");
    expect_region_lines(true);
    says("regions");
}

static void test_dump_aspace_word_for_word(void)
{
    region_at(SPOT, 3, LOCK_RW);
    region_at(SPOT + PAGES(5), 1, LOCK_RW);
    number_pages(SPOT, 2, 1);
    const vm_address_space *aspace = space(program);
    expect("space 0x%lx \"%s\" %p: %u references, normal\n", (long)program, aspace->name,
           (const void *)aspace, aspace->ref_count);
    expect("  0x%016lx to 0x%016lx, 2 regions, changed %lu times\n", (unsigned long)SIM_USER_BASE,
           (unsigned long)SIM_USER_END - 1, (unsigned long)aspace->virtual_map.change_count);
    expect("  root table 0x%lx, 2 pages mapped, 4 tables, CPUs 0x1\n",
           (unsigned long)aspace->translation_map.root);
    expect_region_lines(false);
    says("aspace %ld", (long)program);
}

static void expect_aspace_line(const char *name, unsigned long base, unsigned long size,
                               unsigned regions, unsigned mapped)
{
    aspace_id id = 0;
    uint64_t key = 0;
    const vm_address_space *aspace;
    for (; (aspace = radix_next(&vm_system.aspace_table, &key)) != NULL; key++)
        if (strcmp(aspace->name, name) == 0)
            id = aspace->id;
    expect("0x%06lx 0x%016lx 0x%-16lx %8u %8u %s\n", (long)id, base, size, regions, mapped, name);
}

static void test_dump_aspace_list_word_for_word(void)
{
    vm_address_space *kernel = space(vm_get_kernel_aspace_id());
    aspace_id other = vm_create_aspace("other", SIM_USER_BASE, PAGES(10), false);
    region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 2, 1);
    expect("%8s %-18s %-18s %8s %8s %s\n", "id", "base", "size", "regions", "mapped", "name");
    expect_aspace_line("kernel", SIM_KERNEL_BASE, SIM_KERNEL_SIZE,
                       (unsigned)kernel->virtual_map.count,
                       (unsigned)kernel->translation_map.mapped);
    expect_aspace_line(space(program)->name, SIM_USER_BASE, SIM_USER_END - SIM_USER_BASE, 1, 2);
    expect_aspace_line("other", SIM_USER_BASE, PAGES(10), 0, 0);
    says("aspaces");
    OK(vm_delete_aspace(other));
}

/* ---- caches ---- */

static void test_dump_cache_ref_word_for_word(void)
{
    region_id id = region_at(SPOT, 3, LOCK_RW);
    const vm_region *region = get(id);
    number_pages(SPOT, 1, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    const vm_cache_ref *top = region->cache_ref, *source = top->cache->source;
    expect("cache_ref %p: 1 references, cache %p, not locked\n", (const void *)top,
           (void *)top->cache);
    expect("  region 0x%lx: 0x%016lx, size 0x3000\n", (long)id, (unsigned long)SPOT);
    says("cache_ref %p", (const void *)top);
    expect("cache_ref %p: 2 references, cache %p, not locked\n", (const void *)source,
           (void *)source->cache);
    list_for_each(link, &source->consumers)
        expect("  is the source of cache %p\n", (void *)list_member(link, vm_cache, consumer_link));
    says("cache_ref %p", (const void *)source);
    OK(vm_delete_aspace(child));
}

static void expect_cache(const vm_cache *cache, const char *kind, unsigned pages,
                         unsigned long virtual_size, unsigned long committed)
{
    expect("cache %p: reference %p, source 0x%lx, store %p, %s\n", (const void *)cache,
           (void *)cache->ref, (unsigned long)cache->source, (void *)cache->store, kind);
    expect("  %u pages (0 busy), virtual size 0x%lx, committed 0x%lx\n", pages, virtual_size,
           committed);
}

static void expect_page(const vm_cache *cache, unsigned long offset, const char *flags,
                        unsigned mapped)
{
    const struct vm_page *page = vm_cache_lookup_page(cache->ref, (off_t)offset);
    expect("  offset 0x%lx: page 0x%x, INACTIVE%s, mapped %u times, wired 0\n", offset,
           page->number, flags, mapped);
}

static void test_dump_cache_word_for_word(void)
{
    const vm_region *region = get(region_at(SPOT, 3, LOCK_RW));
    number_pages(SPOT, 2, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(sim_write_byte(SPOT + PAGE, 5));
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
    const vm_cache *cache = region->cache_ref->cache;
    expect_cache(cache, "temporary", 2, PAGES(3), PAGES(3));
    expect_page(cache, 0, vm_cache_lookup_page(cache->ref, 0)->modified ? ", modified" : "", 1);
    expect_page(cache, PAGE, ", modified", 1);
    says("cache %p", (const void *)cache);
}

static void test_dump_cache_of_a_file(void)
{
    addr_t a;
    sim_file *file = sim_file_create_numbered("/f", 1);
    const vm_region *region = get(map_pages(&a, file, 1, LOCK_RO, REGION_NO_PRIVATE_MAP, 0));
    assert_byte(a, 1);
    const vm_cache *cache = region->cache_ref->cache;
    expect_cache(cache, "permanent, a file's", 1, INT64_MAX, 0);
    expect_page(cache, 0, "", 1);
    says("cache %p", (const void *)cache);
}

static void test_dump_cache_that_hides(void)
{
    const vm_region *region = get(region_at(SPOT, 2, LOCK_RW));
    number_pages(SPOT, 1, 1);
    aspace_id child = fork_program();
    sim_set_aspace(program);
    OK(vm_discard_range(program, SPOT, PAGE));
    const vm_cache *cache = region->cache_ref->cache;
    expect_cache(cache, "temporary", 0, PAGES(2), PAGES(2));
    expect("  offset 0x0: hides what is below\n");
    says("cache %p", (const void *)cache);
    OK(sim_delete_aspace(child));
    sim_set_aspace(program);
}

static void test_dump_cache_errors(void)
{
    const vm_region *region = get(region_at(SPOT, 1, LOCK_RW));
    const void *ref = region->cache_ref, *cache = region->cache_ref->cache;
    expect("usage: cache ADDRESS\n");
    says("cache");
    expect("usage: cache_ref ADDRESS\n");
    says("cache_ref 1 2");
    expect("usage: cache ADDRESS\n");
    says("cache 0xg");
    expect("cache: 0x8 is no address of the core's memory\n");
    says("cache 8");
    expect("cache: %p is no cache\n", ref);
    says("cache %p", ref);
    expect("cache_ref: %p is no cache reference\n", cache);
    says("cache_ref %p", cache);
    expect("cache_ref: 0x%lx is no address of the core's memory\n", (addr_t)ref + 4);
    says("cache_ref 0x%lx", (addr_t)ref + 4);
}

/* ---- memory ---- */

static void test_display_mem_word_for_word(void)
{
    region_at(SPOT, 2, LOCK_RW);
    for (unsigned i = 0; i < 64; i++)
        OK(sim_write_byte(SPOT + i, (uint8_t)(i * 3)));
    expect("0x0000000010000000  00 03 06 09 0c 0f 12 15 18 1b 1e 21 24 27 2a 2d\n"
           "0x0000000010000010  30 33\n");
    says("db 0x10000000 18");
    expect("0x0000000010000000  0300 0906 0f0c 1512 1b18 211e 2724 2d2a\n"
           "0x0000000010000010  3330\n");
    says("ds 0x10000000 9");
    expect("0x0000000010000004  15120f0c 211e1b18 2d2a2724 39363330\n"
           "0x0000000010000014  45423f3c\n");
    says("dw 0x10000004 5");
    expect("0x0000000010000008  2d2a2724211e1b18 45423f3c39363330\n"
           "0x0000000010000018  5d5a5754514e4b48\n");
    says("dl 268435464 0x3");
    expect("0x0000000010000001  03\n");
    says("  db   0x10000001  ");
    expect("\n");
    says("db 0x10000000 0");
}

static void test_display_mem_errors(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_fill(SPOT, 0x11, PAGE));
    expect("usage: db ADDRESS [COUNT, at most 4096]\n");
    says("db");
    expect("usage: dl ADDRESS [COUNT, at most 4096]\n");
    says("dl x");
    expect("usage: db ADDRESS [COUNT, at most 4096]\n");
    says("db 0x");
    expect("usage: db ADDRESS [COUNT, at most 4096]\n");
    says("db 0x1 18446744073709551616");
    expect("usage: dw ADDRESS [COUNT, at most 4096]\n");
    says("dw 0 x");
    expect("usage: ds ADDRESS [COUNT, at most 4096]\n");
    says("ds 0 4097");
    expect("dw: 0x10000002 is not a multiple of 4\n");
    says("dw 0x10000002");
    expect("ds: 0x10000001 is not a multiple of 2\n");
    says("ds 0x10000001");
    expect("0x0000000010000ff8  1111111111111111\n0x10001000: nothing is mapped there\n");
    says("dl 0x10000fF8 2");
    expect("\n0x10001000: nothing is mapped there\n");
    says("dl 0x10001000");
    expect("\n0xfffffffffffffff8: nothing is mapped there\n");
    says("dl 18446744073709551608");
    expect("\n0x0: nothing is mapped there\n");
    says("db 0 4096");
}

/* ---- figures, and lines ---- */

static void test_dump_page_stats_word_for_word(void)
{
    region_at(SPOT, 1, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    expect("%-20s %10s\n", "state", "pages");
    for (int state = 0; state < VM_PAGE_STATES; state++)
        expect("%-20s %10zu\n", page_state_to_text(state), vm_system.pages.count[state]);
    expect("%-20s %10u\n%-20s %10zu\n%-20s %10zu\n", "busy", 0, "page tables",
           figures().table_pages, "all", figures().physical_pages);
    says("page_stats");
    expect("%zu free and %zu clear of %zu pages\n", figures().free_pages, figures().clear_pages,
           figures().physical_pages);
    says("free_pages");
    expect("committed %ld KiB of at most %ld KiB\n", (long)figures().committed / 1024,
           (long)figures().max_commit / 1024);
    says("commit");
    expect("0 contradictions\n");
    says("check");
    assert_string_equal(page_state_to_text(VM_PAGE_WIRED), "WIRED");
    assert_string_equal(page_state_to_text(VM_PAGE_STATES), "unknown");
    assert_string_equal(page_state_to_text(-1), "unknown");
}

/* A command's line has 127 bytes: what is behind them is not seen. */
static void test_vm_debugger_command_length(void)
{
    char line[140];
    memset(line, ' ', sizeof(line));
    memcpy(line + 121, "commit", 7);
    OK(vm_debugger_command(line));
    memset(line, ' ', sizeof(line));
    memcpy(line + 122, "commit", 7);
    assert_int_equal(vm_debugger_command(line), ERR_NOT_FOUND);
    assert_int_equal(vm_debugger_command(NULL), ERR_INVALID_ARGS);
    assert_int_equal(vm_debugger_command(""), ERR_NOT_FOUND);
    assert_int_equal(vm_debugger_command("  "), ERR_NOT_FOUND);
}

UNIT_MAIN("the debugger's words", TEST(test_dump_region_word_for_word),
          TEST(test_dump_region_of_the_kernel), TEST(test_dump_region_that_is_deleted),
          TEST(test_dump_region_usage), TEST(test_dump_region_list_word_for_word),
          TEST(test_dump_aspace_word_for_word), TEST(test_dump_aspace_list_word_for_word),
          TEST(test_dump_cache_ref_word_for_word), TEST(test_dump_cache_word_for_word),
          TEST(test_dump_cache_of_a_file), TEST(test_dump_cache_that_hides),
          TEST(test_dump_cache_errors), TEST(test_display_mem_word_for_word),
          TEST(test_display_mem_errors), TEST(test_dump_page_stats_word_for_word),
          TEST(test_vm_debugger_command_length))
