/* SPDX-License-Identifier: MIT */
/* A pmap's translations as runs: for other pmaps, for people, for figures. */
#include "layer.h"

#define SERIALISED_MAGIC 0x70616d71u /* 'qmap' */

struct serialised {
    uint32_t magic, flags;
    uint64_t count;
    struct pmap_dump_info run[];
};

/* ---- walking ------------------------------------------------------------------------------------ */

static bool continues(const struct pmap_dump_info *run, genvaddr_t vaddr, genpaddr_t paddr,
                      vregion_flags_t flags)
{
    return run->size > 0 && run->vaddr + run->size == vaddr && run->paddr + run->size == paddr &&
           run->flags == flags;
}

static void visit_and_begin(struct pmap_dump_info *run, pmap_visit_run *visit, void *argument)
{
    if (run->size > 0)
        visit(run, argument);
    run->size = 0;
}

void pmap_for_each_run(const struct pmap *pmap, pmap_visit_run *visit, void *argument)
{
    struct pmap_dump_info run = {.size = 0};
    struct vm_owner found;
    addr_t next = 0, physical;
    lock_check(&pmap->lock);
    while (pmap_next_region(pmap, &next, &found)) {
        vregion_flags_t flags = flags_of_lock(found.lock);
        addr_t at = found.base, last = at + (found.size - 1);
        for (; pmap_next_page(pmap, &at, last, &physical); at += VM_PAGE_SIZE) {
            if (!continues(&run, at, physical, flags)) {
                visit_and_begin(&run, visit, argument);
                run = (struct pmap_dump_info){.vaddr = at, .paddr = physical, .flags = flags};
            }
            run.size += VM_PAGE_SIZE;
        }
    }
    visit_and_begin(&run, visit, argument);
}

/* ---- writing ------------------------------------------------------------------------------------ */

struct sink {
    struct pmap_dump_info *run;
    size_t room, count;
};

static void add_run(const struct pmap_dump_info *run, void *argument)
{
    struct sink *sink = argument;
    if (sink->count < sink->room)
        sink->run[sink->count] = *run;
    sink->count++;
}

static size_t collect(struct pmap *pmap, struct pmap_dump_info *runs, size_t room)
{
    struct sink sink = {runs, room, 0};
    lock_take(&pmap->lock);
    pmap_for_each_run(pmap, add_run, &sink);
    lock_give(&pmap->lock);
    return sink.count;
}

static size_t size_for(size_t count)
{
    return sizeof(struct serialised) + count * sizeof(struct pmap_dump_info);
}

errval_t pmap_serialised_size(struct pmap *pmap, size_t *bytes)
{
    if (!pmap || !bytes)
        return LIB_ERR_INVALID_ARGS;
    *bytes = size_for(collect(pmap, NULL, 0));
    return SYS_ERR_OK;
}

errval_t pmap_serialise(struct pmap *pmap, void *buffer, size_t length)
{
    struct serialised *to = buffer;
    if (!pmap || !buffer || (uintptr_t)buffer % _Alignof(struct serialised) != 0)
        return LIB_ERR_INVALID_ARGS;
    if (length < sizeof *to)
        return LIB_ERR_SERIALISE_BUFOVERFLOW;
    size_t room = (length - sizeof *to) / sizeof to->run[0];
    size_t count = collect(pmap, to->run, room);
    if (count > room)
        return LIB_ERR_SERIALISE_BUFOVERFLOW;
    *to = (struct serialised){.magic = SERIALISED_MAGIC, .count = count};
    return SYS_ERR_OK;
}

errval_t pmap_dump(struct pmap *pmap, struct pmap_dump_info *buffer, size_t length, size_t *written)
{
    if (!pmap || !buffer || !written)
        return LIB_ERR_INVALID_ARGS;
    size_t count = collect(pmap, buffer, length);
    *written = count < length ? count : length;
    return count <= length ? SYS_ERR_OK : LIB_ERR_SERIALISE_BUFOVERFLOW;
}

errval_t pmap_measure_res(struct pmap *pmap, struct pmap_res_info *info)
{
    vm_aspace_info core;
    if (!pmap || !info)
        return LIB_ERR_INVALID_ARGS;
    int error = vm_get_aspace_info(pmap->aid, &core);
    if (error != VM_OK)
        return err_from_vm(error);
    *info = (struct pmap_res_info){
        .vnode_used = core.table_pages, .vnode_free = 0, .slots_used = core.resident_pages};
    return SYS_ERR_OK;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* `end` is where the run before it ends. */
static bool is_good(const struct pmap_dump_info *run, genvaddr_t end)
{
    return is_page_aligned(run->vaddr) && run->vaddr >= end &&
           run->size <= UINTPTR_MAX - run->vaddr && frames_are_there(run->paddr, run->size) &&
           !(run->flags & ~VREGION_FLAGS_MASK);
}

static bool is_serialised(const struct serialised *from, size_t length)
{
    genvaddr_t end = 0;
    if (length < sizeof *from || from->magic != SERIALISED_MAGIC || from->flags != 0 ||
        from->count > (length - sizeof *from) / sizeof from->run[0])
        return false;
    for (uint64_t i = 0; i < from->count; i++) {
        if (!is_good(&from->run[i], end))
            return false;
        end = from->run[i].vaddr + from->run[i].size;
    }
    return true;
}

/* What a run's frames are, as far as that can be known. */
static struct capref cap_of(const struct pmap_dump_info *run)
{
    struct capref cap = {run->paddr, run->size, ObjType_Frame};
    if (!frame_window(cap, 0))
        cap.type = ObjType_DevFrame;
    return cap;
}

errval_t pmap_deserialise(struct pmap *pmap, const void *buffer, size_t length)
{
    const struct serialised *from = buffer;
    errval_t error = SYS_ERR_OK;
    uint64_t done = 0;
    if (!pmap || !buffer || (uintptr_t)buffer % _Alignof(struct serialised) != 0)
        return LIB_ERR_INVALID_ARGS;
    if (!is_serialised(from, length))
        return LIB_ERR_DESERIALISE;
    lock_take(&pmap->lock);
    for (; err_is_ok(error) && done < from->count; done++) {
        const struct pmap_dump_info *run = &from->run[done];
        error = pmap_map_locked(pmap, run->vaddr, cap_of(run), 0, run->size, run->flags);
    }
    if (err_is_fail(error)) /* the last was not mapped */
        while (--done > 0)
            (void)vm_unmap_range(pmap->aid, from->run[done - 1].vaddr, from->run[done - 1].size);
    lock_give(&pmap->lock);
    return error;
}
