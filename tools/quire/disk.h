/* SPDX-License-Identifier: MIT */
/* The machine's disks: files of the host (--disk), and room for pages of memory (--swap). */
#ifndef QUIRE_TOOL_DISK_H
#define QUIRE_TOOL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

#define MAX_DISK_FILES 16

struct disk {
    char name[16]; /* in the machine: its serial number */
    int fd;
    uint64_t size; /* in bytes; of a file whatever it is */
    bool read_only;
    char *host;
    char *guest; /* where the kernel has the file; NULL: it is swap */
    dev_t device;
    ino_t inode;
};

struct disks {
    struct disk items[MAX_DISK_FILES + MAX_SWAPS];
    size_t count;
};

/* Opens the files, and makes the swap, in a file without a name that ends with this process. 0, or a
 * status after a message; disks_close is for both. */
int disks_open(struct disks *disks, const struct boot_options *options);
/* Once the machine has ended: closes them. The files are as long as they were: QEMU writes whole
 * sectors. 0, or a status after a message. */
int disks_close(struct disks *disks);

#endif
