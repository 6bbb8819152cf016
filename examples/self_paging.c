/* SPDX-License-Identifier: MIT */
/* A program that pages itself, as on Barrelfish: 64 pages of data, 8 frames, and a disk (an array here). What it
 * reads and writes is plain memory; where no frame is, it is asked, and finds one. */
#include <quire/host.h>
#include <quire/quire.h>
#include <quire/vspace.h>

#include <stdio.h>
#include <string.h>

enum { PAGES = 64, FRAMES = 8 };
static char disk[PAGES][BASE_PAGE_SIZE];
static struct capref frame[FRAMES];
static size_t page_in[FRAMES];
static unsigned faults;
static struct memobj_anon object;
static struct vregion region;
static void *data;

/* A new frame, or another page's, which then goes to the disk, for the page that is missing. */
static bool on_fault(void *unused, void *address, unsigned access, int error)
{
    size_t page = (size_t)((char *)address - (char *)data) / BASE_PAGE_SIZE, i = faults;
    struct capref cap;
    (void)unused, (void)access, (void)error; /* nothing was filled in */
    if (faults >= FRAMES) {
        if (err_is_fail(object.m.f.pager_free(&object.m, BASE_PAGE_SIZE, &cap, 1)))
            return false;
        for (i = 0; frame[i].base != cap.base; i++)
            ;
        memcpy(disk[page_in[i]], host_frame_ptr(cap.base), BASE_PAGE_SIZE);
    } else if (err_is_fail(frame_alloc(&frame[i], BASE_PAGE_SIZE, NULL))) {
        return false;
    }
    memcpy(host_frame_ptr(frame[i].base), disk[page], BASE_PAGE_SIZE);
    page_in[i] = page;
    faults++;
    return err_is_ok(object.m.f.fill(&object.m, page * BASE_PAGE_SIZE, frame[i], 0));
}

int main(void)
{
    struct quire_options options = {
        .budget = 1 << 20, .mode = QUIRE_MODE_VSPACE, .upcall = on_fault};
    int sum = 0;
    if (quire_start(&options) != VM_OK || err_is_fail(vspace_current_init(true)) ||
        err_is_fail(vspace_map_anon_nomalloc(&data, &object, &region, sizeof disk, NULL,
                                             VREGION_FLAGS_READ_WRITE, 0)))
        return 1;
    for (size_t i = 0; i < 3 * PAGES; i++)
        sum += ((volatile char *)data)[i % PAGES * BASE_PAGE_SIZE]++;
    printf("%d pages in %u frames: %u faults, the sum is %d\n", PAGES, FRAMES, faults, sum);
    (void)memobj_destroy_anon(&object.m, true); /* and the frames in it */
    (void)vspace_destroy(get_current_vspace());
    return quire_stop() == VM_OK && sum == PAGES * (0 + 1 + 2) ? 0 : 1;
}
