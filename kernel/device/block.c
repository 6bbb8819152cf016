/* SPDX-License-Identifier: MIT */
/* What is the same for all disks: finding them, cutting transfers into requests, counting. */
#include "device/block.h"
#include "device/virtio_block.h"
#include <kernel/log.h>
#include <kernel/string.h>

static struct block_device *devices[BLOCK_MAX_DEVICES];
static unsigned device_count;

static void found(const struct pci_device *pci)
{
    if (!virtio_block_is(pci))
        return;
    struct block_device *device = NULL;
    if (device_count < BLOCK_MAX_DEVICES)
        device = virtio_block_open(pci);
    if (device != NULL)
        devices[device_count++] = device;
    else
        log_printf("the disk in PCI slot %u can't be used\n", pci->slot);
}

void block_init(void)
{
    pci_visit(found);
}

unsigned block_count(void)
{
    return device_count;
}

struct block_device *block_at(unsigned index)
{
    return devices[index];
}

struct block_device *block_find(const char *name)
{
    for (unsigned i = 0; i < device_count; i++)
        if (strcmp(devices[i]->name, name) == 0)
            return devices[i];
    return NULL;
}

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

static void count_request(struct block_device *device, bool write, int error, uint64_t bytes)
{
    count(write ? &device->writes : &device->reads, 1);
    if (error != VM_OK)
        count(&device->errors, 1);
    else
        count(write ? &device->bytes_written : &device->bytes_read, bytes);
}

static int transfer(struct block_device *device, bool write, uint64_t offset, const addr_t *frames,
                    size_t count)
{
    uint64_t end = device->sectors * BLOCK_SECTOR;
    if (offset % BLOCK_SECTOR != 0 || (write && device->read_only))
        return ERR_IO;
    while (count > 0 && offset < end) {
        size_t pages = count < BLOCK_PIECE ? count : BLOCK_PIECE;
        uint64_t bytes = pages * VM_PAGE_SIZE;
        if (bytes > end - offset)
            bytes = end - offset;
        int error = virtio_block_request(device, write ? VIRTIO_BLOCK_WRITE : VIRTIO_BLOCK_READ,
                                         offset / BLOCK_SECTOR, frames, bytes);
        count_request(device, write, error, bytes);
        if (error != VM_OK)
            return error;
        offset += bytes;
        frames += pages;
        count -= pages;
    }
    return VM_OK;
}

int block_read(struct block_device *device, uint64_t offset, const addr_t *frames, size_t count)
{
    return transfer(device, false, offset, frames, count);
}

int block_write(struct block_device *device, uint64_t offset, const addr_t *frames, size_t count)
{
    return transfer(device, true, offset, frames, count);
}

int block_flush(struct block_device *device)
{
    if (device->read_only || !virtio_block_has_flush(device))
        return VM_OK;
    int error = virtio_block_request(device, VIRTIO_BLOCK_FLUSH, 0, NULL, 0);
    if (error != VM_OK)
        count(&device->errors, 1);
    return error;
}
