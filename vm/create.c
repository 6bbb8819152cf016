/* SPDX-License-Identifier: MIT */
/* Creating regions: over anonymous memory, devices, nothing, files, and other regions' caches. */
#include <quire/host.h>

#include "aspace.h"
#include "cache.h"
#include "fault.h"
#include "file.h"
#include "mapping.h"
#include "print.h"
#include "range.h"
#include "region.h"
#include "system.h"

/* What all creators ask of map_backing_store. */
struct request {
    aspace_id aid;
    const char *name;
    void **address;
    int addr_type;
    addr_t size; /* of whole pages, once checked */
    int wiring;
    unsigned lock;
    int mapping;
    int inherit;
    off_t offset;
    unsigned max_lock;
};

static int check_request(struct request *r)
{
    if (!r->name || !r->address || r->size == 0 || (r->lock & ~(LOCK_MASK | REGION_FLAGS_MASK)) ||
        ((r->lock & LOCK_NO_READ) && (r->lock & (LOCK_RW | LOCK_EXECUTE))) ||
        (r->mapping != REGION_NO_PRIVATE_MAP && r->mapping != REGION_PRIVATE_MAP) ||
        r->addr_type < REGION_ADDR_ANY_ADDRESS || r->addr_type > REGION_ADDR_TOP ||
        r->wiring < REGION_WIRING_LAZY || r->wiring > REGION_WIRING_WIRED_CONTIG)
        return ERR_INVALID_ARGS;
    if (r->size > (addr_t)INT64_MAX - VM_PAGE_MASK)
        return ERR_VM_BAD_ADDRESS;
    r->size = (r->size + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    return VM_OK;
}

static int check_aspace(const struct request *r, const vm_address_space *aspace)
{
    bool kernel = aspace == vm_system.kernel_aspace;
    if (kernel ? !(r->lock & LOCK_KERNEL) : r->wiring > REGION_WIRING_WIRED)
        return ERR_INVALID_ARGS;
    return VM_OK;
}

/* ---- into the map ------------------------------------------------------------------------------- */

/* => map: write-locked. Finds the place, makes room there if asked to, and puts the region in. All
 * that can fail comes first. */
static int find_and_insert_region_slot(vm_address_space *aspace, const struct request *r,
                                       vm_region *region, struct range_removed *removed)
{
    struct range_place place = {r->size, r->addr_type, (addr_t)(uintptr_t)*r->address};
    int error = range_find_place(aspace, &place);
    if (error != VM_OK)
        return error;
    /* Two more for the splits of what is replaced. */
    bool replace = r->addr_type == REGION_ADDR_REPLACE;
    error = map_reserve(&aspace->virtual_map, replace ? 3 : 1);
    if (error == VM_OK)
        error = region_register(region);
    if (error != VM_OK) {
        map_unreserve(&aspace->virtual_map);
        return error;
    }
    addr_t last = place.address + (r->size - 1);
    if (replace && range_isolate(aspace, place.address, last) != VM_OK) {
        region_unregister(region);
        return ERR_NO_MEMORY;
    }
    if (replace)
        range_remove(aspace, place.address, last, removed);
    region->base = place.address;
    region->size = r->size;
    map_insert(&aspace->virtual_map, region);
    return VM_OK;
}

/* Whether pages of this region can come to need memory that nobody has promised yet. */
static bool needs_charge(const vm_region *region, const vm_cache *cache)
{
    if (!cache->ref->temporary || cache->ref->shared || (region->lock & REGION_OVERCOMMIT))
        return false;
    return (region->lock & LOCK_RW) || region_is_wired(region);
}

/* => cache: locked */
static int charge_region(vm_region *region, addr_t size)
{
    vm_cache *cache = region->cache_ref->cache;
    if (!needs_charge(region, cache))
        return VM_OK;
    int error = cache_charge(cache, (int64_t)size);
    region->charged = error == VM_OK;
    return error;
}

static int charge_locked(vm_region *region, addr_t size)
{
    cache_lock(region->cache_ref);
    int error = charge_region(region, size);
    cache_unlock(region->cache_ref);
    return error;
}

static vm_region *make_region(const struct request *r, vm_address_space *aspace, vm_cache_ref *ref)
{
    vm_region *region = _vm_create_region_struct(aspace, r->name, r->wiring, r->lock);
    if (!region)
        return NULL;
    region->cache_ref = ref;
    region->cache_offset = r->offset;
    region->mapping = (uint8_t)r->mapping;
    region->inherit = (uint8_t)r->inherit;
    region->max_lock = r->max_lock;
    region->is_device = !ref->temporary && ref->cache->store->ops->fault;
    return region;
}

/* Puts a region over `ref`, or over a private copy of it. The caller keeps his reference. */
static int map_backing_store(vm_address_space *aspace, vm_cache_ref *ref, const struct request *r,
                             region_id *id)
{
    struct range_removed removed;
    int error = VM_OK;
    if (r->mapping == REGION_PRIVATE_MAP)
        error = chain_private(ref, &ref);
    else
        vm_cache_acquire_ref(ref);
    if (error != VM_OK)
        return error;
    vm_region *region = make_region(r, aspace, ref);
    error = region ? charge_locked(region, r->size) : ERR_NO_MEMORY;
    range_removed_init(&removed);
    if (error == VM_OK) {
        vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
        error = aspace->state == VM_ASPACE_NORMAL
                    ? find_and_insert_region_slot(aspace, r, region, &removed)
                    : ERR_VM_INVALID_ASPACE;
        if (error == VM_OK) {
            cache_lock(ref);
            vm_cache_insert_region(ref, region);
            cache_unlock(ref);
            *id = region->id;
            *r->address = (void *)region->base;
        }
        aspace_write_unlock(aspace);
        range_removed_release(&removed);
    }
    if (error == VM_OK)
        return VM_OK;
    if (region && region->charged) {
        cache_lock(ref);
        (void)cache_charge(ref->cache, -(int64_t)r->size);
        cache_unlock(ref);
    }
    if (region)
        region_free_struct(region);
    vm_cache_release_ref(ref);
    return error;
}

static bool region_request_is_populated(const struct request *r)
{
    return r->wiring == REGION_WIRING_WIRED || r->wiring == REGION_WIRING_WIRED_CONTIG;
}

/* All pages of a wired region are there when its creation returns. */
static int populate(vm_address_space *aspace, const struct request *r, region_id id)
{
    addr_t base = (addr_t)(uintptr_t)*r->address;
    unsigned access = r->lock & LOCK_RW ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    int error = VM_OK;
    for (addr_t at = 0; at < r->size && error == VM_OK; at += VM_PAGE_SIZE)
        error = vm_soft_fault(aspace, base + at, access);
    if (error != VM_OK)
        (void)vm_delete_region(aspace->id, id);
    return error;
}

/* A page that boot code has mapped at `address` becomes the cache's. => cache: locked */
static int adopt_page(vm_address_space *aspace, vm_cache_ref *ref, addr_t address, off_t offset)
{
    struct vm_translation_map *tmap = &aspace->translation_map;
    addr_t physical;
    int error = tmap_query(tmap, address, &physical, NULL);
    if (error != VM_OK)
        return error;
    struct vm_page *page = vm_page_at(physical);
    if (!page || page->state != VM_PAGE_UNUSED || !tmap_entry(tmap, address, false))
        return ERR_INVALID_ARGS;
    error = vm_cache_insert_page(ref, page, offset);
    if (error != VM_OK)
        return error;
    page->map_count = 1;
    vm_page_wire(page);
    tmap_used(tmap, address, 1);
    return VM_OK;
}

static void abandon_page(vm_address_space *aspace, vm_cache_ref *ref, addr_t address, off_t offset)
{
    struct vm_page *page = vm_cache_lookup_page(ref, offset);
    (void)radix_remove(&ref->cache->pages, page->offset);
    ref->cache->page_count--;
    page->cache = NULL;
    page->map_count = page->wire_count = 0;
    vm_page_set_state(page, VM_PAGE_UNUSED);
    tmap_used(&aspace->translation_map, address, -1);
}

/* Adopts the pages of [base, base + size), or, with `back`, leaves the first `size` bytes again. */
static int adopt_pages(vm_address_space *aspace, vm_cache_ref *ref, addr_t base, addr_t size,
                       bool back)
{
    int error = VM_OK;
    addr_t done = 0;
    cache_lock(ref);
    vm_mutex_lock(&aspace->translation_map.lock, VM_RANK_TMAP);
    for (; !back && done < size; done += VM_PAGE_SIZE)
        if ((error = adopt_page(aspace, ref, base + done, (off_t)done)) != VM_OK)
            break;
    if (back)
        done = size;
    for (; (back || error != VM_OK) && done > 0; done -= VM_PAGE_SIZE)
        abandon_page(aspace, ref, base + done - VM_PAGE_SIZE, (off_t)(done - VM_PAGE_SIZE));
    vm_mutex_unlock(&aspace->translation_map.lock);
    cache_unlock(ref);
    return error;
}

/* The common end of all creators: the reference on the cache is given back. */
static region_id finish(struct request *r, vm_address_space *aspace, vm_cache_ref *ref)
{
    region_id id = ERR_NO_MEMORY;
    bool adopts = r->wiring == REGION_WIRING_WIRED_ALREADY;
    addr_t base = (addr_t)(uintptr_t)*r->address;
    int error = ref ? VM_OK : ERR_NO_MEMORY;
    if (error == VM_OK && adopts)
        error = adopt_pages(aspace, ref, base, r->size, false);
    if (error == VM_OK) {
        error = map_backing_store(aspace, ref, r, &id);
        if (error != VM_OK && adopts)
            (void)adopt_pages(aspace, ref, base, r->size, true);
    }
    if (ref)
        vm_cache_release_ref(ref);
    if (error == VM_OK && region_request_is_populated(r))
        error = populate(aspace, r, id);
    vm_put_aspace(aspace);
    return error == VM_OK ? id : error;
}

/* The checks before anything is made: *aspace with a reference. */
static int begin(struct request *r, vm_address_space **aspace)
{
    int error = check_request(r);
    if (error != VM_OK)
        return error;
    *aspace = vm_get_aspace_by_id(r->aid);
    if (!*aspace)
        return ERR_VM_INVALID_ASPACE;
    error = check_aspace(r, *aspace);
    if (error != VM_OK)
        vm_put_aspace(*aspace);
    return error;
}

/* ---- anonymous memory --------------------------------------------------------------------------- */

/* => cache: nobody else's */
static int insert_run(vm_cache_ref *ref, addr_t size)
{
    size_t count = size / VM_PAGE_SIZE, done = 0;
    struct vm_page *run = vm_page_allocate_run(count, true);
    if (!run)
        return ERR_NO_MEMORY;
    cache_lock(ref);
    while (done < count &&
           vm_cache_insert_page(ref, &run[done], (off_t)(done * VM_PAGE_SIZE)) == VM_OK)
        done++;
    cache_unlock(ref);
    if (done == count)
        return VM_OK;
    for (size_t i = done; i < count; i++)
        vm_page_free(&run[i], true);
    return ERR_NO_MEMORY;
}

/* What is promised as a whole, or must be there, before the cache is mapped. */
static int prepare_anonymous(const struct request *r, vm_cache_ref *ref)
{
    int error = VM_OK;
    if (r->lock & REGION_SHARED) {
        cache_lock(ref);
        ref->shared = true;
        if (!(r->lock & REGION_OVERCOMMIT))
            error = cache_charge(ref->cache, (int64_t)r->size);
        cache_unlock(ref);
    }
    if (error == VM_OK && r->wiring == REGION_WIRING_WIRED_CONTIG)
        error = insert_run(ref, r->size);
    return error;
}

region_id vm_create_anonymous_region(aspace_id aid, const char *name, void **address, int addr_type,
                                     addr_t size, int wiring, unsigned lock)
{
    vm_address_space *aspace;
    addr_t last;
    struct request r = {.aid = aid,
                        .name = name,
                        .address = address,
                        .addr_type = addr_type,
                        .size = size,
                        .wiring = wiring,
                        .lock = lock,
                        .max_lock = LOCK_RW,
                        .inherit = lock & REGION_SHARED ? VM_INHERIT_SHARE : VM_INHERIT_COPY};
    int error = begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    if (wiring == REGION_WIRING_WIRED_ALREADY)
        error = addr_type == REGION_ADDR_EXACT_ADDRESS
                    ? range_check(aspace, (addr_t)(uintptr_t)*address, r.size, &last)
                    : ERR_INVALID_ARGS;
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    off_t virtual_size = (off_t)r.size;
    if (lock & REGION_GROWS_DOWN) {
        virtual_size = r.size < VM_STACK_LIMIT ? (off_t)VM_STACK_LIMIT : virtual_size;
        r.offset = virtual_size - (off_t)r.size;
    }
    vm_cache_ref *ref = cache_create_for(vm_store_create_anonymous_noswap(), virtual_size, true);
    error = ref ? prepare_anonymous(&r, ref) : ERR_NO_MEMORY;
    if (error == VM_OK)
        return finish(&r, aspace, ref);
    if (ref)
        vm_cache_release_ref(ref);
    vm_put_aspace(aspace);
    return error;
}

/* ---- devices, and nothing ----------------------------------------------------------------------- */

static bool is_translatable(addr_t last)
{
    const struct vm_tmap_format *format = vm_system.format;
    return last >> VM_PAGE_SHIFT <= format->frame_mask >> format->frame_shift;
}

/* Whether a run of physical addresses touches memory of the core's. */
static bool is_memory(addr_t base, addr_t size)
{
    for (unsigned i = 0; i < vm_system.pages.range_count; i++) {
        addr_t first = vm_system.pages.range[i].first << VM_PAGE_SHIFT;
        addr_t bytes = vm_system.pages.range[i].count << VM_PAGE_SHIFT;
        if (base < first ? first - base < size : base - first < bytes)
            return true;
    }
    return false;
}

region_id vm_map_physical_memory(aspace_id aid, const char *name, void **address, int addr_type,
                                 addr_t size, unsigned lock, addr_t phys_addr)
{
    vm_address_space *aspace;
    addr_t within = phys_addr & VM_PAGE_MASK;
    struct request r = {.aid = aid,
                        .name = name,
                        .address = address,
                        .addr_type = addr_type,
                        .size = size,
                        .lock = lock,
                        .max_lock = LOCK_RW,
                        .inherit = VM_INHERIT_SHARE};
    if (size == 0)
        return ERR_INVALID_ARGS;
    if (size > UINTPTR_MAX - within || phys_addr - within > UINTPTR_MAX - (size + within - 1) ||
        !is_translatable(phys_addr + (size - 1)))
        return ERR_VM_BAD_ADDRESS;
    r.size = size + within;
    int error = begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    if (aspace != vm_system.kernel_aspace && is_memory(phys_addr - within, r.size)) {
        vm_put_aspace(aspace);
        return ERR_INVALID_ARGS;
    }
    vm_cache_ref *ref =
        cache_create_for(vm_store_create_device(phys_addr - within), (off_t)r.size, false);
    region_id id = finish(&r, aspace, ref);
    if (id > 0)
        *address = (char *)*address + within;
    return id;
}

region_id vm_create_null_region(aspace_id aid, const char *name, void **address, int addr_type,
                                addr_t size)
{
    vm_address_space *aspace;
    struct request r = {.aid = aid,
                        .name = name,
                        .address = address,
                        .addr_type = addr_type,
                        .size = size,
                        .lock = LOCK_NO_READ |
                                (aid == vm_get_kernel_aspace_id() ? LOCK_KERNEL : LOCK_RO),
                        .inherit = VM_INHERIT_SHARE};
    int error = begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    return finish(&r, aspace, cache_create_for(vm_store_create_null(), (off_t)r.size, false));
}

/* ---- files -------------------------------------------------------------------------------------- */

static region_id map_vnode(struct request *r, void *vnode)
{
    vm_address_space *aspace;
    vm_cache_ref *ref = NULL;
    if (r->offset < 0)
        return ERR_INVALID_ARGS;
    r->offset &= ~(off_t)VM_PAGE_MASK;
    int error = begin(r, &aspace);
    if (error != VM_OK)
        return error;
    if ((off_t)r->size > INT64_MAX - r->offset)
        error = ERR_INVALID_ARGS;
    else if (r->mapping == REGION_NO_PRIVATE_MAP && (r->lock & LOCK_RW) && !(r->max_lock & LOCK_RW))
        error = ERR_PERMISSION_DENIED;
    else
        error = vm_get_vnode_cache(vnode, &ref);
    if (error != VM_OK) {
        vm_put_aspace(aspace);
        return error;
    }
    return finish(r, aspace, ref);
}

static int inherit_of(int mapping)
{
    return mapping == REGION_PRIVATE_MAP ? VM_INHERIT_COPY : VM_INHERIT_SHARE;
}

region_id vm_map_vnode(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, void *vnode, off_t offset)
{
    struct request r = {.aid = aid,
                        .name = name,
                        .address = address,
                        .addr_type = addr_type,
                        .size = size,
                        .lock = lock & ~REGION_NO_WRITE,
                        .mapping = mapping,
                        .offset = offset,
                        .max_lock = lock & REGION_NO_WRITE ? LOCK_RO : LOCK_RW,
                        .inherit = inherit_of(mapping)};
    return vnode ? map_vnode(&r, vnode) : ERR_INVALID_ARGS;
}

/* The file, for what the mapping will do with it now, and, where that is allowed, may do later. */
static int get_file(struct request *r, const char *path, bool kernel, void **vnode)
{
    unsigned access = VM_ACCESS_READ | (r->lock & LOCK_EXECUTE ? VM_ACCESS_EXECUTE : 0u);
    r->max_lock = LOCK_RW;
    if (r->mapping == REGION_PRIVATE_MAP)
        return host_vnode_from_path(path, kernel, access, vnode);
    int error = host_vnode_from_path(path, kernel, access | VM_ACCESS_WRITE, vnode);
    if (error != ERR_PERMISSION_DENIED || (r->lock & LOCK_RW))
        return error;
    r->max_lock = LOCK_RO;
    return host_vnode_from_path(path, kernel, access, vnode);
}

region_id _vm_map_file(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, const char *path, off_t offset, bool kernel)
{
    void *vnode;
    struct request r = {.aid = aid,
                        .name = name,
                        .address = address,
                        .addr_type = addr_type,
                        .size = size,
                        .lock = lock,
                        .mapping = mapping,
                        .offset = offset,
                        .inherit = inherit_of(mapping)};
    if (!path)
        return ERR_INVALID_ARGS;
    int error = check_request(&r);
    if (error == VM_OK)
        error = get_file(&r, path, kernel, &vnode);
    if (error != VM_OK)
        return error;
    region_id id = map_vnode(&r, vnode);
    host_vnode_release(vnode);
    return id;
}

region_id vm_map_file(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                      unsigned lock, int mapping, const char *path, off_t offset)
{
    return _vm_map_file(aid, name, address, addr_type, size, lock, mapping, path, offset, true);
}

/* ---- clones ------------------------------------------------------------------------------------- */

/* How a source was before its clone made it a shared one. */
struct clone_source {
    vm_region *region; /* with a reference */
    bool was_shared, was_charged;
    uint8_t inherit;
};

/* => the source's map: write-locked. Fills in what the clone takes from its source. */
static int take_source(struct clone_source *source, struct request *r, vm_cache_ref **ref)
{
    vm_region *region = source->region;
    vm_cache_ref *of = region->cache_ref;
    int error = VM_OK;
    bool shared = r->mapping == REGION_NO_PRIVATE_MAP;
    if (shared && (r->lock & LOCK_RW) && !(region->max_lock & LOCK_RW))
        return ERR_PERMISSION_DENIED;
    if (!shared && region->is_device)
        return ERR_UNSUPPORTED;
    cache_lock(of);
    source->was_shared = of->shared;
    source->was_charged = region->charged;
    source->inherit = region->inherit;
    if (shared)
        error = region_make_shared(region);
    if (error == VM_OK) {
        vm_cache_acquire_ref(of);
        *ref = of;
        r->size = region->size;
        r->offset = region->cache_offset;
        r->wiring = region_is_wired(region) ? REGION_WIRING_WIRED : REGION_WIRING_LAZY;
        r->max_lock = shared ? region->max_lock : LOCK_RW;
        if (shared)
            region->inherit = VM_INHERIT_SHARE;
    }
    cache_unlock(of);
    return error;
}

/* => the source's map: write-locked. There is no clone after all. */
static void restore_source(struct clone_source *source)
{
    vm_region *region = source->region;
    vm_cache_ref *ref = region->cache_ref;
    cache_lock(ref);
    /* Unless somebody else shares it by now. */
    if (__atomic_load_n(&ref->ref_count, __ATOMIC_ACQUIRE) == 1) {
        region->inherit = source->inherit;
        if (region->charged && !source->was_charged) {
            (void)cache_charge(ref->cache, -(int64_t)region->size);
            region->charged = false;
        }
        ref->shared = source->was_shared;
    }
    cache_unlock(ref);
}

/* Takes from, or restores (ref is NULL), the source, which must still be mapped. */
static int with_source(struct clone_source *source, struct request *r, vm_cache_ref **ref)
{
    vm_address_space *aspace = region_get_aspace(source->region);
    int error = ERR_VM_INVALID_REGION;
    if (!aspace)
        return error;
    vm_write_lock(&aspace->virtual_map.lock, VM_RANK_MAP);
    if (source->region->aspace == aspace) {
        error = ref ? take_source(source, r, ref) : VM_OK;
        if (!ref)
            restore_source(source);
    }
    aspace_write_unlock(aspace);
    vm_put_aspace(aspace);
    return error;
}

region_id vm_clone_region(aspace_id aid, const char *name, void **address, int addr_type,
                          region_id source_region, int mapping, unsigned lock)
{
    vm_address_space *aspace;
    vm_cache_ref *ref = NULL;
    struct request r = {.aid = aid,
                        .name = name,
                        .address = address,
                        .addr_type = addr_type,
                        .size = VM_PAGE_SIZE, /* until the source says */
                        .lock = lock,
                        .mapping = mapping,
                        .inherit = inherit_of(mapping)};
    int error = begin(&r, &aspace);
    if (error != VM_OK)
        return error;
    struct clone_source source = {.region = vm_get_region_by_id(source_region)};
    error = source.region ? with_source(&source, &r, &ref) : ERR_VM_INVALID_REGION;
    if (error == VM_OK) {
        region_id id = finish(&r, aspace, ref);
        if (id < 0)
            (void)with_source(&source, &r, NULL);
        vm_put_region(source.region);
        return id;
    }
    vm_put_region(source.region);
    vm_put_aspace(aspace);
    return error;
}
