/* SPDX-License-Identifier: MIT */
#include "device/pci.h"
#include <kernel/cpu.h>

#define ADDRESS_PORT 0xcf8
#define DATA_PORT 0xcfc
#define ADDRESS_ENABLE 0x80000000u

#define STATUS 0x06
#define STATUS_CAPABILITIES 0x10u
#define HEADER_TYPE 0x0e
#define HEADER_MANY_FUNCTIONS 0x80u
#define BASE_ADDRESS 0x10
#define BASE_ADDRESSES 6
#define CAPABILITIES 0x34
#define INTERRUPT_LINE 0x3c
#define MAX_CAPABILITIES 48 /* that fit into the space: a list that is longer runs in a circle */

#define BASE_IS_PORTS 0x1u
#define BASE_TYPE 0x6u
#define BASE_64_BITS 0x4u

#define DIRECT_MAP_SIZE ((addr_t)512 << 30)

static void select(const struct pci_device *device, unsigned offset)
{
    out32(ADDRESS_PORT, ADDRESS_ENABLE | (uint32_t)device->slot << 11 |
                            (uint32_t)device->function << 8 | (offset & 0xfc));
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    select(device, offset);
    return in32(DATA_PORT);
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
    return (uint16_t)(pci_read32(device, offset) >> (offset & 2) * 8);
}

uint8_t pci_read8(const struct pci_device *device, unsigned offset)
{
    return (uint8_t)(pci_read32(device, offset) >> (offset & 3) * 8);
}

/* The other half is written as it was read; but beside the command lies the status, of which ones that are
 * written are cleared. */
void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
    unsigned shift = (offset & 2) * 8;
    uint32_t old = offset == PCI_COMMAND ? 0 : pci_read32(device, offset);
    select(device, offset);
    out32(DATA_PORT, (old & ~(0xffffu << shift)) | (uint32_t)value << shift);
}

static bool read_identity(struct pci_device *device)
{
    uint32_t identity = pci_read32(device, 0);
    device->vendor = (uint16_t)identity;
    device->id = (uint16_t)(identity >> 16);
    return device->vendor != 0xffff;
}

void pci_visit(void (*visit)(const struct pci_device *device))
{
    for (unsigned slot = 0; slot < 32; slot++) {
        struct pci_device device = {.slot = (uint8_t)slot};
        if (!read_identity(&device))
            continue;
        bool many = (pci_read8(&device, HEADER_TYPE) & HEADER_MANY_FUNCTIONS) != 0;
        visit(&device);
        for (unsigned function = 1; many && function < 8; function++) {
            device.function = (uint8_t)function;
            if (read_identity(&device))
                visit(&device);
        }
    }
}

unsigned pci_find_capability(const struct pci_device *device, uint8_t kind, unsigned after)
{
    if ((pci_read16(device, STATUS) & STATUS_CAPABILITIES) == 0)
        return 0;
    unsigned at = pci_read8(device, after != 0 ? after + 1 : CAPABILITIES) & 0xfcu;
    for (unsigned i = 0; i < MAX_CAPABILITIES && at >= 0x40; i++) {
        if (pci_read8(device, at) == kind)
            return at;
        at = pci_read8(device, at + 1) & 0xfcu;
    }
    return 0;
}

bool pci_memory(const struct pci_device *device, unsigned index, addr_t *physical)
{
    if (index >= BASE_ADDRESSES)
        return false;
    uint32_t low = pci_read32(device, BASE_ADDRESS + index * 4), high = 0;
    if ((low & BASE_IS_PORTS) != 0)
        return false;
    if ((low & BASE_TYPE) == BASE_64_BITS && index + 1 < BASE_ADDRESSES)
        high = pci_read32(device, BASE_ADDRESS + (index + 1) * 4);
    *physical = (addr_t)high << 32 | (low & ~0xfu);
    return *physical != 0 && *physical < DIRECT_MAP_SIZE;
}

unsigned pci_interrupt_line(const struct pci_device *device)
{
    return pci_read8(device, INTERRUPT_LINE);
}
