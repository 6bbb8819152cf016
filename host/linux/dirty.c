/* SPDX-License-Identifier: MIT */
/* Which pages were written since that was asked last: a bit for each page of the range of regions, in memory
 * that costs only what is used of it. */
#include "linux.h"

#include <string.h>
#include <sys/mman.h>

#define BITS 64

static uint64_t *bits;

static size_t size_of_bits(void)
{
    return process.size / VM_PAGE_SIZE / 8;
}

int dirty_start(void)
{
    bits = mmap(NULL, size_of_bits(), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bits == MAP_FAILED)
        return ERR_NO_MEMORY;
    (void)madvise(bits, size_of_bits(), MADV_NOHUGEPAGE);
    (void)madvise(bits, size_of_bits(), MADV_DONTFORK);
    return VM_OK;
}

void dirty_stop(void)
{
    munmap(bits, size_of_bits());
}

static uint64_t *word_of(addr_t address, uint64_t *bit)
{
    size_t page = (address - process.base) / VM_PAGE_SIZE;
    *bit = (uint64_t)1 << page % BITS;
    return &bits[page / BITS];
}

void dirty_note(addr_t address)
{
    uint64_t bit, *word = word_of(address, &bit);
    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
        __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
}

bool dirty_take(addr_t address)
{
    uint64_t bit, *word = word_of(address, &bit);
    return (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) &&
           (__atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL) & bit);
}

/* Regions begin at 2 MiB: no word is of two. Long ranges give their memory back. */
void dirty_forget(addr_t base, addr_t size)
{
    uint64_t bit;
    char *first = (char *)word_of(base, &bit);
    char *end = (char *)(word_of(base + (size - VM_PAGE_SIZE), &bit) + 1);
    char *inner = (char *)(((addr_t)first + VM_PAGE_MASK) & ~VM_PAGE_MASK);
    char *inner_end = (char *)((addr_t)end & ~VM_PAGE_MASK);
    if (inner >= inner_end) {
        memset(first, 0, (size_t)(end - first));
        return;
    }
    memset(first, 0, (size_t)(inner - first));
    memset(inner_end, 0, (size_t)(end - inner_end));
    zap(&(struct iovec){inner, (size_t)(inner_end - inner)}, 1);
}
