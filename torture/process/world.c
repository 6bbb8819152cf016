/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <quire/vm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "toucher.h"

#define SWAP_PAGES (SLOTS * MOST_PAGES * 2)
#define QUARTER ((size_t)256 << 10)

const struct vm_policy *const policies[POLICIES] = {&vm_policy_car, &vm_policy_clock,
                                                    &vm_policy_two_lists};
struct world world;
struct outcome *outcome;

void violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->text, sizeof(outcome->text), format, arguments);
    va_end(arguments);
    outcome->failed = true;
    _exit(0);
}

/* ---- errors ------------------------------------------------------------------------------------- */

bool expect(const char *what, int error, int expected)
{
    if (error != expected && error == ERR_NO_MEMORY) {
        outcome->refused++;
        return false;
    }
    if (error != expected)
        violation("%s: %s, where it should be: %s", what, vm_error_text(error),
                  vm_error_text(expected));
    return error == VM_OK;
}

bool expect_unless_failing(const char *what, int error, bool was_failing)
{
    if (error != VM_OK && was_failing)
        return false;
    return expect(what, error, VM_OK);
}

/* ---- disks -------------------------------------------------------------------------------------- */

struct disk *world_add_disk(size_t pages, uint64_t pattern)
{
    for (size_t i = 0; i < DISKS; i++)
        if (world.disk[i] == NULL)
            return world.disk[i] = disk_create(pages, pattern);
    return NULL;
}

bool world_is_failing(void)
{
    bool failing = disk_fails(world.swap);
    for (size_t i = 0; i < DISKS; i++)
        failing |= world.disk[i] != NULL && disk_fails(world.disk[i]);
    return failing;
}

static void stop_failing(struct disk *disk)
{
    __atomic_store_n(&disk->fail_reads, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&disk->fail_writes, 0, __ATOMIC_RELAXED);
}

void world_fail_nothing(void)
{
    stop_failing(world.swap);
    for (size_t i = 0; i < DISKS; i++)
        if (world.disk[i] != NULL)
            stop_failing(world.disk[i]);
}

static bool is_used(const struct disk *disk)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (world.region[i].at != NULL && world.region[i].from == disk)
            return true;
    return false;
}

/* A daemon may be just at work on it. */
static void look_at(struct disk **place)
{
    struct disk *disk = *place;
    if (disk->wrong != NULL)
        violation("%s", disk->wrong);
    if (is_used(disk))
        return;
    for (unsigned i = 0; disk->lingers && i < 1000; i++)
        if (__atomic_load_n(&disk->destroyed, __ATOMIC_ACQUIRE) == 0)
            usleep(2000);
    if (disk->destroyed != 1)
        violation("the store of a region that has gone was destroyed %u times", disk->destroyed);
    disk_free(disk);
    *place = NULL;
}

void world_look_at_disks(void)
{
    for (size_t i = 0; i < DISKS; i++)
        if (world.disk[i] != NULL)
            look_at(&world.disk[i]);
    if (world.swap->wrong != NULL)
        violation("%s", world.swap->wrong);
}

void world_compare_disk(const struct region *region, size_t first, size_t count)
{
    for (size_t page = first; page < first + count && page < region->end; page++) {
        if (region->page[page] & PAGE_MAY_BE_ZERO)
            continue;
        if (memcmp(region->disk->bytes + (region->offset + page) * PAGE,
                   region->bytes + page * PAGE, PAGE) != 0)
            violation("page %zu of the region at %p isn't in its store", page, (void *)region->at);
    }
}

/* ---- regions ------------------------------------------------------------------------------------ */

struct region *world_free_slot(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (world.region[i].at == NULL)
            return &world.region[i];
    return NULL;
}

struct region *world_choose(uint32_t number)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct region *region = &world.region[(number + i) % SLOTS];
        if (region->at != NULL)
            return region;
    }
    return NULL;
}

void world_forget(struct region *region)
{
    for (size_t page = 0; page < region->pages; page++)
        world.pinned -= (region->page[page] & PAGE_PINNED) != 0;
    if (!region->writes && !region->read_only)
        world.promised -= region->pages;
    munmap(region->bytes, region->pages * PAGE);
    *region = (struct region){.at = NULL};
}

bool page_is_readable(const struct region *region, size_t page)
{
    return page < region->end;
}

bool page_is_writable(const struct region *region, size_t page)
{
    return page < region->end && !region->read_only && !(region->page[page] & PAGE_PROTECTED);
}

/* ---- start and end ------------------------------------------------------------------------------ */

static void start_quire(void)
{
    struct quire_info info;
    const struct way *way = &world.way;
    struct quire_options options = {.budget = way->quarters * QUARTER,
                                    .mode = (enum quire_mode)way->mode,
                                    .daemons = way->daemons,
                                    .handlers = way->handlers,
                                    .policy = policies[way->policy],
                                    .overcommit = way->overcommit != 0};
    int error = quire_start(&options);
    if (error != VM_OK)
        violation("quire_start: %s (%s)", vm_error_text(error), quire_why());
    if (quire_start(&options) != ERR_INVALID_ARGS)
        violation("quire_start a second time is no error");
    world.swap = disk_create(SWAP_PAGES, 0);
    error = quire_add_swap(&world.swap->store, SWAP_PAGES, "swap");
    if (error != VM_OK)
        violation("quire_add_swap: %s", vm_error_text(error));
    world.swap->slow = way->daemons > 0 || way->touchers > 0;
    error = quire_get_info(&info);
    if (error != VM_OK || info.regions != 0 || info.mode != way->mode)
        violation("quire_get_info: %s, %zu regions at the start", vm_error_text(error),
                  info.regions);
    world.frames = info.frames;
}

void world_start(const struct way *way)
{
    if (world.way.quarters == 0) {
        access_start();
        pthread_mutex_init(&world.coming, NULL);
    }
    world.way = *way;
    start_quire();
    toucher_start(way->touchers);
}

void world_compare(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t page = 0; page < world.region[i].pages; page++)
            access_compare(&world.region[i], page, 0, PAGE);
    world_look_at_disks();
}

static void add_figures(void)
{
    struct quire_info info;
    if (quire_get_info(&info) != VM_OK)
        violation("quire_get_info: an error");
    outcome->faults += info.faults;
    outcome->read += info.read;
    outcome->written += info.written;
    outcome->evicted += info.evicted;
}

/* What was private goes with its region: the store is as it was. */
static void look_at_what_is_left(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct region *region = &world.region[i];
        if (region->at != NULL && region->writes)
            world_compare_disk(region, 0, region->pages);
        if (region->at != NULL)
            world_forget(region);
    }
    if (world.swap->destroyed != 1)
        violation("swap was destroyed %u times", world.swap->destroyed);
    world_look_at_disks();
    disk_free(world.swap);
    world.swap = NULL;
}

void world_stop(void)
{
    world_fail_nothing();
    world_compare();
    add_figures();
    toucher_stop();
    int error = quire_stop();
    if (error != VM_OK)
        violation("quire_stop: %s", vm_error_text(error));
    if (quire_stop() != ERR_UNSUPPORTED)
        violation("quire_stop a second time is no error");
    look_at_what_is_left();
}
