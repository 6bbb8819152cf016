/* SPDX-License-Identifier: MIT */
/* Regions come and go. */
#include "regions.h"

#define SMALLEST_GRANULE VM_PAGE_SIZE
#define LARGEST_GRANULE ((size_t)2 << 20)

static int check(const struct quire_mapping *mapping)
{
    size_t granule = mapping->granule ? mapping->granule : SMALLEST_GRANULE;
    if (mapping->size == 0 || mapping->size > INT64_MAX - VM_PAGE_MASK || mapping->offset < 0 ||
        mapping->offset > INT64_MAX - (off_t)(mapping->size + VM_PAGE_MASK) ||
        ((addr_t)mapping->offset & VM_PAGE_MASK) ||
        (mapping->flags & ~(QUIRE_READ_ONLY | QUIRE_PRIVATE)) || granule < SMALLEST_GRANULE ||
        granule > LARGEST_GRANULE || (granule & (granule - 1)) ||
        (mapping->limit != 0 && mapping->limit < 64 * VM_PAGE_SIZE) ||
        (unsigned)mapping->mode > QUIRE_MODE_HANDLER ||
        (unsigned)mapping->policy.on_error > QUIRE_ON_ERROR_ASK ||
        (mapping->policy.on_error == QUIRE_ON_ERROR_ASK && !mapping->policy.ask))
        return ERR_INVALID_ARGS;
    if (mapping->store &&
        (!mapping->store->ops || !mapping->store->ops->destroy || !mapping->store->ops->read))
        return ERR_INVALID_ARGS;
    if (mapping->store && mapping->store->ops->fault)
        return ERR_UNSUPPORTED;
    if (mapping->store && !mapping->store->ops->write && mapping->flags == 0)
        return ERR_PERMISSION_DENIED;
    return !mapping->store && (mapping->offset || (mapping->flags & QUIRE_READ_ONLY))
               ? ERR_INVALID_ARGS
               : VM_OK;
}

/* A cache over the store, which has room for what may be written. */
static int make_cache(vm_store *wrapped, off_t end, struct region *region)
{
    int error = VM_OK;
    if (region->writes_store && !process.overcommit)
        error = store_promise(wrapped, end);
    return error == VM_OK ? vm_create_cache(wrapped, end, &region->cache) : error;
}

static region_id map_store(const struct quire_mapping *mapping, struct region *region, void **at)
{
    bool private = mapping->flags & QUIRE_PRIVATE;
    vm_store *wrapped;
    int error = store_wrap(mapping->store, &mapping->policy, &wrapped);
    if (error != VM_OK)
        return error;
    error = make_cache(wrapped, mapping->offset + (off_t)region->size, region);
    region_id id = error;
    if (error == VM_OK) {
        id = vm_map_cache(
            process.aid, mapping->name ? mapping->name : "store", at, REGION_ADDR_EXACT_ADDRESS,
            region->size, region->read_only ? LOCK_RO : LOCK_RW,
            private ? REGION_PRIVATE_MAP : REGION_NO_PRIVATE_MAP, region->cache, mapping->offset);
        region->store = wrapped;
        if (id > 0)
            return id;
        store_keep(wrapped);
        vm_put_cache(region->cache);
        return id;
    }
    store_unwrap(wrapped);
    return id;
}

static region_id map_memory(const struct quire_mapping *mapping, const struct region *region,
                            void **at)
{
    return vm_create_anonymous_region(process.aid, mapping->name ? mapping->name : "memory", at,
                                      REGION_ADDR_EXACT_ADDRESS, region->size, REGION_WIRING_LAZY,
                                      LOCK_RW);
}

/* => regions locked. Fills in what the mapping says, and where it goes. */
static int prepare(const struct quire_mapping *mapping, struct region *region)
{
    addr_t size = (mapping->size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    *region = (struct region){
        .size = size,
        .granule = mapping->granule,
        .limit = mapping->limit / VM_PAGE_SIZE,
        .mode = mapping->mode == QUIRE_MODE_AUTO ? process.mode : mapping->mode,
        .read_only = mapping->flags & QUIRE_READ_ONLY,
        .is_private = mapping->flags & QUIRE_PRIVATE,
        .writes_store = mapping->store && !(mapping->flags & (QUIRE_PRIVATE | QUIRE_READ_ONLY)),
        .holds_memory = !mapping->store || (mapping->flags & QUIRE_PRIVATE)};
    int error = faults_start(region->mode);
    if (error == VM_OK)
        error = region_find_place(size, &region->base);
    return error == VM_OK ? reserve_for(region) : error;
}

/* => regions locked. Linux shows what the core has mapped. With an owner of its own a region never becomes one with
 * its neighbour, whatever that shows. */
static int finish(struct region *region, region_id id)
{
    (void)vm_set_region_owner(process.aid, id, region);
    (void)vm_advise_range(process.aid, region->base, region->size, VM_ADVICE_RANDOM);
    region_insert(region);
    return region_show(region->base, region->size, region->read_only, region->mode);
}

/* The store is the caller's again. */
static void give_up(struct region *region, bool mapped)
{
    if (mapped) {
        if (region->store)
            store_keep(region->store);
        region_delete(region);
        region_end(region);
    } else {
        reserve_end(region);
        region_free(region);
    }
}

static int map(const struct quire_mapping *mapping, void **address)
{
    struct region *region = region_allocate();
    if (!region)
        return ERR_NO_MEMORY;
    int error = prepare(mapping, region);
    if (error != VM_OK) {
        give_up(region, false);
        return error;
    }
    void *at = (void *)region->base;
    region_id id =
        mapping->store ? map_store(mapping, region, &at) : map_memory(mapping, region, &at);
    if (id < 0) {
        give_up(region, false);
        return (int)id;
    }
    error = finish(region, id);
    if (error != VM_OK)
        give_up(region, true);
    else
        *address = at;
    if (error == VM_OK && region->store && region->granule != VM_PAGE_SIZE)
        readers_need();
    return error;
}

int quire_map(const struct quire_mapping *mapping, void **address)
{
    struct call call;
    int error = call_begin_with_regions(&call);
    if (error != VM_OK)
        return error;
    if (!mapping || !address)
        return call_end_with_regions(&call, ERR_INVALID_ARGS);
    error =
        process.mode == QUIRE_MODE_VSPACE || process.is_ending ? ERR_UNSUPPORTED : check(mapping);
    return call_end_with_regions(&call, error == VM_OK ? map(mapping, address) : error);
}

int quire_unmap(void *address)
{
    struct call call;
    int error = call_begin_with_regions(&call);
    if (error != VM_OK)
        return error;
    struct region *region = region_of((addr_t)address);
    if (!region || region->base != (addr_t)address)
        return call_end_with_regions(&call, ERR_VM_INVALID_REGION);
    return call_end_with_regions(&call, region_leave(region));
}

/* quire_protect and quire_pin split the core's regions, of which a snapshot takes one; and a page that is pinned
 * must not move when it is written next. */
static int find_whole(const struct region *region, region_id *id)
{
    struct vm_owner found;
    int error = vm_find_owner(process.aid, region->base, &found);
    if (error != VM_OK)
        return error;
    *id = found.id;
    return found.base == region->base && found.size == region->size &&
                   found.wiring == REGION_WIRING_LAZY
               ? VM_OK
               : ERR_UNSUPPORTED;
}

/* => regions locked. The core's region, at a place of its own. */
static region_id take_snapshot(const struct region *of, struct region *region)
{
    region_id source;
    int error = find_whole(of, &source);
    if (error == VM_OK)
        error = region_find_place(region->size, &region->base);
    if (error == VM_OK)
        error = reserve_for(region);
    if (error != VM_OK)
        return error;
    void *at = (void *)region->base;
    if (of->mode == QUIRE_MODE_SIGNAL && of->size >= CHUNK_SIZE) {
        away_prepare();
        away_allow(of->base, of->size);
    }
    region_id id =
        vm_snapshot_region(process.aid, "snapshot", &at, REGION_ADDR_EXACT_ADDRESS, source);
    away_allow(0, 0);
    return id;
}

static int snapshot(const struct region *of, void **address)
{
    struct region *region = region_allocate();
    if (!region)
        return ERR_NO_MEMORY;
    *region = (struct region){.size = of->size,
                              .granule = of->granule,
                              .limit = of->limit,
                              .mode = of->mode,
                              .holds_memory = true};
    region_id id = take_snapshot(of, region);
    if (id < 0) {
        give_up(region, false);
        return (int)id;
    }
    int error = find_whole(region, &id); /* others may have split the source by now */
    if (error == VM_OK)                  /* it has the source's protection, but may be written */
        error = vm_protect_range(process.aid, region->base, region->size, LOCK_RW);
    if (error == VM_OK)
        error = finish(region, id);
    if (error != VM_OK)
        give_up(region, true);
    else
        *address = (void *)region->base;
    return error;
}

int quire_snapshot(void *address, void **copy)
{
    struct call call;
    int error = call_begin_with_regions(&call);
    if (error != VM_OK)
        return error;
    const struct region *region = region_of((addr_t)address);
    if (!copy)
        error = ERR_INVALID_ARGS;
    else if (!region || region->base != (addr_t)address)
        error = ERR_VM_INVALID_REGION;
    else if (region->writes_store || region->read_only || process.is_ending)
        error = ERR_UNSUPPORTED;
    else
        error = snapshot(region, copy);
    return call_end_with_regions(&call, error);
}
