/* SPDX-License-Identifier: MIT */
/* Disks of virtio (OASIS Virtual I/O Device 1.1, section 5.2). */
#ifndef KERNEL_VIRTIO_BLOCK_H
#define KERNEL_VIRTIO_BLOCK_H

#include "device/block.h"
#include "device/pci.h"

enum virtio_block_type {
    VIRTIO_BLOCK_READ = 0,
    VIRTIO_BLOCK_WRITE = 1,
    VIRTIO_BLOCK_FLUSH = 4,
    VIRTIO_BLOCK_GET_NAME = 8,
};

/* Whether it is one at all. */
bool virtio_block_is(const struct pci_device *device);
/* Starts it. NULL: it can't be used; the log says why. */
struct block_device *virtio_block_open(const struct pci_device *device);
/* One request: `bytes` of the frames, of which there are as many as that takes, BLOCK_PIECE at
 * most. Sleeps. VM_OK or ERR_IO. */
int virtio_block_request(struct block_device *device, enum virtio_block_type type, uint64_t sector,
                         const addr_t *frames, size_t bytes);
/* Whether flushes mean anything. */
bool virtio_block_has_flush(const struct block_device *device);
/* The interrupt of this line has come: whose it is isn't known. */
void virtio_block_interrupt(unsigned line);

#endif
