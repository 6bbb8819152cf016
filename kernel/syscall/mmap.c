/* SPDX-License-Identifier: MIT */
/* mmap and munmap: Linux's checks in Linux's order, then Quire. */
#include "fs/device.h"
#include "fs/ramfs.h"
#include "memory.h"

enum {
    MAP_SHARED = 1,
    MAP_PRIVATE = 2,
    MAP_SHARED_VALIDATE = 3,
    MAP_TYPE = 0xf,
    MAP_FIXED = 0x10,
    MAP_ANONYMOUS = 0x20,
    MAP_GROWSDOWN = 0x100,
    MAP_DENYWRITE = 0x800,
    MAP_EXECUTABLE = 0x1000,
    MAP_LOCKED = 0x2000,
    MAP_NORESERVE = 0x4000,
    MAP_POPULATE = 0x8000,
    MAP_NONBLOCK = 0x10000,
    MAP_STACK = 0x20000,
    MAP_HUGETLB = 0x40000,
    MAP_FIXED_NOREPLACE = 0x100000,
    /* what MAP_SHARED_VALIDATE knows */
    MAP_LEGACY = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN |
                 MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |
                 MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB,
};

struct mapping {
    addr_t address, size;
    unsigned protection, flags;
    off_t offset;
    struct file *file; /* NULL: anonymous */
    bool shared;
};

unsigned lock_of_protection(unsigned protection)
{
    if ((protection & (PROT_READ | PROT_WRITE | PROT_EXEC)) == 0)
        return LOCK_NO_READ;
    return ((protection & PROT_WRITE) != 0 ? LOCK_RW : LOCK_RO) |
           ((protection & PROT_EXEC) != 0 ? LOCK_EXECUTE : 0);
}

/* Below the room that the stack may grow into, and its guard. */
addr_t mapping_top(const struct user_memory *memory)
{
    addr_t reserve = STACK_LIMIT + (VM_STACK_GUARD_PAGES + 1) * VM_PAGE_SIZE;
    addr_t top = (memory->stack_top + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    return top > USER_BASE + reserve ? top - reserve : 0;
}

static int check_address(const struct mapping *mapping)
{
    if (mapping->size > USER_TOP)
        return -ENOMEM;
    if ((mapping->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0)
        return 0;
    if (mapping->address > USER_TOP - mapping->size)
        return -ENOMEM;
    if ((mapping->address & VM_PAGE_MASK) != 0)
        return -EINVAL;
    return mapping->address < USER_BASE ? -EPERM : 0;
}

static int check_file(struct mapping *mapping)
{
    const struct vnode *vnode = mapping->file->vnode;
    if (mapping->offset < 0 || mapping->offset > INT64_MAX - (off_t)mapping->size)
        return -EOVERFLOW;
    if (mapping->shared && (mapping->protection & PROT_WRITE) != 0 && !file_writable(mapping->file))
        return -EACCES;
    if (!file_readable(mapping->file))
        return (file_flags(mapping->file) & O_PATH) != 0 ? -EBADF : -EACCES;
    if (!vnode_is_file(vnode) && vnode->device != DEVICE_ZERO)
        return -ENODEV;
    return (mapping->flags & MAP_GROWSDOWN) != 0 ? -EINVAL : 0;
}

static int check_type(struct mapping *mapping)
{
    unsigned type = mapping->flags & MAP_TYPE;
    bool anonymous = mapping->file == NULL;
    if (type != MAP_SHARED && type != MAP_PRIVATE && (type != MAP_SHARED_VALIDATE || anonymous))
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && (mapping->flags & ~(unsigned)MAP_LEGACY) != 0)
        return -EOPNOTSUPP;
    mapping->shared = type != MAP_PRIVATE;
    if (!anonymous)
        return check_file(mapping);
    return mapping->shared && (mapping->flags & MAP_GROWSDOWN) != 0 ? -EINVAL : 0;
}

/* One try at a place. */
static region_id map_at(const struct user_memory *memory, const struct mapping *mapping,
                        addr_t *address, int address_type)
{
    unsigned lock = lock_of_protection(mapping->protection);
    struct vnode *vnode = mapping->file != NULL ? mapping->file->vnode : NULL;
    void *place = (void *)*address;
    region_id region;
    if ((mapping->flags & MAP_NORESERVE) != 0)
        lock |= REGION_OVERCOMMIT;
    if (vnode != NULL && vnode_is_file(vnode)) {
        if (mapping->shared && !file_writable(mapping->file))
            lock |= REGION_NO_WRITE;
        region = vm_map_vnode(memory->id, "file", &place, address_type, mapping->size, lock,
                              mapping->shared ? REGION_NO_PRIVATE_MAP : REGION_PRIVATE_MAP, vnode,
                              mapping->offset);
    } else {
        lock |= mapping->shared ? REGION_SHARED : 0;
        lock |= (mapping->flags & MAP_GROWSDOWN) != 0 ? REGION_GROWS_DOWN : 0;
        region = vm_create_anonymous_region(memory->id, "anonymous", &place, address_type,
                                            mapping->size, REGION_WIRING_LAZY, lock);
    }
    *address = (addr_t)place;
    return region;
}

static bool no_room(region_id region)
{
    return region == ERR_VM_NO_REGION_SLOT || region == ERR_VM_BAD_ADDRESS;
}

/* Free, and not in the gap below a region that grows down. */
static bool is_good_hint(const struct user_memory *memory, addr_t address, addr_t size)
{
    addr_t found;
    return address != 0 && size <= USER_TOP && address <= USER_TOP - size &&
           vm_find_hole(memory->id, size, VM_PAGE_SIZE, address, address + size, &found) == VM_OK;
}

/* At the address asked for, if that is free, else as high as possible below the stack. */
static region_id map_somewhere(const struct user_memory *memory, const struct mapping *mapping,
                               addr_t *address)
{
    region_id region = ERR_VM_NO_REGION_SLOT;
    *address = (mapping->address + VM_PAGE_MASK) & ~VM_PAGE_MASK;
    if (is_good_hint(memory, *address, mapping->size))
        region = map_at(memory, mapping, address, REGION_ADDR_EXACT_ADDRESS);
    if (no_room(region)) {
        *address = mapping_top(memory);
        region = map_at(memory, mapping, address, REGION_ADDR_TOP);
    }
    if (no_room(region)) {
        *address = 0;
        region = map_at(memory, mapping, address, REGION_ADDR_TOP);
    }
    return region;
}

static int64_t map(const struct user_memory *memory, const struct mapping *mapping)
{
    addr_t address = mapping->address;
    region_id region;
    if ((mapping->flags & MAP_FIXED_NOREPLACE) != 0)
        region = map_at(memory, mapping, &address, REGION_ADDR_EXACT_ADDRESS);
    else if ((mapping->flags & MAP_FIXED) != 0)
        region = map_at(memory, mapping, &address, REGION_ADDR_REPLACE);
    else
        region = map_somewhere(memory, mapping, &address);
    if (region == ERR_VM_NO_REGION_SLOT && (mapping->flags & MAP_FIXED_NOREPLACE) != 0)
        return -EEXIST;
    if (region < 0)
        return region == ERR_VM_BAD_ADDRESS ? -ENOMEM : errno_from_vm((int)region);
    return (int64_t)address;
}

/* Brings the pages in as far as that goes; nobody is told if it doesn't. */
static void populate(const struct user_memory *memory, const struct mapping *mapping,
                     addr_t address)
{
    unsigned access = VM_ACCESS_USER;
    bool writes = (mapping->protection & PROT_WRITE) != 0;
    if ((mapping->protection & (PROT_READ | PROT_WRITE)) == 0)
        return;
    access |= writes ? VM_ACCESS_WRITE : VM_ACCESS_READ;
    for (addr_t offset = 0; offset < mapping->size; offset += VM_PAGE_SIZE) {
        if (thread_should_stop(WAIT_KILLABLE) ||
            vm_fault_aspace(memory->id, address + offset, access) != VM_OK)
            return;
    }
}

/* A file that a mapping shares must have its memory promised before somebody writes to it. */
static int prepare_file(const struct mapping *mapping)
{
    struct vnode *vnode = mapping->file->vnode;
    if (!vnode_is_file(vnode))
        return 0;
    int error = vnode_prepare_mapping(vnode);
    if (error == 0 && mapping->shared && file_writable(mapping->file))
        error = vnode_commit_all(vnode);
    return error == -ENOSPC ? -ENOMEM : error;
}

static int64_t check_and_map(struct mapping *mapping)
{
    const struct user_memory *memory = process_current()->memory;
    if (mapping->size == 0)
        return -EINVAL;
    mapping->size = page_round_up(mapping->size);
    if (mapping->size == 0)
        return -ENOMEM;
    int error = check_address(mapping);
    if (error == 0)
        error = check_type(mapping);
    if (error == 0 && mapping->file != NULL)
        error = prepare_file(mapping);
    if (error != 0)
        return error;
    int64_t address = map(memory, mapping);
    if (address > 0 && (mapping->flags & MAP_LOCKED) != 0)
        (void)vm_wire_range(memory->id, (addr_t)address, mapping->size);
    else if (address > 0 && (mapping->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
        populate(memory, mapping, (addr_t)address);
    return address;
}

int64_t sys_mmap(struct trap_frame *frame)
{
    struct mapping mapping = {
        .address = ARGUMENT(0),
        .size = SIZE(1),
        .protection = UNSIGNED(2),
        .flags = UNSIGNED(3),
        .offset = (off_t)ARGUMENT(5),
    };
    if ((mapping.offset & (off_t)VM_PAGE_MASK) != 0)
        return -EINVAL;
    if ((mapping.flags & MAP_ANONYMOUS) != 0) {
        mapping.offset = 0;
        return check_and_map(&mapping);
    }
    mapping.file = file_of(INTEGER(4));
    if (mapping.file == NULL)
        return -EBADF;
    int64_t result = check_and_map(&mapping);
    file_release(mapping.file);
    return result;
}

int64_t sys_munmap(struct trap_frame *frame)
{
    addr_t address = ARGUMENT(0), size = SIZE(1);
    if ((address & VM_PAGE_MASK) != 0 || address > USER_TOP || size > USER_TOP - address)
        return -EINVAL;
    size = page_round_up(size);
    if (size == 0)
        return -EINVAL;
    if (address < USER_BASE) {
        /* Nothing is ever there. */
        if (size <= USER_BASE - address)
            return 0;
        size -= USER_BASE - address;
        address = USER_BASE;
    }
    return errno_from_vm(vm_unmap_range(process_current()->memory->id, address, size));
}
