/* SPDX-License-Identifier: MIT */
/* Reads an archive in cpio's "newc" format that may be broken or hostile. */
#ifndef KERNEL_FS_CPIO_H
#define KERNEL_FS_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio_entry {
    const char *name; /* not empty, with a NUL behind `name_length`; slashes in front are skipped */
    size_t name_length;
    const uint8_t *data;
    size_t size;
    uint32_t mode, uid, gid, modified, links, inode, device_major, device_minor;
    uint32_t special_major, special_minor; /* of a device file */
};

struct cpio_reader {
    const uint8_t *next;
    size_t left;
    const char *problem; /* a sentence without a full stop, once cpio_next has given -1 */
};

void cpio_open(struct cpio_reader *reader, const void *archive, size_t size);
/* 1 and an entry; 0 at the end of the archive; -1 for a broken one. */
int cpio_next(struct cpio_reader *reader, struct cpio_entry *entry);

#endif
