/* SPDX-License-Identifier: MIT */
/* Clearing and copying whole frames. On x86-64 with the string instructions, which the processor does
 * in cache lines and which leave the vector registers, not ours to use, alone. */
#ifndef VM_FRAME_H
#define VM_FRAME_H

#include <quire/types.h>

#define VM_WORDS_PER_PAGE (VM_PAGE_SIZE / sizeof(uint64_t))

static inline void vm_frame_clear(void *frame)
{
#if defined(__x86_64__)
    size_t words = VM_WORDS_PER_PAGE;
    __asm__ volatile("rep stosq" : "+D"(frame), "+c"(words) : "a"(0) : "memory");
#else
    for (size_t i = 0; i < VM_WORDS_PER_PAGE; i++)
        ((uint64_t *)frame)[i] = 0;
#endif
}

static inline void vm_frame_copy(void *to, const void *from)
{
#if defined(__x86_64__)
    size_t words = VM_WORDS_PER_PAGE;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
    for (size_t i = 0; i < VM_WORDS_PER_PAGE; i++)
        ((uint64_t *)to)[i] = ((const uint64_t *)from)[i];
#endif
}

#endif
