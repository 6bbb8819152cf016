/* SPDX-License-Identifier: MIT */
/* One access that Linux could not do: the core's tables, else the core's fault, and again. */
#include "regions.h"

static void take_window(addr_t address, void *unused)
{
    (void)unused;
    place_lock(address);
}

/* FILL_AGAIN: the core's tables don't allow it, or whatever it needs is in use; *waits_for: by whom. */
static int try_fill(addr_t address, unsigned access, uint32_t *waits_for)
{
    addr_t physical;
    bool writable;
    *waits_for = NO_NODE;
    if (vm_translate(process.aspace, address, access, take_window, NULL, &physical, &writable) !=
        VM_OK)
        return FILL_AGAIN;
    uint32_t frame = frame_of(physical);
    *waits_for = frame;
    if (!(access & VM_ACCESS_WRITE) && place_find(address) == frame)
        writable = false; /* it is shown, and nobody wrote: see quire_changed */
    return fill(address, frame, writable);
}

/* The core's fault, and what the region adds to it. An error of a page that is read ahead is none of this one. */
static int take_fault(struct region *region, addr_t address, unsigned access)
{
    unsigned cluster = region ? region_before_fault(region, address) : 0;
    unsigned user = access | VM_ACCESS_USER;
    int error = vm_fault_address_space(process.aspace, address, user | cluster);
    if (error != VM_OK && cluster != 0)
        error = vm_fault_address_space(process.aspace, address, user);
    if (error == VM_OK && region)
        region_after_fault(region, address, access);
    return error;
}

/* Where nothing is shown the core's tables have nothing, as a rule, but for what was read ahead. */
static bool must_fault(const struct region *region, bool is_absent)
{
    return is_absent && region && (region->granule == VM_PAGE_SIZE || !ahead_is_used());
}

int fault_resolve(addr_t address, unsigned access, bool is_absent)
{
    struct region *region = region_of(address);
    address &= ~VM_PAGE_MASK;
    (void)away_return(address); /* rather than below, with the core's locks */
    place_prefetch(address);
    if (region && ahead_is_used())
        ahead_wait_for(region, address);
    bool look = !must_fault(region, is_absent);
    if (!look)
        vm_prefetch_translation(process.aspace, address);
    for (;; look = true) {
        uint32_t waits_for = NO_NODE;
        int error = look ? try_fill(address, access, &waits_for) : FILL_AGAIN;
        if (error == FILL_DONE && region && ahead_is_used())
            ahead_shown(region, address);
        if (error != FILL_AGAIN)
            return error;
        if (waits_for != NO_NODE)
            frame_wait_for_pins(waits_for);
        else if ((error = take_fault(region, address, access)) != VM_OK)
            return error;
    }
}
