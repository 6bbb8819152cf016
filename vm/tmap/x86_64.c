/* SPDX-License-Identifier: MIT */
/* x86-64's four levels. Intel SDM volume 3A, section 4.5, table 4-20. */
#include "tmap.h"

#define PRESENT 0x1u
#define WRITABLE 0x2u
#define USER 0x4u
#define UNCACHED 0x18u /* PWT and PCD */
#define ACCESSED 0x20u
#define DIRTY 0x40u
#define LARGE 0x80u
#define NO_EXECUTE ((uint64_t)1 << 63)

/* x86 has no page that can be written or executed but not read. What allows nothing at all never
 * becomes an entry. Kernel pages are not marked global: a flush then is one reload of the root. */
#define LEAF(p)                                                                                    \
    [p] = PRESENT | ((p)&TMAP_WRITE ? WRITABLE : 0u) | ((p)&TMAP_USER ? USER : 0u) |               \
          ((p)&TMAP_EXECUTE ? 0u : NO_EXECUTE) | ((p)&TMAP_UNCACHED ? UNCACHED : 0u)
#define LEAVES(p) LEAF(p), LEAF((p) + 1), LEAF((p) + 2), LEAF((p) + 3)

const struct vm_tmap_format vm_tmap_x86_64 = {
    .name = "x86_64",
    .levels = 4,
    .bits = 9,
    .kernel_first = 256,
    .frame_shift = 12,
    .frame_mask = 0x000ffffffffff000u,
    .present = PRESENT,
    .large = LARGE,
    .writable = WRITABLE,
    .accessed = ACCESSED,
    .dirty = DIRTY,
    .table = PRESENT | WRITABLE | USER,
    .leaf = {LEAVES(0), LEAVES(4), LEAVES(8), LEAVES(12), LEAVES(16), LEAVES(20), LEAVES(24),
             LEAVES(28)},
};
