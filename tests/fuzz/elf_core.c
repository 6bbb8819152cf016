/* SPDX-License-Identifier: MIT */
#include "elf_core.h"

#include <kernel/trap.h>
#include <quire/host.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define MAX_MAPPINGS 200
#define MAX_PROMISE ((addr_t)64 << 20) /* of one region: as if memory were that small */

/* Later ones lie over earlier ones. */
struct mapping {
    addr_t first, last;
    unsigned lock;
    const struct core_file *file; /* NULL: zeros */
    size_t offset;
};

struct written_page {
    struct written_page *next;
    addr_t base;
    uint8_t bytes[VM_PAGE_SIZE];
};

struct vm_address_space {
    aspace_id id;
    unsigned references;
    unsigned count;
    struct mapping mappings[MAX_MAPPINGS];
    struct written_page *written;
    struct vm_address_space *next;
};

struct core_use core_use;
static struct vm_address_space *spaces, *entered;
static bool copies_to_user;
static aspace_id last_id;

static bool may_allocate(void)
{
    if (core_use.allocations_left > 0)
        core_use.allocations_left--;
    else if (core_use.allocations_left == 0)
        return false;
    return true;
}

/* ---- memory of the kernel's own ----------------------------------------------------------------- */

int vm_allocate_frames(size_t count, bool clear, addr_t *physical)
{
    EXPECT(count == 1);
    void *frame = may_allocate() ? aligned_alloc(VM_PAGE_SIZE, VM_PAGE_SIZE) : NULL;
    if (frame == NULL)
        return ERR_NO_MEMORY;
    memset(frame, clear ? 0 : 0xa5, VM_PAGE_SIZE);
    core_use.frames++;
    *physical = (addr_t)frame;
    return VM_OK;
}

void vm_free_frames(addr_t physical, size_t count)
{
    EXPECT(count == 1 && physical % VM_PAGE_SIZE == 0);
    core_use.frames--;
    free((void *)physical);
}

void *host_frame_ptr(addr_t physical)
{
    return (void *)physical;
}

void *vm_meta_alloc(size_t size)
{
    void *memory = may_allocate() ? malloc(size) : NULL;
    if (memory != NULL)
        core_use.metadata += size;
    return memory;
}

void vm_meta_free(void *memory, size_t size)
{
    core_use.metadata -= size;
    free(memory);
}

/* ---- files -------------------------------------------------------------------------------------- */

off_t host_vnode_size(void *vnode)
{
    return (off_t)((struct core_file *)vnode)->size;
}

void host_vnode_release(void *vnode)
{
    struct core_file *file = vnode;
    EXPECT(file->references > 0);
    file->references--;
}

int vm_get_vnode_cache(void *vnode, vm_cache_ref **cache)
{
    if (!may_allocate())
        return ERR_NO_MEMORY;
    ((struct core_file *)vnode)->references++;
    *cache = vnode;
    return VM_OK;
}

void vm_put_cache(vm_cache_ref *cache)
{
    host_vnode_release(cache);
}

static uint8_t file_byte(const struct core_file *file, size_t at)
{
    return at < file->size ? file->bytes[at] : 0;
}

int vm_cache_read(vm_cache_ref *cache, off_t position, void *buffer, size_t length, bool user,
                  size_t *done)
{
    const struct core_file *file = (const void *)cache;
    EXPECT(position >= 0 && !user && length <= VM_PAGE_SIZE);
    *done = 0;
    if (!may_allocate())
        return ERR_IO;
    for (; *done < length; ++*done)
        ((uint8_t *)buffer)[*done] = file_byte(file, (size_t)position + *done);
    return VM_OK;
}

/* ---- address spaces ----------------------------------------------------------------------------- */

static struct vm_address_space *space_of(aspace_id id)
{
    struct vm_address_space *space = spaces;
    while (space != NULL && space->id != id)
        space = space->next;
    EXPECT(space != NULL);
    return space;
}

aspace_id vm_create_aspace(const char *name, addr_t base, addr_t size, bool for_kernel)
{
    EXPECT(name != NULL && base == USER_BASE && size == USER_TOP - USER_BASE && !for_kernel);
    struct vm_address_space *space = may_allocate() ? calloc(1, sizeof(*space)) : NULL;
    if (space == NULL)
        return ERR_NO_MEMORY;
    space->id = ++last_id;
    space->references = 1;
    space->next = spaces;
    spaces = space;
    core_use.spaces++;
    return space->id;
}

vm_address_space *vm_get_aspace_by_id(aspace_id aid)
{
    struct vm_address_space *space = space_of(aid);
    space->references++;
    return space;
}

void vm_put_aspace(vm_address_space *aspace)
{
    if (--aspace->references > 0)
        return;
    struct vm_address_space **link = &spaces;
    while (*link != aspace)
        link = &(*link)->next;
    *link = aspace->next;
    while (aspace->written != NULL) {
        struct written_page *next = aspace->written->next;
        free(aspace->written);
        aspace->written = next;
    }
    if (entered == aspace)
        entered = NULL;
    core_use.spaces--;
    free(aspace);
}

int vm_delete_aspace(aspace_id aid)
{
    vm_put_aspace(space_of(aid));
    return VM_OK;
}

aspace_id vm_copy_aspace(aspace_id source, const char *name)
{
    (void)source, (void)name;
    return ERR_UNSUPPORTED; /* execve makes no copies */
}

/* ---- mappings: what the loader may ask for ------------------------------------------------------- */

static const struct mapping *mapping_at(const struct vm_address_space *space, addr_t address)
{
    for (unsigned i = space->count; i-- > 0;)
        if (address >= space->mappings[i].first && address <= space->mappings[i].last)
            return &space->mappings[i];
    return NULL;
}

static bool is_free(const struct vm_address_space *space, addr_t first, addr_t last)
{
    for (unsigned i = 0; i < space->count; i++)
        if (first <= space->mappings[i].last && last >= space->mappings[i].first)
            return false;
    return true;
}

static region_id map(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                     struct mapping mapping)
{
    struct vm_address_space *space = space_of(aid);
    addr_t first = (addr_t)*address;
    EXPECT(name != NULL && size > 0 && size % VM_PAGE_SIZE == 0 && first % VM_PAGE_SIZE == 0);
    EXPECT(first >= USER_BASE && first < USER_TOP && size <= USER_TOP - first);
    EXPECT((mapping.lock & ~(LOCK_RW | LOCK_EXECUTE)) == 0 || mapping.lock == LOCK_NO_READ ||
           mapping.lock == (LOCK_RW | REGION_GROWS_DOWN));
    EXPECT(addr_type == REGION_ADDR_REPLACE || addr_type == REGION_ADDR_EXACT_ADDRESS);
    mapping.first = first;
    mapping.last = first + (size - 1);
    if (addr_type == REGION_ADDR_EXACT_ADDRESS && !is_free(space, first, mapping.last))
        return ERR_VM_NO_REGION_SLOT;
    if (size > MAX_PROMISE)
        return ERR_VM_WOULD_OVERCOMMIT;
    if (!may_allocate())
        return ERR_NO_MEMORY;
    EXPECT(space->count < MAX_MAPPINGS);
    space->mappings[space->count++] = mapping;
    return space->count;
}

region_id vm_map_vnode(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, void *vnode, off_t offset)
{
    const struct core_file *file = vnode;
    EXPECT(mapping == REGION_PRIVATE_MAP && offset >= 0 && (size_t)offset % VM_PAGE_SIZE == 0);
    /* No page lies wholly behind the end of the file: an access would be a fault. */
    EXPECT((size_t)offset < file->size && size - VM_PAGE_SIZE < file->size - (size_t)offset);
    return map(aid, name, address, addr_type, size,
               (struct mapping){.lock = lock, .file = file, .offset = (size_t)offset});
}

region_id vm_create_anonymous_region(aspace_id aid, const char *name, void **address, int addr_type,
                                     addr_t size, int wiring, unsigned lock)
{
    EXPECT(wiring == REGION_WIRING_LAZY);
    return map(aid, name, address, addr_type, size, (struct mapping){.lock = lock});
}

/* ---- a program's bytes --------------------------------------------------------------------------- */

void core_enter(vm_address_space *aspace)
{
    entered = aspace;
    copies_to_user = true;
}

void core_leave_kernel(void)
{
    copies_to_user = false;
}

static struct written_page *find_written(const struct vm_address_space *space, addr_t address)
{
    struct written_page *page = space->written;
    while (page != NULL && page->base != (address & ~VM_PAGE_MASK))
        page = page->next;
    return page;
}

static uint8_t mapped_byte(const struct mapping *mapping, addr_t address)
{
    return mapping->file == NULL
               ? 0
               : file_byte(mapping->file, mapping->offset + (address - mapping->first));
}

bool core_read(addr_t address, uint8_t *byte, unsigned *lock)
{
    const struct mapping *mapping = entered != NULL ? mapping_at(entered, address) : NULL;
    if (mapping == NULL)
        return false;
    const struct written_page *page = find_written(entered, address);
    *byte = page != NULL ? page->bytes[address & VM_PAGE_MASK] : mapped_byte(mapping, address);
    *lock = mapping->lock;
    return true;
}

static int write_byte(addr_t address, uint8_t byte)
{
    const struct mapping *mapping = mapping_at(entered, address);
    if (mapping == NULL || !(mapping->lock & LOCK_RW))
        return ERR_VM_BAD_USER_MEMORY;
    struct written_page *page = find_written(entered, address);
    if (page == NULL) {
        page = malloc(sizeof(*page));
        EXPECT(page != NULL);
        page->base = address & ~VM_PAGE_MASK;
        for (size_t i = 0; i < VM_PAGE_SIZE; i++)
            page->bytes[i] = mapped_byte(mapping, page->base + i);
        page->next = entered->written;
        entered->written = page;
    }
    page->bytes[address & VM_PAGE_MASK] = byte;
    return VM_OK;
}

static int read_byte(addr_t address, uint8_t *byte)
{
    unsigned lock;
    EXPECT(address >= USER_BASE && address < USER_TOP + VM_PAGE_SIZE);
    return core_read(address, byte, &lock) && lock != LOCK_NO_READ ? VM_OK : ERR_VM_BAD_USER_MEMORY;
}

int user_memcpy(void *to, const void *from, size_t size)
{
    int error = VM_OK;
    for (size_t i = 0; i < size && error == VM_OK; i++)
        error = copies_to_user ? write_byte((addr_t)to + i, ((const uint8_t *)from)[i])
                               : read_byte((addr_t)from + i, (uint8_t *)to + i);
    return error;
}

int user_strncpy(char *to, const char *from, size_t size)
{
    int error = VM_OK;
    EXPECT(!copies_to_user);
    for (size_t i = 0; i < size && error == VM_OK; i++) {
        error = read_byte((addr_t)from + i, (uint8_t *)to + i);
        if (error == VM_OK && to[i] == '\0')
            break;
    }
    return error;
}

int user_memset(void *s, char c, size_t count)
{
    int error = VM_OK;
    EXPECT(count < VM_PAGE_SIZE);
    for (size_t i = 0; i < count && error == VM_OK; i++)
        error = write_byte((addr_t)s + i, (uint8_t)c);
    return error;
}
