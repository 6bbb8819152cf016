/* SPDX-License-Identifier: MIT */
/* The debugger's commands. They take no locks and allocate nothing; addresses that a user types are
 * checked before they are followed. */
#include <quire/host.h>

#include "aspace.h"
#include "cache.h"
#include "debug.h"
#include "print.h"
#include "region.h"
#include "system.h"

#define MAX_ARGUMENTS 4
#define LINE_LENGTH 128

/* ---- parsing ------------------------------------------------------------------------------------ */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool debug_parse_number(const char *text, uint64_t *value)
{
    unsigned base = 10;
    *value = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned d = (unsigned)digit(*text);
        if (d >= base || *value > (UINT64_MAX - d) / base)
            return false;
        *value = *value * base + d;
    }
    return true;
}

bool debug_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* ---- memory ------------------------------------------------------------------------------------- */

/* Where the core can read `address`: through the frame it is mapped to, so that the debugger can't
 * fault. A program's address is the running program's. NULL: nothing is mapped there. */
static const void *readable(addr_t address)
{
    addr_t physical;
    vm_address_space *aspace = vm_system.kernel_aspace;
    if (address - vm_system.user_base < vm_system.user_size)
        aspace = host_current_aspace();
    if (!aspace || tmap_query(&aspace->translation_map, address, &physical) != VM_OK ||
        !vm_page_at(physical))
        return NULL;
    return host_frame_ptr(physical);
}

/* Whether `size` bytes at a window on frames are memory of the core's: its structures are read there. */
static bool is_structure(addr_t address, size_t size)
{
    return !(address & 7) && vm_put_physical_page(address) == VM_OK &&
           vm_put_physical_page(address + (size - 1)) == VM_OK;
}

static uint64_t load(const void *from, unsigned width)
{
    switch (width) {
    case 1:
        return *(const uint8_t *)from;
    case 2:
        return *(const uint16_t *)from;
    case 4:
        return *(const uint32_t *)from;
    default:
        return *(const uint64_t *)from;
    }
}

/* db, ds, dw, dl: bytes, shorts, words of 32 bits, longs of 64. */
static unsigned width_of(const char *command)
{
    switch (command[1]) {
    case 'b':
        return 1;
    case 's':
        return 2;
    case 'w':
        return 4;
    default:
        return 8;
    }
}

static void display_mem(int argc, char **argv)
{
    uint64_t address, count = 1;
    unsigned width = width_of(argv[0]);
    if (argc < 2 || !debug_parse_number(argv[1], &address) ||
        (argc > 2 && !debug_parse_number(argv[2], &count)) || count > VM_PAGE_SIZE) {
        vm_print("usage: %s ADDRESS [COUNT, at most 4096]\n", argv[0]);
        return;
    }
    if (address % width != 0) {
        vm_print("%s: 0x%lx is not a multiple of %u\n", argv[0], (unsigned long)address, width);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        const void *at = readable(address + i * width);
        if (!at) {
            vm_print("\n0x%lx: nothing is mapped there\n", (unsigned long)(address + i * width));
            return;
        }
        if (i % (16 / width) == 0)
            vm_print("%s0x%016lx ", i ? "\n" : "", (unsigned long)(address + i * width));
        if (width == 1)
            vm_print(" %02lx", (unsigned long)load(at, width));
        else if (width == 2)
            vm_print(" %04lx", (unsigned long)load(at, width));
        else if (width == 4)
            vm_print(" %08lx", (unsigned long)load(at, width));
        else
            vm_print(" %016lx", (unsigned long)load(at, width));
    }
    vm_print("\n");
}

/* ---- caches ------------------------------------------------------------------------------------- */

static bool parse_structure(int argc, char **argv, size_t size, uint64_t *address)
{
    if (argc != 2 || !debug_parse_number(argv[1], address)) {
        vm_print("usage: %s ADDRESS\n", argv[0]);
        return false;
    }
    if (!is_structure(*address, size)) {
        vm_print("%s: 0x%lx is no address of the core's memory\n", argv[0],
                 (unsigned long)*address);
        return false;
    }
    return true;
}

static void dump_cache_ref(int argc, char **argv)
{
    uint64_t address;
    if (!parse_structure(argc, argv, sizeof(vm_cache_ref), &address))
        return;
    const vm_cache_ref *ref = (const vm_cache_ref *)address;
    if (ref->magic != VM_CACHE_REF_MAGIC) {
        vm_print("cache_ref: 0x%lx is no cache reference\n", (unsigned long)address);
        return;
    }
    vm_print("cache_ref %p: %u references, cache %p, %s\n", (const void *)ref, ref->ref_count,
             (void *)ref->cache, ref->lock.word ? "locked" : "not locked");
    list_for_each(link, &ref->regions)
    {
        const vm_region *region = list_member(link, vm_region, cache_link);
        vm_print("  region 0x%lx: 0x%016lx, size 0x%lx\n", (long)region->id,
                 (unsigned long)region->base, (unsigned long)region->size);
    }
    list_for_each(link, &ref->consumers) vm_print(
        "  is the source of cache %p\n", (void *)list_member(link, vm_cache, consumer_link));
}

static void dump_pages(const vm_cache *cache)
{
    uint64_t key = 0;
    const struct vm_page *page;
    for (; (page = radix_next(&cache->pages, &key)) != NULL; key++) {
        if (cache_is_skip(page))
            vm_print("  offset 0x%lx: hides what is below\n", (unsigned long)key << VM_PAGE_SHIFT);
        else if (cache_is_swapped(page))
            vm_print("  offset 0x%lx: in swap, slot 0x%x\n", (unsigned long)key << VM_PAGE_SHIFT,
                     cache_slot_of(page));
        else
            vm_print("  offset 0x%lx: page 0x%x, %s%s%s, mapped %u times, wired %u\n",
                     (unsigned long)key << VM_PAGE_SHIFT, page->number,
                     page_state_to_text(page->state), page->busy ? ", busy" : "",
                     page->modified ? ", modified" : "", page->map_count, page->wire_count);
    }
}

static void dump_cache(int argc, char **argv)
{
    uint64_t address;
    if (!parse_structure(argc, argv, sizeof(vm_cache), &address))
        return;
    const vm_cache *cache = (const vm_cache *)address;
    if (cache->magic != VM_CACHE_MAGIC) {
        vm_print("cache: 0x%lx is no cache\n", (unsigned long)address);
        return;
    }
    vm_print("cache %p: reference %p, source %p, store %p, %s%s\n", (const void *)cache,
             (void *)cache->ref, (void *)cache->source, (void *)cache->store,
             cache->ref->temporary ? "temporary" : "permanent",
             cache->ref->is_vnode ? ", a file's" : "");
    vm_print("  %zu pages (%u busy), virtual size 0x%lx, committed 0x%lx\n", cache->page_count,
             cache->busy_count, (unsigned long)cache->virtual_size,
             (unsigned long)cache->store->committed_size);
    dump_pages(cache);
}

/* ---- regions and spaces ------------------------------------------------------------------------- */

static const char *wiring_text(int wiring)
{
    static const char *const texts[] = {"lazy", "wired", "wired already", "contiguous",
                                        "wiring under way"};
    return texts[wiring];
}

/* Whether what is written here stays with the program, as its maps say it. */
static const char *sharing_text(const vm_region *region)
{
    bool own = region->cache_ref->temporary && (region->lock & REGION_SHARED) == 0;
    return own || region->mapping == REGION_PRIVATE_MAP ? "private" : "shared";
}

static void _dump_region(const vm_region *region)
{
    unsigned lock = region->lock;
    vm_print("region 0x%lx \"%s\" %p\n", (long)region->id, region->name, (const void *)region);
    vm_print("  space %s, 0x%016lx to 0x%016lx, size 0x%lx\n",
             region->aspace ? region->aspace->name : "(deleted)", (unsigned long)region->base,
             (unsigned long)region_last(region), (unsigned long)region->size);
    vm_print("  %c%c%c%s%s, %s, %s\n", lock & LOCK_NO_READ ? '-' : 'r', lock & LOCK_RW ? 'w' : '-',
             lock & LOCK_EXECUTE ? 'x' : '-', lock & LOCK_KERNEL ? ", kernel" : "",
             lock & REGION_GROWS_DOWN ? ", grows down" : "", wiring_text(region->wiring),
             sharing_text(region));
    vm_print("  cache_ref %p, cache %p, offset 0x%lx, %u references\n", (void *)region->cache_ref,
             (void *)region->cache_ref->cache, (unsigned long)region->cache_offset,
             region->ref_count);
}

static void dump_region(int argc, char **argv)
{
    uint64_t id, key = 0;
    const vm_region *region;
    bool found = false;
    if (argc != 2) {
        vm_print("usage: region ID or NAME\n");
        return;
    }
    bool by_id = debug_parse_number(argv[1], &id);
    for (; (region = radix_next(&vm_system.region_table, &key)) != NULL; key++)
        if (by_id ? (uint64_t)region->id == id : debug_same(region->name, argv[1])) {
            _dump_region(region);
            found = true;
        }
    if (!found)
        vm_print("region: there is no region %s\n", argv[1]);
}

static void dump_region_list(int argc, char **argv)
{
    uint64_t key = 0;
    const vm_region *region;
    (void)argc, (void)argv;
    vm_print("%8s %8s %-18s %-14s %-4s %s\n", "id", "space", "base", "size", "lock", "name");
    for (; (region = radix_next(&vm_system.region_table, &key)) != NULL; key++)
        vm_print("0x%06lx %8ld 0x%016lx 0x%-12lx 0x%-2x %s\n", (long)region->id,
                 region->aspace ? (long)region->aspace->id : 0, (unsigned long)region->base,
                 (unsigned long)region->size, region->lock, region->name);
}

static void _dump_aspace(const vm_address_space *aspace)
{
    struct map_cursor cursor;
    const struct vm_virtual_map *map = &aspace->virtual_map;
    vm_print("space 0x%lx \"%s\" %p: %u references, %s\n", (long)aspace->id, aspace->name,
             (const void *)aspace, aspace->ref_count,
             aspace->state == VM_ASPACE_NORMAL ? "normal" : "being deleted");
    vm_print("  0x%016lx to 0x%016lx, %zu regions, changed %lu times\n", (unsigned long)map->base,
             (unsigned long)map->last, map->count, (unsigned long)map->change_count);
    vm_print("  root table 0x%lx, %zu pages mapped, %zu tables, CPUs 0x%lx\n",
             (unsigned long)aspace->translation_map.root, aspace->translation_map.mapped,
             aspace->translation_map.tables, (unsigned long)aspace->translation_map.cpus);
    const vm_region *region = map_first(map, 0, &cursor);
    for (; region; region = map_next(&cursor))
        vm_print("  0x%06lx 0x%016lx 0x%-12lx %s\n", (long)region->id, (unsigned long)region->base,
                 (unsigned long)region->size, region->name);
}

static void dump_aspace(int argc, char **argv)
{
    uint64_t id, key = 0;
    const vm_address_space *aspace;
    bool found = false;
    if (argc != 2) {
        vm_print("usage: aspace ID or NAME\n");
        return;
    }
    bool by_id = debug_parse_number(argv[1], &id);
    for (; (aspace = radix_next(&vm_system.aspace_table, &key)) != NULL; key++)
        if (by_id ? (uint64_t)aspace->id == id : debug_same(aspace->name, argv[1])) {
            _dump_aspace(aspace);
            found = true;
        }
    if (!found)
        vm_print("aspace: there is no address space %s\n", argv[1]);
}

static void dump_aspace_list(int argc, char **argv)
{
    uint64_t key = 0;
    const vm_address_space *aspace;
    (void)argc, (void)argv;
    vm_print("%8s %-18s %-18s %8s %8s %s\n", "id", "base", "size", "regions", "mapped", "name");
    for (; (aspace = radix_next(&vm_system.aspace_table, &key)) != NULL; key++)
        vm_print("0x%06lx 0x%016lx 0x%-16lx %8zu %8zu %s\n", (long)aspace->id,
                 (unsigned long)aspace->virtual_map.base,
                 (unsigned long)(aspace->virtual_map.last - aspace->virtual_map.base + 1),
                 aspace->virtual_map.count, aspace->translation_map.mapped, aspace->name);
}

/* ---- figures ------------------------------------------------------------------------------------ */

static void dump_page_stats(int argc, char **argv)
{
    (void)argc, (void)argv;
    vm_print("%-20s %10s\n", "state", "pages");
    for (int state = 0; state < VM_PAGE_STATES; state++)
        vm_print("%-20s %10zu\n", page_state_to_text(state), vm_system.pages.count[state]);
    vm_print("%-20s %10u\n%-20s %10zu\n%-20s %10zu\n", "busy", vm_system.busy_pages, "page tables",
             vm_system.table_pages, "all", vm_system.pages.total);
}

static void dump_free_pages(int argc, char **argv)
{
    (void)argc, (void)argv;
    vm_print("%zu free and %zu clear of %zu pages\n", vm_system.pages.count[VM_PAGE_FREE],
             vm_system.pages.count[VM_PAGE_CLEAR], vm_system.pages.total);
}

static void dump_commitment(int argc, char **argv)
{
    (void)argc, (void)argv;
    vm_print("committed %ld KiB of at most %ld KiB\n", (long)vm_system.commitment.committed / 1024,
             (long)vm_system.commitment.max / 1024);
}

static void run_check(int argc, char **argv)
{
    (void)argc, (void)argv;
    vm_print("%u contradictions\n", vm_check());
}

/* ---- the table ---------------------------------------------------------------------------------- */

static void help(int argc, char **argv);

static const struct {
    const char *name;
    void (*run)(int argc, char **argv);
    const char *text;
} commands[] = {
    {"regions", dump_region_list, "all regions"},
    {"region", dump_region, "a region, by id or name"},
    {"aspaces", dump_aspace_list, "all address spaces"},
    {"aspace", dump_aspace, "an address space with its regions, by id or name"},
    {"cache_ref", dump_cache_ref, "a cache reference, by address"},
    {"cache", dump_cache, "a cache with its pages, by address"},
    {"db", display_mem, "memory as bytes: db ADDRESS [COUNT]"},
    {"ds", display_mem, "memory as 16-bit numbers"},
    {"dw", display_mem, "memory as 32-bit numbers"},
    {"dl", display_mem, "memory as 64-bit numbers"},
    {"page_stats", dump_page_stats, "frames by state"},
    {"free_pages", dump_free_pages, "frames that are free"},
    {"reclaim", debug_reclaim, "the policy, reserves, daemons, and what has gone"},
    {"queue", debug_queue,
     "the oldest pages of a policy's queue: queue active or inactive [COUNT]"},
    {"page", debug_page, "a frame, by number"},
    {"swap", debug_swap, "where pages of memory go"},
    {"slot", debug_slot, "a slot of swap, by number, and who knows it"},
    {"files", debug_files, "caches of files, and errors of writing"},
    {"commit", dump_commitment, "what has been promised"},
    {"check", run_check, "look for contradictions"},
    {"help", help, "this list"},
};

static void help(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        vm_print("%-12s %s\n", commands[i].name, commands[i].text);
}

static int split_line(char *line, char **argv)
{
    int argc = 0;
    while (*line && argc < MAX_ARGUMENTS) {
        while (*line == ' ')
            *line++ = '\0';
        if (*line)
            argv[argc++] = line;
        while (*line && *line != ' ')
            line++;
    }
    return argc;
}

int vm_debugger_command(const char *line)
{
    char copy[LINE_LENGTH], *argv[MAX_ARGUMENTS];
    size_t length = 0;
    if (!line)
        return ERR_INVALID_ARGS;
    while (line[length] && length < LINE_LENGTH - 1) {
        copy[length] = line[length];
        length++;
    }
    copy[length] = '\0';
    int argc = split_line(copy, argv);
    for (size_t i = 0; argc > 0 && i < sizeof commands / sizeof commands[0]; i++)
        if (debug_same(commands[i].name, argv[0])) {
            commands[i].run(argc, argv);
            return VM_OK;
        }
    return ERR_NOT_FOUND;
}
