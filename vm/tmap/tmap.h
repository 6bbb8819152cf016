/* SPDX-License-Identifier: MIT */
/* Translation maps: the page tables of one address space, for any format whose tables are frames of
 * 64-bit entries. One walker; a format is data. */
#ifndef VM_TMAP_H
#define VM_TMAP_H

#include "../lock.h"
#include "../page.h"

#define TMAP_MAX_LEVELS 5

/* What a translation allows. */
#define TMAP_READ VM_ACCESS_READ
#define TMAP_WRITE VM_ACCESS_WRITE
#define TMAP_EXECUTE VM_ACCESS_EXECUTE
#define TMAP_USER VM_ACCESS_USER
#define TMAP_UNCACHED 0x10u
#define TMAP_PROTECTIONS 0x20u

struct vm_tmap_format {
    const char *name;
    unsigned levels;       /* of tables, the root included */
    unsigned bits;         /* of the address that each level takes; 2^bits entries a table */
    unsigned kernel_first; /* root entries from this one on are the kernel's, in every space */
    unsigned frame_shift;  /* where the page number stands in an entry */
    uint64_t frame_mask;
    uint64_t present; /* all set: the entry counts */
    uint64_t large;   /* set above the lowest level: a leaf, not a table */
    uint64_t writable, accessed, dirty;
    uint64_t table;                  /* the bits of an entry that leads to a table */
    uint64_t leaf[TMAP_PROTECTIONS]; /* the bits of a leaf, by what it allows */
};

/* The entries of the kernel's root that are in use, for good: every other root has copies of them. */
#define TMAP_MAX_SHARED 256
struct tmap_shared {
    unsigned count;
    uint16_t slot[TMAP_MAX_SHARED];
};

struct vm_translation_map {
    struct vm_mutex lock;
    const struct vm_tmap_format *format;
    struct vm_page *root_page; /* NULL: the host's own table */
    addr_t root;
    bool kernel;
    uint64_t cpus; /* that translate by it now; atomic */
    /* The table that was used last, for the addresses [leaf_base, leaf_base + its span). */
    addr_t leaf_base;
    uint64_t *leaf;
    uint64_t *leaf_above;      /* the entry that leads to it */
    struct vm_page *leaf_page; /* NULL: the host's */
    /* The one of the next level that was used last, likewise. */
    addr_t upper_base;
    uint64_t *upper;
    size_t mapped, tables;
    size_t kept;      /* tables that stay without entries */
    vm_page *retired; /* tables taken out of use that CPUs may still walk */
};

/* A new map, with the kernel's part of `kernel_root` where that is given. ERR_NO_MEMORY. */
int tmap_init(struct vm_translation_map *map, const struct vm_tmap_format *format,
              const struct vm_translation_map *kernel);
/* The kernel's own, on the host's tables at `root` or, if that is 0, on new ones, of which the top
 * level is complete for [base, last]. ERR_NO_MEMORY. */
int tmap_init_kernel(struct vm_translation_map *map, const struct vm_tmap_format *format,
                     addr_t root, addr_t base, addr_t last);
/* Nothing may be mapped any more, and no CPU may use it. */
void tmap_destroy(struct vm_translation_map *map);

/* => tmap: locked, all of the following.
 * They change entries with atomic exchanges, since CPUs set accessed and dirty bits meanwhile; they
 * don't flush: the caller does, before he frees a frame or lets go of the lock. */

/* The entry for `address`; `make`: with tables made as needed. NULL: no table, or no memory. */
uint64_t *tmap_entry(struct vm_translation_map *map, addr_t address, bool make);
/* One entry more in the table that tmap_entry has found last. */
static inline void tmap_used_one(struct vm_translation_map *map)
{
    map->mapped++;
    if (map->leaf_page)
        map->leaf_page->map_count++;
}
/* A walk over the entries of a range, table by table; start it with {.next = first, .last = last}. */
struct tmap_walk {
    addr_t next, last;
    bool for_rights; /* the caller looks at what entries allow, or changes it */
    bool done;
    addr_t address;    /* of the first entry of the run that tmap_run has returned */
    size_t count;      /* of entries in it */
    bool is_protected; /* not for_rights: the table allows no write, whatever its entries say */
};
/* The next run of entries in one table. NULL: no tables are left in the range. Large leaves are
 * passed over. */
uint64_t *tmap_run(struct vm_translation_map *map, struct tmap_walk *walk);
/* Takes the right to write from all entries of the table that tmap_run has returned last, in the one that leads to
 * it: one write rather than 512. Who looks at the entries' rights next, or at one of them, has it taken from each
 * first. Dirty bits stay. False: it can't be, or is done already. */
bool tmap_protect_table(struct vm_translation_map *map);
/* Entries of the table for `address` went from 0 to used, or (negative) back. When none is left, the
 * table is taken out, to be freed by tmap_flush. */
void tmap_used(struct vm_translation_map *map, addr_t address, long difference);
/* The tables for [first, last] are there, and stay until tmap_release. ERR_NO_MEMORY: none that wasn't. */
int tmap_keep(struct vm_translation_map *map, addr_t first, addr_t last);
/* [first, last] is all of the space. Those in which nothing is mapped go. */
void tmap_release(struct vm_translation_map *map, addr_t first, addr_t last);
/* Every CPU that uses the map has dropped these pages; tables taken out are freed. */
void tmap_flush(struct vm_translation_map *map, addr_t address, size_t count);

/* What `address` translates to, large leaves included. ERR_VM_PAGE_NOT_PRESENT. */
int tmap_query(struct vm_translation_map *map, addr_t address, addr_t *physical);

static inline uint64_t tmap_make_entry(const struct vm_tmap_format *format, addr_t physical,
                                       unsigned protection)
{
    return ((uint64_t)(physical >> VM_PAGE_SHIFT) << format->frame_shift) |
           format->leaf[protection];
}

static inline addr_t tmap_entry_physical(const struct vm_tmap_format *format, uint64_t entry)
{
    return (addr_t)((entry & format->frame_mask) >> format->frame_shift) << VM_PAGE_SHIFT;
}

static inline bool tmap_is_present(const struct vm_tmap_format *format, uint64_t entry)
{
    return (entry & format->present) == format->present;
}

#endif
