/* SPDX-License-Identifier: MIT */
#include "device/virtio_pci.h"
#include <quire/host.h>

#define CAPABILITY_VENDOR 0x09
#define CAPABILITY_KIND 3
#define CAPABILITY_BASE 4
#define CAPABILITY_OFFSET 8
#define CAPABILITY_LENGTH 12
#define CAPABILITY_MULTIPLIER 16
enum { KIND_COMMON = 1, KIND_NOTIFY = 2, KIND_INTERRUPT = 3, KIND_DEVICE = 4 };

enum { STATUS_SEEN = 1, STATUS_DRIVER = 2, STATUS_RUNNING = 4, STATUS_FEATURES = 8 };

#define RESET_PATIENCE 1000000u /* looks at the status */
#define REGISTERS_END ((addr_t)512 << 30)

_Static_assert(sizeof(struct virtio_common) == 56, "section 4.1.4.3");

/* The registers that a capability is about, if there are `least` bytes of them in reach. */
static volatile uint8_t *registers(const struct pci_device *device, unsigned capability,
                                   uint32_t least, uint32_t *length)
{
    addr_t base;
    uint32_t offset = pci_read32(device, capability + CAPABILITY_OFFSET);
    *length = pci_read32(device, capability + CAPABILITY_LENGTH);
    if (*length < least ||
        !pci_memory(device, pci_read8(device, capability + CAPABILITY_BASE), &base))
        return NULL;
    if (base + offset + *length > REGISTERS_END || ((base + offset) & 3) != 0)
        return NULL;
    return host_frame_ptr(base + offset);
}

/* Takes what a capability says; of several of a kind, the first that can be used. */
static void take_capability(struct virtio_pci *virtio, const struct pci_device *device,
                            unsigned capability)
{
    uint32_t length;
    switch (pci_read8(device, capability + CAPABILITY_KIND)) {
    case KIND_COMMON:
        if (virtio->common == NULL)
            virtio->common = (volatile void *)registers(device, capability,
                                                        sizeof(struct virtio_common), &length);
        break;
    case KIND_NOTIFY:
        if (virtio->notify != NULL)
            break;
        virtio->notify = registers(device, capability, 2, &virtio->notify_length);
        virtio->notify_multiplier = pci_read32(device, capability + CAPABILITY_MULTIPLIER);
        break;
    case KIND_INTERRUPT:
        if (virtio->interrupt_status == NULL)
            virtio->interrupt_status = registers(device, capability, 1, &length);
        break;
    case KIND_DEVICE:
        if (virtio->config == NULL)
            virtio->config = registers(device, capability, 8, &virtio->config_length);
        break;
    }
}

void virtio_pci_reset(struct virtio_pci *virtio)
{
    virtio->common->device_status = 0;
    for (unsigned i = 0; i < RESET_PATIENCE && virtio->common->device_status != 0; i++)
        __asm__ volatile("pause");
}

bool virtio_pci_open(struct virtio_pci *virtio, const struct pci_device *device)
{
    unsigned at = 0;
    *virtio = (struct virtio_pci){0};
    for (unsigned i = 0; i < 16; i++) {
        at = pci_find_capability(device, CAPABILITY_VENDOR, at);
        if (at == 0)
            break;
        take_capability(virtio, device, at);
    }
    if (virtio->common == NULL || virtio->notify == NULL || virtio->config == NULL ||
        virtio->interrupt_status == NULL)
        return false;
    uint16_t command = pci_read16(device, PCI_COMMAND);
    command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    pci_write16(device, PCI_COMMAND, (uint16_t)(command & ~PCI_COMMAND_NO_INTERRUPT));
    virtio_pci_reset(virtio);
    return true;
}

static void add_status(struct virtio_pci *virtio, unsigned status)
{
    virtio->common->device_status = (uint8_t)(virtio->common->device_status | status);
}

uint64_t virtio_pci_negotiate(struct virtio_pci *virtio, uint64_t wanted)
{
    volatile struct virtio_common *common = virtio->common;
    add_status(virtio, STATUS_SEEN);
    add_status(virtio, STATUS_DRIVER);
    common->device_feature_select = 0;
    uint64_t offered = common->device_feature;
    common->device_feature_select = 1;
    offered |= (uint64_t)common->device_feature << 32;
    uint64_t accepted = offered & (wanted | VIRTIO_VERSION_1);
    if ((accepted & VIRTIO_VERSION_1) == 0)
        return 0;
    common->driver_feature_select = 0;
    common->driver_feature = (uint32_t)accepted;
    common->driver_feature_select = 1;
    common->driver_feature = (uint32_t)(accepted >> 32);
    add_status(virtio, STATUS_FEATURES);
    return (common->device_status & STATUS_FEATURES) != 0 ? accepted : 0;
}

static void write_address(volatile uint32_t to[2], addr_t address)
{
    to[0] = (uint32_t)address;
    to[1] = (uint32_t)(address >> 32);
}

volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *virtio, uint16_t size,
                                        addr_t descriptors, addr_t available, addr_t used)
{
    volatile struct virtio_common *common = virtio->common;
    common->queue_select = 0;
    if (common->queue_size < size)
        return NULL;
    common->queue_size = size;
    uint64_t at = (uint64_t)common->queue_notify_off * virtio->notify_multiplier;
    if (at + 2 > virtio->notify_length || (at & 1) != 0)
        return NULL;
    write_address(common->queue_desc, descriptors);
    write_address(common->queue_driver, available);
    write_address(common->queue_device, used);
    common->queue_enable = 1;
    return (volatile void *)(virtio->notify + at);
}

void virtio_pci_start(struct virtio_pci *virtio)
{
    add_status(virtio, STATUS_RUNNING);
}
