/* SPDX-License-Identifier: MIT */
/* Regions that come and go. */
#include "perform.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "access.h"

static size_t granule_of(uint32_t number)
{
    return number % 3 == 0 ? 0 : PAGE << (number / 3 % 10);
}

static size_t limit_of(uint32_t number)
{
    return number % 4 != 0 ? 0 : (64 + number / 4 % 200) * PAGE;
}

/* ---- mapping ------------------------------------------------------------------------------------ */

/* The slot is the new region's, whose bytes are zeros so far. */
static void insert(struct region *slot, const struct region *region)
{
    *slot = *region;
    slot->bytes = mmap(NULL, region->pages * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slot->bytes == MAP_FAILED)
        violation("there is no memory for the model");
    if (!region->writes && !region->read_only)
        world.promised += region->pages;
    if (((size_t)region->at & (PAGE - 1)) != 0)
        violation("a region at %p", (void *)region->at);
}

/* The mode that the mapping asks for; AUTO: the usual one, which the region gets then. */
static enum quire_mode choose_mode(uint32_t number, struct region *region)
{
    enum quire_mode usual = (enum quire_mode)world.way.mode;
    enum quire_mode other = usual == QUIRE_MODE_SIGNAL ? QUIRE_MODE_HANDLER : QUIRE_MODE_SIGNAL;
    bool is_other = world.way.mixed && number % 3 == 0;
    region->mode = is_other ? other : usual;
    return is_other || number % 3 == 1 ? region->mode : QUIRE_MODE_AUTO;
}

/* Tables for much memory may be more than the budget has room for. */
static bool expect_mapped(const char *what, int error)
{
    if (error == ERR_VM_WOULD_OVERCOMMIT && !world.way.overcommit) {
        outcome->refused++;
        return false;
    }
    return expect(what, error, VM_OK);
}

static void map_memory(const struct call *call)
{
    struct region *slot = world_free_slot();
    void *at;
    if (slot == NULL)
        return;
    struct region region = {.pages = 1 + call->argument[1] % MOST_PAGES};
    struct quire_mapping mapping = {.name = call->argument[3] % 2 ? "a" : NULL,
                                    .size = region.pages * PAGE - call->argument[2] % 100,
                                    .granule = granule_of(call->argument[3]),
                                    .limit = limit_of(call->argument[3] >> 8),
                                    .mode = choose_mode(call->argument[0], &region)};
    if (!expect_mapped("quire_map of memory", quire_map(&mapping, &at)))
        return;
    region.at = at;
    region.limited = mapping.limit != 0;
    region.end = region.pages;
    insert(slot, &region);
}

static enum quire_on_error ask(void *argument, off_t offset, int error)
{
    const struct disk *disk = argument;
    if (offset < 0 || (size_t)offset >= disk->pages * PAGE || error != ERR_IO)
        violation("asked for the error %d at %ld", error, (long)offset);
    return QUIRE_ON_ERROR_RETRY;
}

static struct quire_mapping store_mapping(const struct call *call, struct region *region)
{
    uint32_t kind = call->argument[3];
    struct quire_policy policy = {.on_error = (enum quire_on_error)(kind / 16 % 4),
                                  .retries = 1,
                                  .ask = ask,
                                  .argument = region->disk};
    return (struct quire_mapping){.store = &region->disk->store,
                                  .size = region->pages * PAGE,
                                  .offset = (off_t)(region->offset * PAGE),
                                  .flags = kind % 8 >= 4 ? kind % 4 : 0,
                                  .granule = granule_of(kind >> 8),
                                  .limit = limit_of(kind >> 16),
                                  .mode = choose_mode(call->argument[0], region),
                                  .policy = policy};
}

/* As long as the region, a little longer, or shorter. */
static size_t disk_pages(const struct call *call, const struct region *region)
{
    size_t needed = region->offset + region->pages;
    if (call->argument[2] % 8 == 0)
        return 1 + call->argument[2] / 8 % needed;
    return needed + call->argument[2] / 8 % 3;
}

static void map_store(const struct call *call)
{
    struct region *slot = world_free_slot();
    void *at;
    if (slot == NULL)
        return;
    struct region region = {.pages = 1 + call->argument[1] % MOST_PAGES,
                            .offset = call->argument[2] / 64 % 4};
    size_t pages = disk_pages(call, &region), past = region.offset;
    region.disk = region.from = world_add_disk(pages, call->argument[3] | 1);
    if (region.disk == NULL)
        return;
    region.disk->slow = world.way.daemons > 0 || world.way.touchers > 0;
    region.end = pages < past ? 0 : pages - past < region.pages ? pages - past : region.pages;
    struct quire_mapping mapping = store_mapping(call, &region);
    region.read_only = mapping.flags & QUIRE_READ_ONLY;
    region.writes = mapping.flags == 0;
    region.disk->lingers = (mapping.flags & QUIRE_PRIVATE) && world.way.daemons > 0;
    region.poisons = mapping.policy.on_error == QUIRE_ON_ERROR_POISON;
    if (!expect_mapped("quire_map of a store", quire_map(&mapping, &at))) {
        region.disk->destroyed++; /* it is the caller's again */
        world_look_at_disks();
        return;
    }
    region.at = at;
    insert(slot, &region);
    memcpy(slot->bytes, region.disk->bytes + past * PAGE, region.end * PAGE);
}

static void map_wrong(const struct call *call)
{
    static const vm_store no_store;
    vm_store without = no_store, *store = &world.swap->store;
    const struct quire_mapping wrong[] = {
        {.size = 0},
        {.size = SIZE_MAX},
        {.size = PAGE, .offset = (off_t)PAGE},
        {.size = PAGE, .flags = QUIRE_READ_ONLY},
        {.size = PAGE, .flags = 4},
        {.size = PAGE, .granule = 3 * PAGE},
        {.size = PAGE, .granule = PAGE / 2},
        {.size = PAGE, .granule = 4 << 20},
        {.size = PAGE, .limit = 63 * PAGE},
        {.size = PAGE, .store = store, .offset = 1},
        {.size = PAGE, .store = store, .offset = -(off_t)PAGE},
        {.size = PAGE, .store = &without},
        {.size = PAGE, .policy = {.on_error = QUIRE_ON_ERROR_ASK}},
        {.size = PAGE, .policy = {.on_error = (enum quire_on_error)(4 + call->argument[1])}},
    };
    const size_t count = sizeof(wrong) / sizeof(wrong[0]);
    size_t i = call->argument[0] % (count + 2);
    void *at = &without, *before = at;
    int error = quire_map(i < count    ? &wrong[i]
                          : i == count ? NULL
                                       : &wrong[1],
                          i <= count ? &at : NULL);
    if (error != ERR_INVALID_ARGS || at != before)
        violation("quire_map with wrong arguments (%zu): %s", i, vm_error_text(error));
    error = quire_add_swap(i % 2 ? NULL : &without, 10, "none");
    if (error != ERR_INVALID_ARGS)
        violation("quire_add_swap of no store: %s", vm_error_text(error));
}

/* ---- ending ------------------------------------------------------------------------------------- */

static void unmap(const struct call *call)
{
    struct range range = perform_range(call);
    struct region *region = range.region;
    if (region == NULL)
        return;
    if (call->twist >= TWIST_BEHIND || (call->argument[3] % 8 == 0 && range.first != 0)) {
        int error = quire_unmap(range.at);
        if (error != ERR_VM_INVALID_REGION)
            violation("quire_unmap where no region begins: %s", vm_error_text(error));
        return;
    }
    bool was_failing = region->disk != NULL && disk_fails(region->disk);
    int error = quire_unmap(region->at);
    bool written = expect_unless_failing("quire_unmap", error, was_failing && region->writes);
    if (written && region->writes)
        world_compare_disk(region, 0, region->pages);
    if (!written && error != ERR_IO)
        violation("quire_unmap: %s, and the region has gone", vm_error_text(error));
    unsigned char *at = region->at;
    world_forget(region);
    world_look_at_disks();
    if (access_touch(at) != SIGSEGV)
        violation("an access where a region was is no SIGSEGV");
}

static void restart(void)
{
    struct way way = world.way;
    world_stop();
    world.ever_failing = false;
    world_start(&way);
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

static size_t count_protected(const struct region *region)
{
    size_t count = 0;
    for (size_t i = 0; i < region->pages; i++)
        count += (region->page[i] & PAGE_PROTECTED) != 0;
    return count;
}

static bool has_pinned(const struct region *region)
{
    for (size_t i = 0; i < region->pages; i++)
        if (region->page[i] & PAGE_PINNED)
            return true;
    return false;
}

static void take_over(struct region *slot, struct region *of, void *at)
{
    of->shares = true;
    struct region copy = {.at = at,
                          .pages = of->pages,
                          .end = of->end,
                          .from = of->from,
                          .offset = of->offset,
                          .poisons = of->poisons,
                          .mode = of->mode,
                          .limited = of->limited,
                          .shares = true};
    for (size_t i = 0; i < of->pages; i++)
        copy.page[i] = of->page[i] & (PAGE_MAY_BE_ZERO | PAGE_MAY_COME_BACK);
    insert(slot, &copy);
    memcpy(slot->bytes, of->bytes, of->end * PAGE);
}

static void snapshot(const struct call *call)
{
    struct range range = perform_range(call);
    struct region *of = range.region, *slot = world_free_slot();
    void *at = NULL;
    if (of == NULL || slot == NULL)
        return;
    size_t are_protected = count_protected(of);
    bool whole = call->twist < TWIST_BEHIND;
    int error = quire_snapshot(whole ? of->at : range.at, &at);
    if (!whole)
        expect("quire_snapshot where no region begins", error, ERR_VM_INVALID_REGION);
    else if (of->writes || of->read_only || has_pinned(of) ||
             (are_protected > 0 && are_protected < of->pages))
        expect("quire_snapshot of what has none", error, ERR_UNSUPPORTED);
    else if ((error != ERR_UNSUPPORTED || !of->cut) && expect_mapped("quire_snapshot", error))
        take_over(slot, of, at);
    if (quire_snapshot(of->at, NULL) != ERR_INVALID_ARGS)
        violation("quire_snapshot to nowhere is no error");
}

void perform_on_regions(const struct call *call)
{
    if (call->kind == CALL_RESTART) {
        restart();
        return;
    }
    pthread_mutex_lock(&world.coming);
    switch (call->kind) {
    case CALL_MAP_MEMORY:
        map_memory(call);
        break;
    case CALL_MAP_STORE:
        map_store(call);
        break;
    case CALL_MAP_WRONG:
        map_wrong(call);
        break;
    case CALL_UNMAP:
        unmap(call);
        break;
    default:
        snapshot(call);
    }
    pthread_mutex_unlock(&world.coming);
}
