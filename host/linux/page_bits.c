/* SPDX-License-Identifier: MIT */
/* A bit for each page of the range of regions, in memory that costs only what is used of it. */
#include "linux.h"

#include <string.h>
#include <sys/mman.h>

#define BITS 64

struct page_bits writable_pages, written_pages;

static size_t size_of_bits(void)
{
    return process.size / VM_PAGE_SIZE / 8;
}

int page_bits_start(struct page_bits *bits)
{
    void *memory = mmap(NULL, size_of_bits(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return ERR_NO_MEMORY;
    (void)madvise(memory, size_of_bits(), MADV_NOHUGEPAGE);
    (void)madvise(memory, size_of_bits(), MADV_DONTFORK);
    bits->words = memory;
    return VM_OK;
}

void page_bits_stop(struct page_bits *bits)
{
    munmap(bits->words, size_of_bits());
}

static uint64_t *word_of(const struct page_bits *bits, addr_t address, uint64_t *bit)
{
    size_t page = (address - process.base) / VM_PAGE_SIZE;
    *bit = (uint64_t)1 << page % BITS;
    return &bits->words[page / BITS];
}

bool page_bits_have(const struct page_bits *bits, addr_t address)
{
    uint64_t bit;
    return (__atomic_load_n(word_of(bits, address, &bit), __ATOMIC_ACQUIRE) & bit) != 0;
}

void page_bits_add(struct page_bits *bits, addr_t address)
{
    uint64_t bit, *word = word_of(bits, address, &bit);
    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
        __atomic_fetch_or(word, bit, __ATOMIC_RELEASE);
}

bool page_bits_take(struct page_bits *bits, addr_t address)
{
    uint64_t bit, *word = word_of(bits, address, &bit);
    return (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) &&
           (__atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL) & bit);
}

/* ---- ranges ------------------------------------------------------------------------------------- */

/* Those of the word's bits that are of the pages [first, end). */
static uint64_t mask_of(size_t word, size_t first, size_t end)
{
    size_t low = word * BITS;
    uint64_t mask = UINT64_MAX;
    if (first > low)
        mask &= UINT64_MAX << (first - low);
    if (end < low + BITS)
        mask &= UINT64_MAX >> (low + BITS - end);
    return mask;
}

struct span {
    size_t first, end; /* pages */
};

static struct span span_of(addr_t first, addr_t end)
{
    return (struct span){(first - process.base) / VM_PAGE_SIZE,
                         (end - process.base) / VM_PAGE_SIZE};
}

addr_t page_bits_next(const struct page_bits *bits, addr_t first, addr_t end)
{
    struct span s = span_of(first, end);
    for (size_t word = s.first / BITS; word * BITS < s.end; word++) {
        uint64_t set = __atomic_load_n(&bits->words[word], __ATOMIC_ACQUIRE);
        if (set != 0 && (set &= mask_of(word, s.first, s.end)) != 0)
            return process.base + (word * BITS + (size_t)__builtin_ctzll(set)) * VM_PAGE_SIZE;
    }
    return end;
}

size_t page_bits_count(const struct page_bits *bits, addr_t first, addr_t end)
{
    struct span s = span_of(first, end);
    size_t count = 0;
    for (size_t word = s.first / BITS; word * BITS < s.end; word++)
        count += (size_t)__builtin_popcountll(
            __atomic_load_n(&bits->words[word], __ATOMIC_ACQUIRE) & mask_of(word, s.first, s.end));
    return count;
}

void page_bits_clear(struct page_bits *bits, addr_t first, addr_t end)
{
    struct span s = span_of(first, end);
    for (size_t word = s.first / BITS; word * BITS < s.end; word++)
        __atomic_fetch_and(&bits->words[word], ~mask_of(word, s.first, s.end), __ATOMIC_ACQ_REL);
}

/* Regions begin at 2 MiB: no word is of two. Long ranges give their memory back. */
void page_bits_forget(struct page_bits *bits, addr_t base, addr_t size)
{
    uint64_t bit;
    char *first = (char *)word_of(bits, base, &bit);
    char *end = (char *)(word_of(bits, base + (size - VM_PAGE_SIZE), &bit) + 1);
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
