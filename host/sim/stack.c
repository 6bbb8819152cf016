/* SPDX-License-Identifier: MIT */
/* Stacks and switches between them, with what the sanitizers want to be told. A stack is painted, so
 * that its deepest use can be seen, and lies above a page that can't be touched. */
#define _GNU_SOURCE
#include "fiber.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#endif

#if defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STACK_SIZE ((size_t)1 << 20)
#else
#define STACK_SIZE ((size_t)128 << 10)
#endif
#if defined(WITH_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

#define PAINT 0x5a
#define PAINTED_WORD 0x5a5a5a5a5a5a5a5au
#define SAVED_REGISTERS 6
/* No frame is as long: what is painted for so many words was never reached, nor what is below it. */
#define LONGEST_FRAME_WORDS 1024

void fiber_switch(void **save, void *load);

/* Painted stacks that nobody uses. */
#define KEPT 64
static uint8_t *kept[KEPT];
static unsigned kept_count;

static uint8_t *map_stack(void)
{
    uint8_t *base = mmap(NULL, STACK_SIZE + VM_PAGE_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base, VM_PAGE_SIZE, PROT_NONE) != 0)
        abort();
    memset(base + VM_PAGE_SIZE, PAINT, STACK_SIZE);
    return base + VM_PAGE_SIZE;
}

void stack_create(struct fiber_stack *stack)
{
    stack->size = STACK_SIZE;
    stack->base = kept_count > 0 ? kept[--kept_count] : map_stack();
    stack->mapped = true;
    /* As after a call: the stack pointer at entry is 8 below a multiple of 16. */
    void **top = (void **)(void *)(stack->base + STACK_SIZE - sizeof(void *));
    *top = NULL;
    *--top = (void *)fiber_main;
    top -= SAVED_REGISTERS;
    memset(top, 0, SAVED_REGISTERS * sizeof(*top));
    stack->pointer = top;
#if defined(WITH_TSAN)
    stack->annotation = __tsan_create_fiber(0);
#endif
}

void stack_destroy(struct fiber_stack *stack)
{
    if (!stack->mapped)
        return;
#if defined(WITH_ASAN)
    __asan_unpoison_memory_region(stack->base, stack->size);
#endif
#if defined(WITH_TSAN)
    __tsan_destroy_fiber(stack->annotation);
#endif
    if (kept_count < KEPT) {
        size_t used = stack_used(stack);
        memset(stack->base + stack->size - used, PAINT, used);
        kept[kept_count++] = stack->base;
    } else {
        munmap(stack->base - VM_PAGE_SIZE, stack->size + VM_PAGE_SIZE);
    }
    stack->mapped = false;
}

void stack_adopt_own(struct fiber_stack *stack)
{
    static void *base;
    static size_t size;
    pthread_attr_t attributes;
    if (base == NULL) {
        if (pthread_getattr_np(pthread_self(), &attributes) != 0 ||
            pthread_attr_getstack(&attributes, &base, &size) != 0)
            abort();
        pthread_attr_destroy(&attributes);
    }
    *stack = (struct fiber_stack){.base = base, .size = size};
#if defined(WITH_TSAN)
    stack->annotation = __tsan_get_current_fiber();
#endif
}

void stack_switch(struct fiber_stack *from, struct fiber_stack *to, bool ended)
{
    (void)ended;
#if defined(WITH_ASAN)
    __sanitizer_start_switch_fiber(ended ? NULL : &from->annotation, to->base, to->size);
#endif
#if defined(WITH_TSAN)
    __tsan_switch_to_fiber(to->annotation, 0);
#endif
    fiber_switch(&from->pointer, to->pointer);
    stack_entered(from);
}

void stack_entered(struct fiber_stack *stack)
{
    (void)stack;
#if defined(WITH_ASAN)
    __sanitizer_finish_switch_fiber(stack->annotation, NULL, NULL);
#endif
}

size_t stack_used(const struct fiber_stack *stack)
{
    const uint64_t *words = (const uint64_t *)(const void *)stack->base;
    size_t count = stack->size / sizeof(*words), lowest = count;
    if (!stack->mapped)
        return 0;
    for (size_t i = count; i > 0 && lowest - i < LONGEST_FRAME_WORDS; i--)
        if (words[i - 1] != PAINTED_WORD)
            lowest = i - 1;
    return stack->size - lowest * sizeof(*words);
}
