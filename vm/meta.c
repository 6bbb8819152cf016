/* SPDX-License-Identifier: MIT */
/* Slabs: a frame holds objects of one size, its header in front and the way back to its vm_page at its
 * end. Larger requests get runs of frames. */
#include "meta.h"

#include "frame.h"
#include "page.h"
#include "print.h"
#include "region.h"
#include "system.h"

#define META (&vm_system.meta)
#define LARGEST 2016u
#define KEPT_EMPTY 16 /* frames; enough for a process to come and go without asking the pages */

struct vm_slab {
    struct vm_slab *next, *prev;
    void *free; /* a chain through the first word of each */
    uint16_t used, class;
    uint32_t unused;
};

/* 544 is for a node of the radix tree, 1056 for one of the range index; the others keep waste under a
 * third. Multiples of 32, for class_of_step. */
static const uint16_t class_size[VM_META_CLASSES] = {32,  64,  96,  128,  192,  256,
                                                     320, 544, 704, 1056, 1344, LARGEST};

/* The class of each size, in steps of 32 bytes. */
static const uint8_t class_of_step[LARGEST / 32 + 1] = {
    0,  0,  1,  2,  3,  4,  4,  5,  5,  6,  6,  7,  7,  7,  7,  7,  7,  7,  8,  8,  8,  8,
    8,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  9,  10, 10, 10, 10, 10, 10, 10, 10, 10, 11,
    11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11};

static unsigned class_of(size_t size)
{
    return class_of_step[(size + 31) / 32];
}

static struct vm_slab *slab_of(void *object)
{
    return (struct vm_slab *)((uintptr_t)object & ~(uintptr_t)VM_PAGE_MASK);
}

static struct vm_page *page_of(void *frame)
{
    return ((struct vm_page **)frame)[VM_WORDS_PER_PAGE - 1];
}

/* A slab's frame ends in a pointer to its page: the way back. */
static void set_page_of(void *frame, struct vm_page *page)
{
    ((struct vm_page **)frame)[VM_WORDS_PER_PAGE - 1] = page;
}

/* Test builds fill what is free, and look whether it still is so when it is given out. */
#define POISON 0xdbdbdbdbdbdbdbdbu
static void poison(void *object, size_t size)
{
#if defined(VM_TEST)
    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        ((uint64_t *)object)[i] = POISON;
#else
    (void)object, (void)size;
#endif
}

#if defined(VM_TEST)
/* But for the link to the next one. */
static bool is_poisoned(const void *object, size_t size)
{
    uint64_t differences = 0;
    for (size_t i = 1; i < size / sizeof(uint64_t); i++)
        differences |= ((const uint64_t *)object)[i] ^ POISON;
    return differences == 0;
}
#endif

static void fill_slab(struct vm_slab *slab, unsigned class)
{
    size_t size = class_size[class];
    char *at = (char *)(slab + 1);
    char *end = (char *)slab + VM_PAGE_SIZE - sizeof(void *);
    slab->class = (uint16_t) class;
    slab->used = 0;
    slab->free = NULL;
    for (; at + size <= end; at += size) {
        poison(at, size);
        *(void **)(void *)at = slab->free;
        slab->free = at;
    }
}

/* => META lock */
static void link_slab(struct vm_slab *slab)
{
    struct vm_slab **head = &META->partial[slab->class];
    slab->prev = NULL;
    slab->next = *head;
    if (*head)
        (*head)->prev = slab;
    *head = slab;
}

/* => META lock */
static void unlink_slab(struct vm_slab *slab)
{
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        META->partial[slab->class] = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
}

/* => META lock */
static struct vm_slab *new_slab(unsigned class)
{
    struct vm_slab *slab = META->empty;
    if (slab) {
        META->empty = slab->next;
        META->empty_count--;
    } else {
        struct vm_page *page = vm_page_allocate(VM_PAGE_WIRED, false, VM_INJECT_METADATA);
        if (!page)
            return NULL;
        slab = host_frame_ptr(vm_page_physical(page));
        set_page_of(slab, page);
    }
    fill_slab(slab, class);
    link_slab(slab);
    return slab;
}

/* => META lock */
static void retire_slab(struct vm_slab *slab)
{
    unlink_slab(slab);
    if (META->empty_count < KEPT_EMPTY) {
        slab->next = META->empty;
        META->empty = slab;
        META->empty_count++;
    } else {
        vm_page_free(page_of(slab), false);
    }
}

static void *alloc_frames(size_t size)
{
    size_t count = (size + VM_PAGE_MASK) >> VM_PAGE_SHIFT;
    struct vm_page *run = count == 1 ? vm_page_allocate(VM_PAGE_WIRED, false, VM_INJECT_FRAME)
                                     : vm_page_allocate_run(count, false);
    if (!run)
        return NULL;
    vm_atomic_count(&META->bytes, size);
    return host_frame_ptr(vm_page_physical(run));
}

/* The window on frames is linear but has no way back: look for the range it lies in. */
static struct vm_page *page_of_window(const void *memory)
{
    for (unsigned i = 0; i < vm_system.pages.range_count; i++) {
        const struct vm_page_range *range = &vm_system.pages.range[i];
        uintptr_t base = (uintptr_t)host_frame_ptr(range->first << VM_PAGE_SHIFT);
        uint64_t index = ((uintptr_t)memory - base) >> VM_PAGE_SHIFT;
        if (index < range->count)
            return &range->pages[index];
    }
    vm_panic("vm_meta_free: %p is not memory", memory);
}

static void free_frames(void *memory, size_t size)
{
    struct vm_page *page = page_of_window(memory);
    vm_atomic_count(&META->bytes, -size);
    for (size_t i = 0; i < (size + VM_PAGE_MASK) >> VM_PAGE_SHIFT; i++)
        vm_page_free(&page[i], false);
}

void *vm_meta_alloc(size_t size)
{
    if (size > LARGEST)
        return alloc_frames(size);
    unsigned class = class_of(size);
    vm_mutex_lock(&META->lock, VM_RANK_META);
    struct vm_slab *slab = META->partial[class];
    void *object = NULL;
    if (slab || (slab = new_slab(class)) != NULL) {
        object = slab->free;
        VM_DEBUG_ASSERT(is_poisoned(object, class_size[class]));
        slab->free = *(void **)object;
        slab->used++;
        if (!slab->free)
            unlink_slab(slab);
        vm_atomic_count(&META->bytes, size);
    }
    vm_mutex_unlock(&META->lock);
    return object;
}

#if defined(VM_TEST)
/* => META lock */
static bool is_free(const struct vm_slab *slab, const void *object)
{
    const void *at = slab->free;
    while (at && at != object)
        at = *(void *const *)at;
    return at != NULL;
}
#endif

void vm_meta_free(void *memory, size_t size)
{
    if (!memory)
        return;
    if (size > LARGEST) {
        free_frames(memory, size);
        return;
    }
    struct vm_slab *slab = slab_of(memory);
    vm_mutex_lock(&META->lock, VM_RANK_META);
    VM_ASSERT(slab->class == class_of(size) && slab->used > 0);
    VM_DEBUG_ASSERT(!is_free(slab, memory));
    poison(memory, class_size[slab->class]);
    if (!slab->free)
        link_slab(slab);
    *(void **)memory = slab->free;
    slab->free = memory;
    vm_atomic_count(&META->bytes, -size);
    /* The last slab of a class stays: what was just given back is often asked for next. */
    if (--slab->used == 0 && (slab->prev || slab->next))
        retire_slab(slab);
    vm_mutex_unlock(&META->lock);
}

void *meta_take_clear(size_t size)
{
    uint64_t *object = vm_meta_alloc((size + 7) & ~(size_t)7);
    for (size_t i = 0; object && i < (size + 7) / 8; i++)
        object[i] = 0;
    return object;
}

void vm_trim(void)
{
    region_tidy_table();
    vm_mutex_lock(&META->lock, VM_RANK_META);
    for (unsigned class = 0; class < VM_META_CLASSES; class ++)
        for (struct vm_slab *slab = META->partial[class], *next; slab; slab = next) {
            next = slab->next;
            if (slab->used == 0)
                retire_slab(slab);
        }
    while (META->empty) {
        struct vm_slab *slab = META->empty;
        META->empty = slab->next;
        META->empty_count--;
        vm_page_free(page_of(slab), false);
    }
    vm_mutex_unlock(&META->lock);
}
