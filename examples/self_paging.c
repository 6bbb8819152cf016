/* SPDX-License-Identifier: MIT */
/* A program that pages itself, as on Barrelfish: 64 pages of data, 8 frames, and a disk (an array here). It runs
 * on the simulated machine: sim_read_byte and sim_write_byte are its accesses to memory. */
#include <quire/vspace.h>

#include <sim.h>
#include <stdio.h>
#include <string.h>

enum { PAGES = 64, FRAMES = 8 };
static char disk[PAGES][BASE_PAGE_SIZE];
static struct capref frame[FRAMES];
static size_t page_in[FRAMES];
static unsigned frames, faults;
static struct memobj_anon object;
static struct vregion region;

/* Takes a new frame, or another page's, which then goes to the disk, for the page that is missing. */
static bool handle_fault(lvaddr_t address)
{
    size_t page = (address - vregion_get_base_addr(&region)) / BASE_PAGE_SIZE, i = frames;
    addr_t window;
    if (frames < FRAMES && err_is_ok(frame_alloc(&frame[i], BASE_PAGE_SIZE, NULL))) {
        frames++;
    } else {
        struct capref cap;
        if (err_is_fail(object.m.f.pager_free(&object.m, BASE_PAGE_SIZE, &cap, 1)))
            return false;
        for (i = 0; frame[i].base != cap.base; i++)
            ;
        (void)vm_get_physical_page(cap.base, &window, PHYSICAL_PAGE_CAN_WAIT);
        memcpy(disk[page_in[i]], (void *)window, BASE_PAGE_SIZE);
    }
    (void)vm_get_physical_page(frame[i].base, &window, PHYSICAL_PAGE_CAN_WAIT);
    memcpy((void *)window, disk[page], BASE_PAGE_SIZE);
    page_in[i] = page;
    faults++;
    return err_is_ok(object.m.f.fill(&object.m, page * BASE_PAGE_SIZE, frame[i], 0)) &&
           err_is_ok(vspace_pagefault_handler(get_current_vspace(), address, PAGEFLT_WRITE));
}

int main(void)
{
    int sum = 0, byte;
    if (sim_start(NULL) != VM_OK || sim_new_aspace() < 0 ||
        err_is_fail(vspace_current_init(true)) ||
        err_is_fail(memobj_create_anon(&object, sizeof disk, 0)) ||
        err_is_fail(vregion_map(&region, get_current_vspace(), &object.m, 0, sizeof disk,
                                VREGION_FLAGS_READ_WRITE)))
        return 1;
    for (size_t i = 0; i < 3 * PAGES; i++) {
        lvaddr_t at = vregion_get_base_addr(&region) + i % PAGES * BASE_PAGE_SIZE;
        while ((byte = sim_read_byte(at)) == ERR_NOT_FOUND && handle_fault(at))
            ;
        sum += byte + sim_write_byte(at, (uint8_t)(byte + 1));
    }
    printf("%d pages in %u frames: %u faults, the sum is %d\n", PAGES, frames, faults, sum);
    return sum == PAGES * (0 + 1 + 2) ? 0 : 1;
}
