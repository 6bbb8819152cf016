/* SPDX-License-Identifier: MIT */
/* Static ELF programs: what their headers say, and mapping them. */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <quire/vm.h>

#define ELF_MAX_SEGMENTS 73 /* as many program headers as fit in a page: Linux's limit */

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, program_header_count;
    uint16_t section_header_size, section_header_count, section_names;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, alignment;
};

struct elf_program {
    struct elf_header header;
    struct elf_segment *segments; /* a page of the caller's */
    addr_t bias;           /* what is added to all addresses: not 0 for position independent ones */
    addr_t low, high;      /* the pages it takes, before the bias */
    addr_t entry, headers; /* biased; headers 0: not in memory */
};

/* Whether the header is one of a 64-bit program for this machine: 0, or -ENOEXEC. */
int elf_check_header(const struct elf_header *header, uint64_t file_size);
/* With header and segments read: checks everything and fills in the rest. -ENOEXEC; -ENOENT for a
 * program that wants a dynamic loader: there is none. */
int elf_check_segments(struct elf_program *program, uint64_t file_size);
/* Maps the segments into an empty address space. -ENOMEM, -ENOEXEC. */
int elf_map(const struct elf_program *program, aspace_id aspace, void *vnode, const char *name);
/* Clears what lies between the file's bytes and the end of their last pages. => in that space */
int elf_clear_tails(const struct elf_program *program);

#endif
