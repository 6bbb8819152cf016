/* SPDX-License-Identifier: MIT */
#include "perform.h"

#include <sim.h>
#include <string.h>

#define NO_ID INT64_MAX
#define MEMORY ((size_t)2 << 20)
#define SWAP 64 /* slots */

aspace_id perform_space[SPACES];
static sim_file *files[FILES];
static unsigned cpu_count;

static aspace_id space_of(const struct operation *o)
{
    return o->twist == TWIST_NO_SPACE ? (aspace_id)NO_ID : perform_space[o->space];
}

static aspace_id new_space(void)
{
    return vm_create_aspace("trace", SPACE_BASE, WINDOW * VM_PAGE_SIZE, false);
}

void perform_start(unsigned cpus)
{
    static const char *const names[FILES] = {"/one", "/two"};
    int error = sim_start(
        &(struct sim_config){.memory = MEMORY, .cpus = cpus, .swap = SWAP, .keep_memory = true});
    vm_info info;
    cpu_count = cpus;
    if (error != VM_OK)
        sim_fail("the machine doesn't start: %s", vm_error_text(error));
    vm_get_info(&info);
    model_start(info.max_commit);
    for (unsigned i = 0; i < FILES; i++)
        files[i] = sim_file_create(names[i], NULL, 0, VM_ACCESS_READ | VM_ACCESS_WRITE);
    for (unsigned i = 0; i < SPACES; i++) {
        perform_space[i] = new_space();
        if (perform_space[i] < 0)
            sim_fail("a new space: %s", vm_error_text((int)perform_space[i]));
    }
    memset(sim_physical(SIM_DEVICE_LOW), 0, DEVICE_PAGES * VM_PAGE_SIZE);
}

void perform_end(void)
{
    for (unsigned i = 0; i < SPACES; i++)
        if (sim_delete_aspace(perform_space[i]) != VM_OK)
            sim_fail("space %u can't be deleted", i);
    if (sim_committed() != 0)
        sim_fail("%lld bytes stay promised", (long long)sim_committed());
    sim_end();
}

/* ---- regions ------------------------------------------------------------------------------------ */

static region_id find_region(unsigned space, unsigned page)
{
    vm_region_info info;
    addr_t at = SPACE_BASE + page * VM_PAGE_SIZE, cookie = at;
    int error = vm_get_next_region_info(perform_space[space], &cookie, &info);
    return error == VM_OK && info.base <= at ? info.id : NO_ID;
}

static void put_id(region_id id, void *address, struct answer *answer)
{
    answer->result = id > 0 ? VM_OK : (int)id;
    answer->address = (addr_t)address;
}

static void create(const struct operation *o, struct answer *answer)
{
    void *address = (void *)operation_address(o);
    unsigned lock = (unsigned)o->argument[3] | (o->twist == TWIST_BAD_BITS ? 0x400u : 0);
    region_id id = vm_create_anonymous_region(space_of(o), "trace", &address, o->argument[2],
                                              operation_size(o), o->argument[4], lock);
    put_id(id, address, answer);
}

static void map_file(const struct operation *o, struct answer *answer)
{
    void *address = (void *)operation_address(o);
    unsigned lock = (unsigned)o->argument[3] | (o->twist == TWIST_BAD_BITS ? 0x400u : 0);
    region_id id = vm_map_vnode(space_of(o), "trace", &address, o->argument[2], operation_size(o),
                                lock, o->argument[4] ? REGION_PRIVATE_MAP : REGION_NO_PRIVATE_MAP,
                                files[o->argument[5]], (off_t)o->argument[6] * (off_t)VM_PAGE_SIZE);
    put_id(id, address, answer);
}

static void map_device(const struct operation *o, struct answer *answer)
{
    void *address = (void *)operation_address(o);
    unsigned lock = (unsigned)o->argument[3] | (o->twist == TWIST_BAD_BITS ? 0x400u : 0);
    region_id id =
        vm_map_physical_memory(space_of(o), "trace", &address, o->argument[2], operation_size(o),
                               lock, SIM_DEVICE_LOW + (addr_t)o->argument[4] * VM_PAGE_SIZE);
    put_id(id, address, answer);
}

static void create_null(const struct operation *o, struct answer *answer)
{
    void *address = (void *)operation_address(o);
    region_id id =
        vm_create_null_region(space_of(o), "trace", &address, o->argument[2], operation_size(o));
    put_id(id, address, answer);
}

static void clone(const struct operation *o, struct answer *answer)
{
    void *address = (void *)(SPACE_BASE + (addr_t)o->argument[0] * VM_PAGE_SIZE +
                             (o->twist == TWIST_UNALIGNED));
    region_id source = find_region((unsigned)o->argument[1], (unsigned)o->argument[5]);
    region_id id = vm_clone_region(space_of(o), "trace", &address, o->argument[2], source,
                                   o->argument[4] ? REGION_PRIVATE_MAP : REGION_NO_PRIVATE_MAP,
                                   (unsigned)o->argument[3]);
    put_id(id, address, answer);
}

static region_id region_of(const struct operation *o)
{
    unsigned space = o->twist == TWIST_OTHER_SPACE ? (o->space + 1u) % SPACES : o->space;
    return find_region(space, (unsigned)o->argument[0]);
}

static void move(const struct operation *o, struct answer *answer)
{
    void *address = (void *)(SPACE_BASE + (addr_t)o->argument[3] * VM_PAGE_SIZE);
    answer->result = vm_move_range(space_of(o), operation_address(o), operation_size(o),
                                   (addr_t)o->argument[4] * VM_PAGE_SIZE, &address, o->argument[2]);
    answer->address = (addr_t)address;
}

/* ---- accesses ----------------------------------------------------------------------------------- */

static void access_memory(const struct operation *o, struct answer *answer)
{
    addr_t address = SPACE_BASE + (addr_t)o->argument[0] * VM_PAGE_SIZE + (addr_t)o->argument[1];
    size_t length = (size_t)o->argument[2];
    sim_set_aspace(perform_space[o->space]);
    if (o->kind == OPERATION_WRITE) {
        memset(answer->bytes, o->argument[3], length);
        answer->result = sim_write(address, answer->bytes, length);
        return;
    }
    answer->result = o->kind == OPERATION_READ ? sim_read(address, answer->bytes, length)
                                               : sim_execute(address, answer->bytes, length);
    answer->length = length;
}

/* The new space, if there is one, takes the place of an old one. */
static void replace_space(unsigned space, aspace_id aid, struct answer *answer)
{
    answer->result = aid > 0 ? VM_OK : (int)aid;
    if (aid < 0)
        return;
    if (sim_delete_aspace(perform_space[space]) != VM_OK)
        sim_fail("space %u can't be deleted", space);
    perform_space[space] = aid;
}

/* ---- files -------------------------------------------------------------------------------------- */

static size_t file_length(const struct operation *o)
{
    size_t size = model.file[o->argument[0]].size, position = (size_t)o->argument[1];
    size_t length = (size_t)o->argument[2];
    if (position >= size)
        return 0;
    return length < size - position ? length : size - position;
}

/* The host's length has been changed, then the core hears of it; both in one step, since a failure on
 * request may keep the core from making a cache, in which there would be nothing to cut. */
static int truncate_file(const struct operation *o, vm_cache_ref *cache)
{
    sim_file_set_size(files[o->argument[0]], (size_t)o->argument[1]);
    return vm_cache_truncate(cache, o->argument[1]);
}

static void use_file(const struct operation *o, struct answer *answer)
{
    vm_cache_ref *cache;
    size_t length = o->kind == OPERATION_TRUNCATE ? 0 : file_length(o), done = 0;
    answer->result = vm_get_vnode_cache(files[o->argument[0]], &cache);
    if (answer->result != VM_OK)
        return;
    if (o->kind == OPERATION_FILE_WRITE) {
        memset(answer->bytes, o->argument[3], length);
        answer->result = vm_cache_write(cache, o->argument[1], answer->bytes, length, false, &done);
    } else if (o->kind == OPERATION_FILE_READ) {
        answer->result = vm_cache_read(cache, o->argument[1], answer->bytes, length, false, &done);
        answer->length = length;
    } else {
        answer->result = truncate_file(o, cache);
    }
    vm_put_cache(cache);
}

static void set_limit(const struct operation *o)
{
    vm_info info;
    vm_get_info(&info);
    vm_increase_max_commit(
        (addr_t)((int64_t)o->argument[0] * (int64_t)VM_PAGE_SIZE - info.max_commit));
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void perform_range(const struct operation *o, struct answer *answer)
{
    aspace_id aid = space_of(o);
    addr_t address = operation_address(o), size = operation_size(o);
    unsigned bad = o->twist == TWIST_BAD_BITS ? 0x400u : 0;
    uint8_t pages[2 * WINDOW + 1];
    switch (o->kind) {
    case OPERATION_DELETE_REGION:
        answer->result = vm_delete_region(aid, region_of(o));
        break;
    case OPERATION_UNMAP:
        answer->result = vm_unmap_range(aid, address, size);
        break;
    case OPERATION_PROTECT:
        answer->result = vm_protect_range(aid, address, size, (unsigned)o->argument[2] | bad);
        break;
    case OPERATION_RESIZE:
        answer->result = vm_resize_region(aid, region_of(o), size);
        break;
    case OPERATION_MOVE:
        move(o, answer);
        break;
    case OPERATION_DISCARD:
        answer->result = vm_discard_range(aid, address, size);
        break;
    case OPERATION_SYNC:
        answer->result = vm_sync_range(aid, address, size);
        break;
    case OPERATION_WIRE:
        answer->result = vm_wire_range(aid, address, size);
        break;
    case OPERATION_UNWIRE:
        answer->result = vm_unwire_range(aid, address, size);
        break;
    case OPERATION_INHERIT:
        answer->result = vm_set_inheritance(aid, address, size, o->argument[2] + (bad ? 100 : 0));
        break;
    case OPERATION_RESIDENCY:
        answer->result = vm_get_residency(aid, address, size, pages);
        break;
    default:
        answer->result = vm_find_hole(
            aid, size, bad ? VM_PAGE_SIZE + 1 : VM_PAGE_SIZE << (unsigned)o->argument[4],
            SPACE_BASE + (addr_t)o->argument[2] * VM_PAGE_SIZE,
            SPACE_BASE + (addr_t)o->argument[3] * VM_PAGE_SIZE, &answer->address);
    }
}

static void perform_other(const struct operation *o, struct answer *answer)
{
    switch (o->kind) {
    case OPERATION_CREATE:
        create(o, answer);
        break;
    case OPERATION_MAP_FILE:
        map_file(o, answer);
        break;
    case OPERATION_MAP_DEVICE:
        map_device(o, answer);
        break;
    case OPERATION_CREATE_NULL:
        create_null(o, answer);
        break;
    case OPERATION_CLONE:
        clone(o, answer);
        break;
    case OPERATION_FORK:
        replace_space(operation_fork_target(o), vm_copy_aspace(space_of(o), "copy"), answer);
        break;
    case OPERATION_NEW_SPACE:
        replace_space(o->space, new_space(), answer);
        break;
    case OPERATION_LIMIT:
        set_limit(o);
        break;
    case OPERATION_TRUNCATE:
    case OPERATION_FILE_READ:
    case OPERATION_FILE_WRITE:
        use_file(o, answer);
        break;
    default:
        access_memory(o, answer);
    }
}

void perform(const struct operation *o, struct answer *answer)
{
    answer->result = VM_OK;
    answer->address = 0;
    answer->length = 0;
    sim_set_cpu(o->cpu % cpu_count);
    if (o->kind >= OPERATION_DELETE_REGION && o->kind <= OPERATION_FIND_HOLE)
        perform_range(o, answer);
    else
        perform_other(o, answer);
    if (answer->result != VM_OK)
        answer->length = 0;
}

/* ---- comparison --------------------------------------------------------------------------------- */

void compare_answers(const struct operation *o, const struct answer *core,
                     const struct answer *expected)
{
    if (core->result != expected->result)
        sim_fail("%s: the core says %d (%s), the model %d (%s)", operation_name(o->kind),
                 core->result, vm_error_text(core->result), expected->result,
                 vm_error_text(expected->result));
    if (core->result != VM_OK)
        return;
    bool has_address =
        o->kind <= OPERATION_CLONE || o->kind == OPERATION_MOVE || o->kind == OPERATION_FIND_HOLE;
    if (has_address && core->address != expected->address)
        sim_fail("%s: the core says %#lx, the model %#lx", operation_name(o->kind),
                 (unsigned long)core->address, (unsigned long)expected->address);
    if (memcmp(core->bytes, expected->bytes, expected->length) == 0)
        return;
    for (size_t i = 0; i < expected->length; i++)
        if (core->bytes[i] != expected->bytes[i])
            sim_fail("%s: byte %zu is %#x, in the model %#x", operation_name(o->kind), i,
                     core->bytes[i], expected->bytes[i]);
}

static void compare_region(unsigned space, const vm_region_info *info)
{
    unsigned page = (unsigned)((info->base - SPACE_BASE) / VM_PAGE_SIZE), first;
    unsigned count = model_region(space, page, &first);
    const struct place *place = &model.place[space][page];
    if (count == 0 || first != page || info->size != count * VM_PAGE_SIZE)
        sim_fail("space %u, page %u: a region of %lu pages, in the model of %u from page %u on",
                 space, page, (unsigned long)(info->size / VM_PAGE_SIZE), count, first);
    struct object *file = object_root_file(place->object);
    unsigned offset =
        place->object->kind == OBJECT_DEVICE ? place->offset - place->object->first : place->offset;
    if (info->lock != place->lock || info->wiring != place->wiring ||
        info->mapping != place->mapping || info->inherit != place->inherit ||
        info->cache_offset != (off_t)offset * (off_t)VM_PAGE_SIZE ||
        info->vnode != (file != NULL ? files[file->file] : NULL))
        sim_fail("space %u, page %u: lock %#x, wiring %d, mapping %d, inherit %d, offset %ld; in "
                 "the model %#x, %u, %u, %u, %u pages",
                 space, page, info->lock, info->wiring, info->mapping, info->inherit,
                 (long)info->cache_offset, place->lock, place->wiring, place->mapping,
                 place->inherit, offset);
}

static void compare_regions(unsigned space)
{
    vm_region_info info;
    addr_t cookie = 0;
    unsigned pages = 0, expected = 0;
    while (vm_get_next_region_info(perform_space[space], &cookie, &info) == VM_OK) {
        compare_region(space, &info);
        pages += (unsigned)(info.size / VM_PAGE_SIZE);
    }
    for (unsigned page = 0; page < WINDOW; page++)
        expected += model.place[space][page].object != NULL;
    if (pages != expected)
        sim_fail("space %u: %u pages are mapped, in the model %u", space, pages, expected);
}

/* What the MMU finds must be allowed, and show what the model shows. */
static void compare_translation(unsigned space, unsigned page)
{
    struct sim_translation t;
    const struct place *place = &model.place[space][page];
    if (!sim_look_up(SPACE_BASE + page * VM_PAGE_SIZE, &t))
        return;
    if (place->object == NULL || (place->lock & LOCK_NO_READ) ||
        place->object->kind == OBJECT_NOTHING)
        sim_fail("space %u, page %u is mapped, and mustn't be", space, page);
    if ((t.writable && !(place->lock & LOCK_RW)) ||
        (t.executable && !(place->lock & LOCK_EXECUTE)) ||
        t.user == ((place->lock & LOCK_KERNEL) != 0))
        sim_fail("space %u, page %u: translated as %s%s%s, its lock is %#x", space, page,
                 t.writable ? "writable " : "", t.executable ? "executable " : "",
                 t.user ? "user" : "kernel", place->lock);
    const uint8_t *expected = model_shows(place);
    if (expected == NULL)
        sim_fail("space %u, page %u is mapped behind the end of its file", space, page);
    if (memcmp(sim_physical(t.physical), expected, VM_PAGE_SIZE) != 0)
        sim_fail("space %u, page %u: the frame has other bytes than the model", space, page);
}

void compare_all(void)
{
    for (unsigned space = 0; space < SPACES; space++) {
        sim_set_aspace(perform_space[space]);
        compare_regions(space);
        for (unsigned page = 0; page < WINDOW; page++)
            compare_translation(space, page);
    }
    if (sim_committed() != model.committed)
        sim_fail("%lld bytes are promised, in the model %lld", (long long)sim_committed(),
                 (long long)model.committed);
    SIM_CHECK();
}

static void compare_page(unsigned space, unsigned page)
{
    static struct answer core, expected;
    struct operation read = {.kind = OPERATION_READ,
                             .space = (uint8_t)space,
                             .argument = {(int32_t)page, 0, VM_PAGE_SIZE}};
    perform(&read, &core);
    model_do(&read, &expected);
    if (!model.lost)
        compare_answers(&read, &core, &expected);
}

static void compare_synced_page(const struct place *place)
{
    const struct model_file *file = &model.file[place->object->file];
    size_t at = (size_t)place->offset * VM_PAGE_SIZE, length = VM_PAGE_SIZE;
    if (at >= file->size)
        return;
    if (length > file->size - at)
        length = file->size - at;
    if (memcmp(sim_file_data(files[place->object->file]) + at, file->view[place->offset], length) !=
        0)
        sim_fail("page %u of file %u has been synced, but isn't in the file", place->offset,
                 place->object->file);
}

void compare_synced(const struct operation *o)
{
    addr_t pages = operation_size(o) / VM_PAGE_SIZE;
    if (o->twist != TWIST_NONE)
        return;
    for (addr_t i = 0; i < pages && (addr_t)o->argument[0] + i < WINDOW; i++) {
        const struct place *place = &model.place[o->space][(addr_t)o->argument[0] + i];
        if (place->object != NULL && place->object->kind == OBJECT_FILE)
            compare_synced_page(place);
    }
}

/* Once nobody shows a file any more, all of it has been written back. */
static void compare_file(unsigned file)
{
    const struct model_file *expected = &model.file[file];
    if (!expected->open && memcmp(sim_file_data(files[file]), expected->view, expected->size) != 0)
        sim_fail("file %u isn't what was written to it", file);
}

void compare_contents(void)
{
    for (unsigned file = 0; file < FILES; file++)
        compare_file(file);
    for (unsigned space = 0; space < SPACES; space++)
        for (unsigned page = 0; page < WINDOW; page++)
            compare_page(space, page);
}
