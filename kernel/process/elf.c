/* SPDX-License-Identifier: MIT */
/* Loading static ELF programs. Nothing in the file is believed: each sum is checked before it is made,
 * and what is mapped was checked before anything was. */
#include <kernel/errno.h>
#include <kernel/string.h>
#include <kernel/trap.h>
#include "process/elf.h"

#define TYPE_EXECUTABLE 2
#define TYPE_SHARED 3
#define MACHINE_X86_64 62
#define SEGMENT_LOAD 1u
#define SEGMENT_INTERPRETER 3u
#define FLAG_EXECUTE 1u
#define FLAG_WRITE 2u
#define FLAG_READ 4u

/* Where Linux puts position independent programs when it doesn't randomize. */
#define POSITION_INDEPENDENT_BASE 0x555555554000ul

static addr_t page_down(addr_t address)
{
    return address & ~VM_PAGE_MASK;
}

/* Only of addresses below USER_TOP. */
static addr_t page_up(addr_t address)
{
    return (address + VM_PAGE_MASK) & ~VM_PAGE_MASK;
}

static bool is_inside(uint64_t start, uint64_t size, uint64_t limit)
{
    return start <= limit && size <= limit - start;
}

int elf_check_header(const struct elf_header *header, uint64_t file_size)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    uint64_t size = (uint64_t)header->program_header_count * sizeof(struct elf_segment);
    bool good = memcmp(header->ident, ident, sizeof(ident)) == 0 &&
                (header->type == TYPE_EXECUTABLE || header->type == TYPE_SHARED) &&
                header->machine == MACHINE_X86_64 &&
                header->program_header_size == sizeof(struct elf_segment) &&
                header->program_header_count > 0 &&
                header->program_header_count <= ELF_MAX_SEGMENTS &&
                is_inside(header->program_headers, size, file_size);
    return good ? 0 : -ENOEXEC;
}

static bool is_loadable(const struct elf_segment *segment)
{
    return segment->type == SEGMENT_LOAD && segment->memory_size != 0;
}

static bool segment_is_good(const struct elf_segment *segment, uint64_t file_size)
{
    return segment->file_size <= segment->memory_size &&
           is_inside(segment->offset, segment->file_size, file_size) &&
           is_inside(segment->address, segment->memory_size, USER_TOP) &&
           (segment->offset & VM_PAGE_MASK) == (segment->address & VM_PAGE_MASK);
}

static void note_headers(struct elf_program *program, const struct elf_segment *segment)
{
    uint64_t offset = program->header.program_headers;
    if (offset >= segment->offset && offset - segment->offset < segment->file_size)
        program->headers = offset - segment->offset + segment->address;
}

static int check_each_segment(struct elf_program *program, uint64_t file_size)
{
    program->low = USER_TOP;
    program->high = 0;
    program->headers = 0;
    for (unsigned i = 0; i < program->header.program_header_count; i++) {
        const struct elf_segment *segment = &program->segments[i];
        if (segment->type == SEGMENT_INTERPRETER)
            return -ENOENT;
        if (!is_loadable(segment))
            continue;
        if (!segment_is_good(segment, file_size))
            return -ENOEXEC;
        if (page_down(segment->address) < program->low)
            program->low = page_down(segment->address);
        if (page_up(segment->address + segment->memory_size) > program->high)
            program->high = page_up(segment->address + segment->memory_size);
        note_headers(program, segment);
    }
    return program->low < program->high ? 0 : -ENOEXEC;
}

int elf_check_segments(struct elf_program *program, uint64_t file_size)
{
    int error = check_each_segment(program, file_size);
    if (error != 0)
        return error;
    program->bias = 0;
    if (program->header.type == TYPE_SHARED)
        program->bias = POSITION_INDEPENDENT_BASE - program->low;
    else if (program->low < USER_BASE)
        return -ENOEXEC;
    if (!is_inside(POSITION_INDEPENDENT_BASE, program->high - program->low, USER_TOP))
        return -ENOEXEC;
    program->entry = program->header.entry + program->bias;
    if (program->headers != 0)
        program->headers += program->bias;
    return program->entry < USER_TOP ? 0 : -ENOEXEC;
}

static unsigned lock_of(const struct elf_segment *segment)
{
    unsigned lock = LOCK_RO;
    if (segment->flags & FLAG_WRITE)
        lock |= LOCK_RW;
    if (segment->flags & FLAG_EXECUTE)
        lock |= LOCK_EXECUTE;
    return (segment->flags & (FLAG_READ | FLAG_WRITE | FLAG_EXECUTE)) == 0 ? LOCK_NO_READ : lock;
}

/* Later segments replace what they overlap, as they do under Linux. */
static int map_segment(const struct elf_segment *segment, addr_t bias, aspace_id aspace,
                       void *vnode, const char *name)
{
    addr_t start = page_down(segment->address) + bias;
    addr_t file_end =
        segment->file_size == 0 ? start : page_up(segment->address + segment->file_size) + bias;
    addr_t end = page_up(segment->address + segment->memory_size) + bias;
    unsigned lock = lock_of(segment);
    region_id region = VM_OK;
    void *address = (void *)start;
    if (start < file_end)
        region = vm_map_vnode(aspace, name, &address, REGION_ADDR_REPLACE, file_end - start, lock,
                              REGION_PRIVATE_MAP, vnode, (off_t)page_down(segment->offset));
    address = (void *)file_end;
    if (region >= 0 && file_end < end)
        region = vm_create_anonymous_region(aspace, "bss", &address, REGION_ADDR_REPLACE,
                                            end - file_end, REGION_WIRING_LAZY, lock);
    return region >= 0 ? 0 : region == ERR_VM_BAD_ADDRESS ? -ENOEXEC : errno_from_vm((int)region);
}

int elf_map(const struct elf_program *program, aspace_id aspace, void *vnode, const char *name)
{
    for (unsigned i = 0; i < program->header.program_header_count; i++) {
        const struct elf_segment *segment = &program->segments[i];
        int error = 0;
        if (is_loadable(segment))
            error = map_segment(segment, program->bias, aspace, vnode, name);
        if (error != 0)
            return error;
    }
    return 0;
}

int elf_clear_tails(const struct elf_program *program)
{
    for (unsigned i = 0; i < program->header.program_header_count; i++) {
        const struct elf_segment *segment = &program->segments[i];
        addr_t end = segment->address + segment->file_size;
        if (!is_loadable(segment) || segment->file_size == segment->memory_size ||
            segment->file_size == 0 || (segment->flags & FLAG_WRITE) == 0)
            continue;
        if (user_memset((void *)(end + program->bias), 0, page_up(end) - end) != VM_OK)
            return -ENOMEM;
    }
    return 0;
}
