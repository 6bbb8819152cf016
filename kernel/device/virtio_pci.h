/* SPDX-License-Identifier: MIT */
/* A virtio device on PCI, by the modern interface (OASIS Virtual I/O Device 1.1, sections 3.1 and 4.1):
 * its registers lie in memory, so it takes no port numbers and its queue may be of our size. QEMU's
 * devices have it whichever of its PC machines they are on. */
#ifndef KERNEL_VIRTIO_PCI_H
#define KERNEL_VIRTIO_PCI_H

#include "device/pci.h"

/* Section 4.1.4.3. */
struct virtio_common {
    uint32_t device_feature_select, device_feature;
    uint32_t driver_feature_select, driver_feature;
    uint16_t msix_config, num_queues;
    uint8_t device_status, config_generation;
    uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
    uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};

struct virtio_pci {
    volatile struct virtio_common *common;
    volatile uint8_t *interrupt_status; /* reading it acknowledges */
    const volatile uint8_t *config;
    volatile uint8_t *notify; /* the start of the notification registers */
    uint32_t config_length, notify_length, notify_multiplier;
};

#define VIRTIO_VERSION_1 ((uint64_t)1 << 32)

/* Finds the registers and resets the device. False: not all of them are there. */
bool virtio_pci_open(struct virtio_pci *virtio, const struct pci_device *device);
/* Accepts those of `wanted` that the device has, and VIRTIO_VERSION_1: what was accepted; 0: it refuses. */
uint64_t virtio_pci_negotiate(struct virtio_pci *virtio, uint64_t wanted);
/* Lays queue 0 out with `size` entries (a power of two) at three physical addresses. Gives back the
 * register that tells the device of new requests; NULL: it can't have such a queue. */
volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *virtio, uint16_t size,
                                        addr_t descriptors, addr_t available, addr_t used);
void virtio_pci_start(struct virtio_pci *virtio);
/* It touches no memory afterwards. */
void virtio_pci_reset(struct virtio_pci *virtio);

#endif
