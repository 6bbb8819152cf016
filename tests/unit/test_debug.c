/* SPDX-License-Identifier: MIT */
/* The debugger's commands: what they print, and that nothing typed at them does harm. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "cache.h"
#include "page.h"

static const char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *say(const char *format, ...)
{
    char line[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    sim_log_clear();
    OK(vm_debugger_command(line));
    return sim_log_text();
}

static void assert_says(const char *words)
{
    if (strstr(sim_log_text(), words) == NULL)
        fail_msg("\"%s\" is not in:\n%s", words, sim_log_text());
}

/* The pointer behind the word in what was said last. */
static addr_t pointer_behind(const char *word)
{
    const char *at = strstr(sim_log_text(), word);
    assert_non_null(at);
    return strtoul(at + strlen(word), NULL, 16);
}

/* ---- vm_debugger_command ---- */

static void test_vm_debugger_command_unknown(void)
{
    assert_int_equal(vm_debugger_command("nonsense"), ERR_NOT_FOUND);
    assert_int_equal(vm_debugger_command("regionsx"), ERR_NOT_FOUND);
    assert_int_equal(vm_debugger_command("regio"), ERR_NOT_FOUND);
    assert_true(vm_debugger_command("") == ERR_NOT_FOUND || vm_debugger_command("") == VM_OK);
    assert_true(vm_debugger_command("    ") == ERR_NOT_FOUND ||
                vm_debugger_command("    ") == VM_OK);
}

static void test_vm_debugger_command_help_lists_all(void)
{
    static const char *const commands[] = {
        "regions", "region", "aspaces", "aspace", "cache_ref",  "cache",     "dl",
        "dw",      "ds",     "db",      "help",   "page_stats", "free_pages"};
    say("help");
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        assert_says(commands[i]);
}

static void test_vm_debugger_command_long_lines(void)
{
    static char line[5000];
    memset(line, 'a', sizeof(line) - 1);
    assert_true(vm_debugger_command(line) != VM_OK);
    memset(line, ' ', sizeof(line) - 1);
    memcpy(line + 100, "help", 4);
    (void)vm_debugger_command(line);
    (void)vm_debugger_command("db 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
    SIM_CHECK();
}

static void test_vm_debugger_command_allocates_nothing(void)
{
    static const char *const lines[] = {"regions",    "aspaces",  "help",    "page_stats",
                                        "free_pages", "region 1", "aspace 1"};
    region_at(SPOT, 3, LOCK_RW);
    sim_fail_at(SIM_FAIL_METADATA, 1, true);
    sim_fail_at(SIM_FAIL_FRAME, 1, true);
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        OK(vm_debugger_command(lines[i]));
    assert_int_equal(sim_fail_seen(SIM_FAIL_METADATA), 0);
    assert_int_equal(sim_fail_seen(SIM_FAIL_FRAME), 0);
    sim_fail_at(SIM_FAIL_METADATA, 0, false);
    sim_fail_at(SIM_FAIL_FRAME, 0, false);
}

/* ---- display_mem ---- */

static void test_display_mem_in_its_widths(void)
{
    region_at(SPOT, 2, LOCK_RW);
    const uint64_t value = 0x1122334455667788;
    OK(sim_write(SPOT + 16, &value, 8));
    say("db %#lx 8", (unsigned long)SPOT + 16);
    assert_says("88 77 66 55 44 33 22 11");
    say("ds %#lx 4", (unsigned long)SPOT + 16);
    assert_says("7788 5566 3344 1122");
    say("dw %#lx 2", (unsigned long)SPOT + 16);
    assert_says("55667788 11223344");
    say("dl %#lx", (unsigned long)SPOT + 16);
    assert_says("1122334455667788");
}

static void test_display_mem_of_the_kernel(void)
{
    say("db %#lx 2", (unsigned long)SIM_BOOT_BASE + PAGES(3));
    assert_says("43 43");
}

static void test_display_mem_across_pages(void)
{
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_fill(SPOT + PAGE - 8, 0xab, 8));
    OK(sim_fill(SPOT + PAGE, 0xcd, 8));
    say("db %#lx 16", (unsigned long)(SPOT + PAGE - 8));
    assert_says("ab ab ab ab ab ab ab ab cd cd cd cd cd cd cd cd");
}

static void test_display_mem_where_nothing_is(void)
{
    region_at(SPOT, 2, LOCK_RW);
    OK(sim_write_byte(SPOT, 1));
    uint64_t faults = figures().page_faults;
    say("db %#lx 32", (unsigned long)(SPOT + PAGE - 16));
    assert_says("nothing");
    say("dw 0");
    say("dl 0xffffffffffffffff");
    say("dl 0xfffffffffffffff8 4");
    say("db 0x800000000000");
    assert_int_equal(figures().page_faults, faults);
}

static void test_display_mem_bad_arguments(void)
{
    static const char *const lines[] = {"db",
                                        "dw x",
                                        "dl 12z",
                                        "ds 0x",
                                        "db 1 2 3",
                                        "dw 3",
                                        "db 0 -1",
                                        "db 0 99999999999999999999",
                                        "db 0 0x100000000"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        say("%s", lines[i]);
}

/* ---- regions and address spaces ---- */

static void test_dump_region_by_id_and_name(void)
{
    void *at = PTR(SPOT);
    region_id id = vm_create_anonymous_region(program, "needle", &at, REGION_ADDR_EXACT_ADDRESS,
                                              PAGES(3), REGION_WIRING_LAZY, LOCK_RW);
    say("region 0x%lx", (long)id);
    assert_says("needle");
    assert_says("10000000");
    say("region %ld", (long)id);
    assert_says("needle");
    say("region needle");
    assert_says("10000000");
    say("region 0x7fffffff");
    say("region nobody");
    say("region");
}

static void test_dump_region_list(void)
{
    addr_t a;
    region_at(SPOT, 1, LOCK_RW);
    new_region(&a, 1);
    say("regions");
    assert_says("fixed");
    assert_says("pages");
    assert_says("boot image");
}

static void test_dump_aspace_by_id_and_name(void)
{
    region_at(SPOT, 1, LOCK_RW);
    say("aspace 0x%lx", (long)program);
    assert_says("program");
    assert_says("fixed");
    say("aspace program");
    assert_says("fixed");
    say("aspace 12345");
    say("aspace");
}

static void test_dump_aspace_list(void)
{
    aspace_id other = vm_create_aspace("another", SIM_USER_BASE, PAGES(10), false);
    say("aspaces");
    assert_says("program");
    assert_says("another");
    OK(vm_delete_aspace(other));
}

/* ---- caches ---- */

static void test_dump_cache_ref_and_cache(void)
{
    region_id id = region_at(SPOT, 3, LOCK_RW);
    number_pages(SPOT, 2, 1);
    aspace_id child = vm_copy_aspace(program, "child");
    say("region %ld", (long)id);
    addr_t ref = pointer_behind("cache_ref "), cache = pointer_behind("cache 0x");
    say("cache_ref %#lx", (unsigned long)ref);
    assert_says("0x0000000010000000");
    say("cache %#lx", (unsigned long)cache);
    addr_t source = pointer_behind("source 0x");
    say("cache_ref %#lx", (unsigned long)source);
    assert_says("source");
    cache = pointer_behind("cache 0x");
    say("cache %#lx", (unsigned long)cache);
    assert_says("offset 0x0");
    assert_says("offset 0x1000");
    OK(vm_delete_aspace(child));
}

static void test_dump_cache_bad_addresses(void)
{
    region_id id = region_at(SPOT, 1, LOCK_RW);
    say("region %ld", (long)id);
    addr_t ref = pointer_behind("cache_ref "), cache = pointer_behind("cache 0x");
    say("cache %#lx", (unsigned long)ref);
    say("cache_ref %#lx", (unsigned long)cache);
    say("cache_ref %#lx", (unsigned long)ref + 8);
    say("cache_ref %#lx", (unsigned long)ref + 1);
    static const char *const bad[] = {"",
                                      "0",
                                      "1",
                                      "0x10000000",
                                      "0xffffffffffffffff",
                                      "0xfffffffffffffff8",
                                      "zero",
                                      "0x7ffffffffffff000"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        say("cache %s", bad[i]);
        say("cache_ref %s", bad[i]);
    }
}

static void test_dump_cache_last_bytes_of_memory(void)
{
    addr_t window, size = ((addr_t)16 << 20) - (((addr_t)16 << 20) * 3 / 8);
    OK(vm_get_physical_page(SIM_RAM_HIGH + size - 8, &window, PHYSICAL_PAGE_NO_WAIT));
    say("cache %#lx", (unsigned long)window);
    say("cache_ref %#lx", (unsigned long)window);
    OK(vm_put_physical_page(window));
}

/* ---- figures ---- */

static void test_page_statistics(void)
{
    char words[32];
    vm_info info = figures();
    say("page_stats");
    assert_says("FREE");
    assert_says("ACTIVE");
    assert_says("WIRED");
    snprintf(words, sizeof(words), "%zu", info.free_pages);
    assert_says(words);
    say("free_pages");
    assert_says(words);
}

static void test_page_state_to_text(void)
{
    for (int state = 0; state < VM_PAGE_STATES; state++)
        for (int other = 0; other < state; other++)
            assert_string_not_equal(page_state_to_text(state), page_state_to_text(other));
    assert_string_equal(page_state_to_text(-1), page_state_to_text(VM_PAGE_STATES));
}

UNIT_MAIN("the debugger", TEST(test_vm_debugger_command_unknown),
          TEST(test_vm_debugger_command_help_lists_all), TEST(test_vm_debugger_command_long_lines),
          TEST(test_vm_debugger_command_allocates_nothing), TEST(test_display_mem_in_its_widths),
          TEST(test_display_mem_of_the_kernel), TEST(test_display_mem_across_pages),
          TEST(test_display_mem_where_nothing_is), TEST(test_display_mem_bad_arguments),
          TEST(test_dump_region_by_id_and_name), TEST(test_dump_region_list),
          TEST(test_dump_aspace_by_id_and_name), TEST(test_dump_aspace_list),
          TEST(test_dump_cache_ref_and_cache), TEST(test_dump_cache_bad_addresses),
          TEST(test_dump_cache_last_bytes_of_memory), TEST(test_page_statistics),
          TEST(test_page_state_to_text))
