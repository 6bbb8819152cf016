/* SPDX-License-Identifier: MIT */
/* VSPACE mode: one access that Linux could not do. The core's tables, else the core's fault, and again; what that
 * doesn't resolve is the program's to see to. */
#include "linux.h"

#include <sched.h>
#include <sys/mman.h>

static quire_upcall *upcall;
static void *upcall_argument;

void self_start(quire_upcall *function, void *argument)
{
    upcall = function;
    upcall_argument = argument;
}

static void take_window(addr_t address, void *unused)
{
    (void)unused;
    lock(place_lock_of(address));
}

/* Whether the core's tables allow the access; then the window is locked, and *rights are all that they allow. */
static bool look_up(addr_t address, unsigned access, addr_t *physical, unsigned *rights)
{
    static const unsigned most_first[] = {VM_ACCESS_WRITE | VM_ACCESS_EXECUTE, VM_ACCESS_WRITE,
                                          VM_ACCESS_EXECUTE, 0};
    bool writable;
    for (size_t i = 0; i < sizeof most_first / sizeof most_first[0]; i++) {
        *rights = most_first[i] | VM_ACCESS_READ;
        if ((*rights & access) == access &&
            vm_translate(process.aspace, address, *rights, take_window, NULL, physical,
                         &writable) == VM_OK)
            return true;
    }
    return false;
}

static int protection_of(unsigned rights)
{
    return PROT_READ | (rights & VM_ACCESS_WRITE ? PROT_WRITE : 0) |
           (rights & VM_ACCESS_EXECUTE ? PROT_EXEC : 0);
}

/* FILL_AGAIN: the tables don't allow it, *found false; or what it needs is in use. */
static int try_show(addr_t address, unsigned access, bool *found)
{
    addr_t physical;
    unsigned rights;
    *found = look_up(address, access, &physical, &rights);
    if (!*found)
        return FILL_AGAIN;
    uint32_t frame = frame_of(physical);
    int error = frame < process.frames ? show_page(address, frame, protection_of(rights))
                                       : ERR_UNSUPPORTED; /* a device */
    unlock(place_lock_of(address));
    return error;
}

static int resolve(addr_t address, unsigned access)
{
    for (;;) {
        bool found;
        int error = try_show(address, access, &found);
        if (error != FILL_AGAIN)
            return error;
        if (found)
            sched_yield();
        else if ((error = vm_fault_address_space(process.aspace, address,
                                                 access | VM_ACCESS_USER)) != VM_OK)
            return error;
    }
}

bool self_resolve(addr_t address, unsigned access)
{
    int error = resolve(address & ~VM_PAGE_MASK, access);
    return error == VM_OK || (upcall && upcall(upcall_argument, (void *)address, access, error));
}
