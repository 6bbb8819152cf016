/* SPDX-License-Identifier: MIT */
/* VSPACE mode: mappings that are held so that there are some when Linux gives no more. Every other page of memory that
 * nobody uses may be read, which costs two; to take that right away gives them back, and needs none itself. */
#include "linux.h"

#include <sys/mman.h>

#define HELD 64 /* pages that may be read */
#define ROOM 16 /* as many pages can be shown then, so that an instruction finds all it touches */
#define PAGES (2 * (HELD + ROOM) + 1)

static char *memory;

bool headroom_start(void)
{
    memory = mmap(NULL, PAGES * VM_PAGE_SIZE, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    (void)madvise(memory, PAGES * VM_PAGE_SIZE, MADV_DONTFORK);
    (void)headroom_take();
    return true;
}

void headroom_stop(void)
{
    if (memory && memory != MAP_FAILED)
        munmap(memory, PAGES * VM_PAGE_SIZE);
    memory = NULL;
}

static void give_from(size_t page)
{
    (void)mprotect(memory + page * VM_PAGE_SIZE, (PAGES - page) * VM_PAGE_SIZE, PROT_NONE);
}

void headroom_give(void)
{
    give_from(0);
}

bool headroom_take(void)
{
    size_t held = 0;
    while (held < HELD + ROOM &&
           mprotect(memory + (2 * held + 1) * VM_PAGE_SIZE, VM_PAGE_SIZE, PROT_READ) == 0)
        held++;
    if (held < ROOM)
        return false;
    give_from(2 * (held - ROOM));
    return true;
}
