/* SPDX-License-Identifier: MIT */
/* The configuration space of PCI, by mechanism 1 (ports 0xcf8 and 0xcfc), which every PC has. The
 * firmware has given addresses and interrupt lines to all devices. */
#ifndef KERNEL_PCI_H
#define KERNEL_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include <quire/types.h>

struct pci_device {
    uint8_t slot, function; /* on bus 0: QEMU puts devices nowhere else by itself */
    uint16_t vendor, id;
};

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_COMMAND_NO_INTERRUPT 0x400u

/* Of the configuration space; `offset` lies inside it, aligned to the size. */
uint8_t pci_read8(const struct pci_device *device, unsigned offset);
uint16_t pci_read16(const struct pci_device *device, unsigned offset);
uint32_t pci_read32(const struct pci_device *device, unsigned offset);
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value);

/* All devices of bus 0. */
void pci_visit(void (*visit)(const struct pci_device *device));
/* The next capability of this kind behind `after` (0: the first): its offset, or 0. */
unsigned pci_find_capability(const struct pci_device *device, uint8_t kind, unsigned after);
/* Where base address register `index` says its memory is; false: there is none, or out of reach. */
bool pci_memory(const struct pci_device *device, unsigned index, addr_t *physical);
/* The line of the 8259s that the device's interrupt comes by; 16 or more: none. */
unsigned pci_interrupt_line(const struct pci_device *device);

#endif
