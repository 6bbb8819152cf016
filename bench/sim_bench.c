/* SPDX-License-Identifier: MIT */
/* What the core's own work costs, on the simulated machine: `sim-bench REGIONS` prints, for each
 * operation among so many regions, "operation: nanoseconds" of one of them. Under callgrind it dumps
 * the instructions of each operation instead, in "operation: repetitions" of them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <quire/store.h>
#include <sim.h>
#include "aspace.h"
#include "map.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define COUNTING RUNNING_ON_VALGRIND
#else
#define COUNTING 0
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name)
#endif

#define BASE ((addr_t)0x100000000)
#define REGION_PAGES 4
#define STRIDE (8 * VM_PAGE_SIZE) /* regions don't touch, so they never merge */
#define MEMORY ((size_t)1 << 30)
#define PAGED ((addr_t)0x10000000) /* pages that go and come back */
#define PAGED_PAGES 4096

static aspace_id program;
static size_t regions;
static uint64_t random_state;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The same addresses in each run, but no order in them. */
static addr_t random_region(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return BASE + (addr_t)((random_state >> 33) % regions) * STRIDE;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "sim-bench: %s failed\n", what);
    exit(1);
}

static region_id create_at(addr_t address)
{
    void *where = (void *)address;
    return vm_create_anonymous_region(program, "bench", &where, REGION_ADDR_EXACT_ADDRESS,
                                      REGION_PAGES * VM_PAGE_SIZE, REGION_WIRING_LAZY, LOCK_RW);
}

/* ---- the operations; each does `count` of its kind ---- */

static void lookup_at_random(unsigned count)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    size_t found = 0;
    for (unsigned i = 0; i < count; i++)
        found += vm_virtual_map_lookup(&aspace->virtual_map, random_region()) != NULL;
    vm_put_aspace(aspace);
    must(found == count, "lookup");
}

static void lookup_in_order(unsigned count)
{
    vm_address_space *aspace = vm_get_aspace_by_id(program);
    size_t found = 0, region = 0;
    for (unsigned i = 0; i < count; i++) {
        found += vm_virtual_map_lookup(&aspace->virtual_map, BASE + region * STRIDE) != NULL;
        region = region + 1 < regions ? region + 1 : 0;
    }
    vm_put_aspace(aspace);
    must(found == count, "lookup");
}

/* In the middle of all others. */
static void create_and_delete(unsigned count)
{
    addr_t address = BASE + regions / 2 * STRIDE + REGION_PAGES * VM_PAGE_SIZE + VM_PAGE_SIZE;
    for (unsigned i = 0; i < count; i++) {
        void *where = (void *)address;
        region_id id =
            vm_create_anonymous_region(program, "bench", &where, REGION_ADDR_EXACT_ADDRESS,
                                       VM_PAGE_SIZE, REGION_WIRING_LAZY, LOCK_RW);
        must(id > 0, "create");
        must(vm_delete_region(program, id) == VM_OK, "delete");
    }
}

static void find_hole(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        addr_t hole;
        must(vm_find_hole(program, 64 * VM_PAGE_SIZE, VM_PAGE_SIZE, BASE, SIM_USER_END, &hole) ==
                 VM_OK,
             "find hole");
    }
}

/* A page that another CPU has brought in meanwhile: all of a fault but the page. */
static void fault_on_present(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        must(vm_fault_aspace(program, random_region(), VM_ACCESS_READ | VM_ACCESS_USER) == VM_OK,
             "fault");
}

/* A page that nobody has touched, and forgetting it. */
static void fault_and_discard(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        addr_t address = random_region() + VM_PAGE_SIZE;
        must(vm_fault_aspace(program, address, VM_ACCESS_WRITE | VM_ACCESS_USER) == VM_OK, "fault");
        must(vm_discard_range(program, address, VM_PAGE_SIZE) == VM_OK, "discard");
    }
}

static void touch_first_pages(void)
{
    for (size_t i = 0; i < regions; i++)
        must(vm_fault_aspace(program, BASE + i * STRIDE, VM_ACCESS_WRITE | VM_ACCESS_USER) == VM_OK,
             "first fault");
}

/* ---- pages that go, to a device that costs nothing, and come back ---- */

static void end_nothing(vm_store *store)
{
    (void)store;
}

static int read_nothing(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                        size_t *done)
{
    (void)store, (void)offset, (void)frames;
    *done = count * VM_PAGE_SIZE;
    return VM_OK;
}

static const struct vm_store_ops nothing = {
    .destroy = end_nothing, .read = read_nothing, .write = read_nothing};

static void create_paged(void)
{
    static vm_store device;
    void *where = (void *)PAGED;
    device = (vm_store){.ops = &nothing};
    must(vm_swap_add(&device, PAGED_PAGES, "nothing") == VM_OK, "adding swap");
    must(vm_create_anonymous_region(program, "paged", &where, REGION_ADDR_EXACT_ADDRESS,
                                    PAGED_PAGES * VM_PAGE_SIZE, REGION_WIRING_LAZY, LOCK_RW) > 0,
         "creating the region");
}

static void write_paged(void)
{
    for (addr_t i = 0; i < PAGED_PAGES; i++)
        must(sim_write_byte(PAGED + i * VM_PAGE_SIZE, 1) == VM_OK, "writing");
}

static void page_out(unsigned count)
{
    must(vm_advise_range(program, PAGED, count * VM_PAGE_SIZE, VM_ADVICE_PAGEOUT) == VM_OK,
         "paging out");
}

static void page_out_all(void)
{
    write_paged();
    page_out(PAGED_PAGES);
}

static void page_in_order(unsigned count)
{
    for (addr_t i = 0; i < count; i++)
        must(vm_fault_aspace(program, PAGED + i * VM_PAGE_SIZE, VM_ACCESS_READ | VM_ACCESS_USER) ==
                 VM_OK,
             "paging in");
}

/* No two neighbours follow each other, and none comes twice. */
static void page_in_at_random(unsigned count)
{
    for (addr_t i = 0; i < count; i++)
        must(vm_fault_aspace(program, PAGED + i * 1021 % PAGED_PAGES * VM_PAGE_SIZE,
                             VM_ACCESS_READ | VM_ACCESS_USER) == VM_OK,
             "paging in");
}

struct operation {
    const char *name;
    void (*run)(unsigned count);
    unsigned count;   /* of one measurement */
    unsigned counted; /* under callgrind, which is slow */
    void (*prepare)(void);
};

static const struct operation operations[] = {
    {"region lookup, in order", lookup_in_order, 20000, 2000, NULL},
    {"region lookup, at random", lookup_at_random, 20000, 2000, NULL},
    {"create+delete", create_and_delete, 5000, 500, NULL},
    {"find a hole", find_hole, 5000, 500, NULL},
    {"fault, page present", fault_on_present, 20000, 1000, NULL},
    {"fault, fresh page, and discard", fault_and_discard, 2000, 200, NULL},
    {"a written page goes", page_out, PAGED_PAGES, 512, write_paged},
    {"it comes back, in order", page_in_order, PAGED_PAGES, 512, page_out_all},
    {"it comes back, at random", page_in_at_random, PAGED_PAGES, 512, page_out_all},
};

static void prepare(const struct operation *operation)
{
    if (operation->prepare)
        operation->prepare();
}

static void measure(const struct operation *operation)
{
    random_state = 1;
    if (COUNTING) {
        prepare(operation);
        CALLGRIND_ZERO_STATS;
        operation->run(operation->counted);
        CALLGRIND_DUMP_STATS_AT(operation->name);
        printf("%s: %u\n", operation->name, operation->counted);
        return;
    }
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        random_state = (uint64_t)i + 1;
        prepare(operation);
        uint64_t start = now();
        operation->run(operation->count);
        uint64_t spent = now() - start;
        best = spent < best ? spent : best;
    }
    printf("%s: %.1f\n", operation->name, (double)best / operation->count);
}

static int measure_among(size_t count)
{
    struct sim_config config = {.memory = MEMORY, .overcommit = true};
    must(sim_start(&config) == VM_OK, "starting the machine");
    program = sim_new_aspace();
    regions = count;
    for (size_t i = 0; i < regions; i++)
        must(create_at(BASE + i * STRIDE) > 0, "creating the regions");
    touch_first_pages();
    create_paged();
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
        measure(&operations[i]);
    must(sim_delete_aspace(program) == VM_OK, "deleting the space");
    sim_end();
    return 0;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long count = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (count == 0 || *end != '\0' || count > 1000000) {
        fputs("usage: sim-bench REGIONS\n", stderr);
        return 2;
    }
    return measure_among(count);
}
