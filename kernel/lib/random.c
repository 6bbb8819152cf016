/* SPDX-License-Identifier: MIT */
#include <kernel/cpu.h>
#include <kernel/random.h>

/* SplitMix64 (Steele, Lea, Flood 2014), stirred with the time. */
uint64_t random_number(void)
{
    static uint64_t state;
    uint64_t z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15ull, __ATOMIC_RELAXED) ^ read_tsc();
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
