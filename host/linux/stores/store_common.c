/* SPDX-License-Identifier: MIT */
#include "store_common.h"

#include <sys/mman.h>

void *store_reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void store_release(void *memory, size_t bytes)
{
    if (memory)
        (void)munmap(memory, bytes);
}

/* Where this fails memory stays in use, and nothing else is wrong. */
void store_give_back(void *memory, size_t bytes)
{
    (void)madvise(memory, bytes, MADV_DONTNEED);
}

int store_clamp(off_t offset, size_t *count, size_t pages)
{
    if (offset < 0 || ((size_t)offset & VM_PAGE_MASK) != 0 || *count == 0)
        return ERR_INVALID_ARGS;
    size_t first = store_page_of(offset);
    if (first >= pages)
        return ERR_VM_PF_PAST_END;
    if (*count > pages - first)
        *count = pages - first;
    return VM_OK;
}
