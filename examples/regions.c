/* SPDX-License-Identifier: MIT */
/* A program for the reference kernel that talks to Quire itself:
 *     build/quire boot -- build/examples/regions */
#include <stdio.h>
#include <string.h>

#include "quire_syscalls.h"

static void show(region_id id)
{
    vm_region_info info;
    if (quire_get_region_info(id, &info) == VM_OK)
        printf("%-8s %4zu KiB, %2zu pages there, caches from it down: %u\n", info.name,
               info.size / 1024, info.resident_pages, info.chain_depth);
}

int main(void)
{
    vm_info before, after;
    void *notes = NULL, *window = NULL, *text = NULL;
    if (quire_get_vm_info(&before) != VM_OK) {
        puts("this is no Quire kernel: start it with quire boot");
        return 1;
    }

    region_id original = quire_create_anonymous_region(
        "notes", &notes, REGION_ADDR_ANY_ADDRESS, 16 * VM_PAGE_SIZE, REGION_WIRING_LAZY, LOCK_RW);
    region_id clone = quire_clone_region("window", &window, REGION_ADDR_ANY_ADDRESS, original,
                                         REGION_NO_PRIVATE_MAP, LOCK_RO);
    region_id file = quire_map_file("program", &text, REGION_ADDR_ANY_ADDRESS, VM_PAGE_SIZE,
                                    LOCK_RO, REGION_PRIVATE_MAP, "/proc/self/exe", 0);
    if (original < 0 || clone < 0 || file < 0) {
        printf("no regions: %ld, %ld, %ld\n", (long)original, (long)clone, (long)file);
        return 1;
    }

    strcpy(notes, "written through one region, read through another");
    puts(window);
    printf("the program's file begins with \"%.3s\"\n", (const char *)text + 1);
    show(original);
    show(clone);
    show(file);

    quire_delete_region(original);
    puts(window); /* the memory lives as long as one region maps it */
    quire_get_vm_info(&after);
    printf("page faults so far: %lu\n", (unsigned long)(after.page_faults - before.page_faults));
    return quire_delete_region(original) == ERR_VM_INVALID_REGION ? 0 : 1;
}
