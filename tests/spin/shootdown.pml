/* SPDX-License-Identifier: MIT */
/* Fault, unmap, eviction and write-back against TLBs that know entries until a flush is delivered.
 * README.md beside this says what stands for what, which options there are, and how to search it.
 *
 *   page 0 -> shared region  -----------> cache C (a file's) -> its page, in a frame
 *   page 1 -> private region -> cache T -^
 *                               `-> its page, in a frame, once page 1 has been written
 *
 * One translation map, one leaf table (a frame, too). A step of the core that names itself here, as
 * `withdraw`, is named so at its place in vm/. */

#define CPUS 3
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef FAULTS
#define FAULTS 2
#endif

#ifdef WRITEBACK
#define WRITES 1
#else
#define WRITES 0
#endif

#define NONE 0 /* no frame; frames are 1 to FRAMES */
#define ORPHAN 16

#define FREE 0 /* what a frame is */
#define PAGE_C 1
#define PAGE_T 2
#define TABLE 3

#define SHARED 0 /* the two pages, and their regions */
#define PRIVATE 1

/* ---- the core's state ---------------------------------------------------------------------------- */

byte use[FRAMES + 1];
byte map_count[FRAMES + 1];
bit modified[FRAMES + 1];
bit busy; /* C's page */

byte page_c, page_t; /* the frames in the caches, or NONE */
bit listed[2] = 1;   /* the region is in the map, and in its cache's list */
bit writable = 1;    /* the shared region's protection */

byte root;        /* the root's entry: the leaf table's frame, or NONE */
byte table_count; /* of its entries in use */
byte retired;     /* a table taken out, or NONE */
byte entry[2];    /* a frame and bits */

bit lock_map_writer, lock_c, lock_t, lock_tmap;
byte lock_map_readers;

/* ---- the machine --------------------------------------------------------------------------------- */

/* What a CPU has: its TLB's two entries, the leaf table as its walks know it, and bits. CPUs differ in
 * nothing but their number, so they are kept in order: states that differ in the numbering count once. */
int cpu_has[CPUS] = 49152; /* IN_MASK | TRANSLATES */
byte flushed; /* the pages that a flush is about, as a mask */

/* ---- for the properties -------------------------------------------------------------------------- */

bit unsaved[FRAMES + 1]; /* written since the store last read the frame */
byte holds;              /* of C's page or what was it, by file.c */
byte running;            /* operations under way */

#define BIT(n) (1 << (n))

/* An entry, in the table or in a TLB. */
#define FRAME_OF(e) ((e)&7)
#define WRITE 8
#define DIRTY 16
#define PRESENT 32

#define TLB(cpu, page) ((cpu_has[cpu] >> (5 * (page))) & 31)
#define WALKS(cpu) ((cpu_has[cpu] >> 10) & 7)
#define SET_TLB(cpu, page, e) cpu_has[cpu] = (cpu_has[cpu] & ~(31 << (5 * (page)))) | ((e) << (5 * (page)))
#define SET_WALKS(cpu, table) cpu_has[cpu] = (cpu_has[cpu] & ~(7 << 10)) | ((table) << 10)
#define MUST_FLUSH BIT(13) /* hasn't done the flush yet */
#define IN_MASK BIT(14)    /* in the map's mask */
#define TRANSLATES BIT(15) /* by the map */
#define HAS(cpu, bits) ((cpu_has[cpu] & (bits)) != 0)

#define KNOWS(cpu, f) (FRAME_OF(TLB(cpu, 0)) == f || FRAME_OF(TLB(cpu, 1)) == f || WALKS(cpu) == f)
#define KNOWN(f) (KNOWS(0, f) || KNOWS(1, f) || KNOWS(2, f))
#define MAY_WRITE(cpu, page) ((TLB(cpu, page) & WRITE) != 0)
#define USERS(f) ((FRAME_OF(entry[0]) == f) + (FRAME_OF(entry[1]) == f))

/* Steps of the core that nobody else can tell apart are one step here: what is read under a lock goes with
 * the taking of it, what is private with what comes before. */
#define TAKE(lock) !lock -> lock = 1

inline take(lock)
{
    atomic { TAKE(lock) }
}

/* => in one step. A CPU may use what its TLB has at any moment, so no frame may become free while one has
 * it: that is what an access to a free frame, or to somebody else's, comes from. */
inline free_frame(f)
{
    assert(use[f] != FREE && map_count[f] == 0);
    assert(!KNOWN(f));
    use[f] = FREE;
    modified[f] = 0;
    unsaved[f] = 0
}

/* => in one step. The last free frame, so that what is freed is used again soon; or NONE. */
inline allocate(f, kind)
{
    f = FRAMES;
    do
    :: f != NONE && use[f] != FREE -> f--
    :: else -> break
    od;
    if
    :: f != NONE -> use[f] = kind
    :: else
    fi
}

/* ---- page.c: users -------------------------------------------------------------------------------- */

/* unuse: the last user of an orphan frees it. */
inline unuse(f)
{
#ifdef BUG_UNUSE_NOT_ATOMIC
    count = map_count[f] - 1;
    map_count[f] = count;
    if
    :: count == ORPHAN -> d_step { map_count[f] = 0; free_frame(f) }
    :: else
    fi;
    count = 0
#else
    if
    :: d_step { map_count[f] == ORPHAN + 1 -> map_count[f] = ORPHAN };
       d_step { map_count[f] = 0; free_frame(f) }
    :: d_step { map_count[f] != ORPHAN + 1 -> map_count[f]-- }
    fi
#endif
}

/* orphan: the page leaves its cache, and is freed now or by its last user. => cache: locked */
inline orphan(page)
{
#ifdef BUG_ORPHAN_NOT_ATOMIC
    d_step { gone = page; page = NONE; count = map_count[gone] };
    map_count[gone] = count | ORPHAN;
    if
    :: count == 0 -> d_step { map_count[gone] = 0; free_frame(gone) }
    :: else
    fi;
    d_step { gone = NONE; count = 0 }
#else
    if
#ifdef BUG_FREE_MAPPED
    :: d_step { true -> map_count[page] = 0; gone = page; page = NONE };
#else
    :: d_step { map_count[page] > 0 -> map_count[page] = map_count[page] | ORPHAN; page = NONE }
    :: d_step { map_count[page] == 0 -> gone = page; page = NONE };
#endif
       d_step { free_frame(gone); gone = NONE }
    fi
#endif
}

/* ---- tmap.c: the flush ----------------------------------------------------------------------------- */

#define SEND(cpu)                                                                                    \
    cpu_has[cpu] = (HAS(cpu, IN_MASK) -> cpu_has[cpu] | MUST_FLUSH : cpu_has[cpu])

/* flush, first half: the CPUs of the mask are told. */
inline send(pages)
{
    flushed = pages;
    SEND(0);
    SEND(1);
    SEND(2)
}

#ifdef BUG_NO_WAIT
#define ALL_HAVE_FLUSHED true
#else
#define ALL_HAVE_FLUSHED (!HAS(0, MUST_FLUSH) && !HAS(1, MUST_FLUSH) && !HAS(2, MUST_FLUSH))
#endif

/* flush, second half: each has dropped the pages; tables taken out before are freed. */
inline await()
{
    d_step {
        ALL_HAVE_FLUSHED ->
        if
        :: retired != NONE -> free_frame(retired); retired = NONE
        :: else
        fi
    }
}

/* ---- mapping.c ------------------------------------------------------------------------------------ */

inline harvest(e)
{
#ifdef WRITEBACK
    if
    :: (e) & DIRTY -> modified[FRAME_OF(e)] = 1
    :: else
    fi
#else
    skip
#endif
}

/* What holds whenever nobody has the map's lock. */
inline unlock_tmap()
{
    assert(retired == NONE);
    assert((root != NONE) == (entry[0] != 0 || entry[1] != 0));
    assert(table_count == (entry[0] != 0) + (entry[1] != 0));
    assert((entry[0] & PRESENT) || entry[0] == 0);
    assert((entry[1] & PRESENT) || entry[1] == 0);
    lock_tmap = 0
}

/* What TLBs may do through the old entry and not through the new one: they write without a walk where
 * they know an entry as writable and dirty. */
#ifdef BUG_REPLACE_LOSES_DIRTY
#define LOSES(old, write) (((old) & WRITE) && !(write))
#else
#define LOSES(old, write) (((old) & WRITE) && (!(write) || ((old) & DIRTY)))
#endif
#ifdef BUG_REPLACE_NO_FLUSH
#define MUST_SEND(f, write) false
#else
#define MUST_SEND(f, write) (FRAME_OF(old) != f || LOSES(old, write))
#endif

/* replace: another frame or other rights where an entry is. */
inline replace(page, f, write)
{
    if
    :: MUST_SEND(f, write) -> d_step { send(BIT(page)) }; await()
    :: else
    fi;
    harvest(old);
    if
    :: FRAME_OF(old) != f -> map_count[f]++; unuse(FRAME_OF(old))
    :: else
    fi;
    old = 0
}

/* install: with a table made for it, if there is none. Leaves the map locked. */
inline install(page, f, write)
{
    atomic {
        TAKE(lock_tmap);
        if
        :: root == NONE -> d_step { allocate(root, TABLE) }
        :: else
        fi
    };
    if
    :: d_step { root != NONE && entry[page] == 0 ->
                map_count[f]++;
                entry[page] = (f) | PRESENT | (write)*WRITE;
                table_count++ }
    :: d_step { root != NONE && entry[page] != 0 -> /* the exchange */
                old = entry[page];
                entry[page] = (f) | PRESENT | (write)*WRITE };
       replace(page, f, write)
    :: root == NONE /* no memory */
    fi
}

inline uncount(page)
{
#if defined(WRITEBACK) && !defined(BUG_HARVEST_EARLY)
    harvest(entry[page]);
#endif
    unuse(FRAME_OF(entry[page]))
}

/* withdraw, flush, forget; retire: a table without entries is taken out, and freed after another flush. */
inline remove(page)
{
    atomic {
        TAKE(lock_tmap);
        if
#ifdef BUG_HARVEST_EARLY
        :: entry[page] != 0 -> harvest(entry[page])
#else
        :: entry[page] != 0 -> entry[page] = entry[page] & ~PRESENT /* withdraw */
#endif
        :: else
        fi
    };
    if
    :: entry[page] != 0 ->
#ifdef BUG_HARVEST_EARLY
        entry[page] = entry[page] & ~PRESENT;
#endif
#ifdef BUG_COUNT_BEFORE_FLUSH
        uncount(page);
#endif
#ifndef BUG_NO_FLUSH
        d_step { send(BIT(page)) };
        await();
#endif
#ifndef BUG_COUNT_BEFORE_FLUSH
        uncount(page); /* forget */
#endif
        d_step {
            entry[page] = 0;
            table_count--;
            if
            :: table_count == 0 -> retired = root; root = NONE /* retire */
            :: else
            fi
        };
        if
#ifdef BUG_NO_SECOND_FLUSH
        :: retired != NONE -> d_step { free_frame(retired); retired = NONE }
#else
        :: retired != NONE -> d_step { send(BIT(page)) }; await()
#endif
        :: else
        fi
    :: else
    fi;
    unlock_tmap()
}

/* change: a right or the dirty bit goes, or a right comes back. */
inline change(page, keep, set)
{
    atomic {
        TAKE(lock_tmap);
        if
        :: entry[page] != 0 ->
            d_step { old = entry[page]; entry[page] = (entry[page] & (keep)) | (set) }
        :: else
        fi
    };
    harvest(old);
    if
#ifndef BUG_CHANGE_NO_FLUSH
    :: old & ~((keep) | (set)) -> d_step { send(BIT(page)) }; await()
#endif
    :: else
    fi;
    d_step { old = 0; unlock_tmap() }
}

/* ---- operations begin and end ----------------------------------------------------------------------- */

inline begin()
{
    running++
}

#define RIGHT(f)                                                                                     \
    (use[f] == FREE -> map_count[f] == 0 && f != page_c && f != page_t && f != root                  \
                    : (f == root -> use[f] == TABLE                                                  \
                    : (f == page_c || f == page_t -> map_count[f] == USERS(f)                        \
                    : map_count[f] == USERS(f) + ORPHAN && USERS(f) > 0)))

/* => in one step. With no operation under way every count is right, and no frame is lost. */
inline end()
{
    running--;
    if
    :: running == 0 ->
        assert(RIGHT(1));
        assert(RIGHT(2));
        assert(RIGHT(3));
        assert(FRAMES == 3 || RIGHT(FRAMES));
        assert(holds == 0 && !busy)
    :: else
    fi
}

/* ---- the CPUs --------------------------------------------------------------------------------------------- */

#define SEEN(page) (entry[page] & ~PRESENT) /* what a TLB takes of it */
#define CAN_LOAD(page) (HAS(me, TRANSLATES) && WALKS(me) == root && (entry[page] & PRESENT))

inline exchange_unless_sorted(a, b)
{
    if
    :: cpu_has[a] < cpu_has[b] ->
        cpu_has[a] = cpu_has[a] ^ cpu_has[b];
        cpu_has[b] = cpu_has[a] ^ cpu_has[b];
        cpu_has[a] = cpu_has[a] ^ cpu_has[b]
    :: else
    fi
}

inline sort()
{
    exchange_unless_sorted(0, 1);
    exchange_unless_sorted(1, 2);
    exchange_unless_sorted(0, 1)
}

inline deliver()
{
    if
    :: flushed & BIT(0) -> SET_TLB(me, 0, 0)
    :: else
    fi;
    if
    :: flushed & BIT(1) -> SET_TLB(me, 1, 0)
    :: else
    fi;
    cpu_has[me] = cpu_has[me] & ~(MUST_FLUSH | 7 << 10)
}

/* The entry leads to a page in use, and only T's pages are written through the private region. */
inline load(page)
{
    assert(use[FRAME_OF(entry[page])] == PAGE_C || use[FRAME_OF(entry[page])] == PAGE_T);
    assert(use[FRAME_OF(entry[page])] == (entry[page] & WRITE -> (page == SHARED -> PAGE_C : PAGE_T)
                                                              : use[FRAME_OF(entry[page])]));
    SET_TLB(me, page, SEEN(page))
}

/* Each step changes something, so a core that is stuck is an end state. */
active [CPUS] proctype cpu()
{
    byte me = _pid; /* the CPUs come first */
endless:
    do
    :: d_step { HAS(me, MUST_FLUSH) -> deliver(); sort() }
    :: d_step {
           HAS(me, TRANSLATES) && root != NONE && WALKS(me) != root ->
           SET_WALKS(me, root);
           sort()
       }
    :: d_step { CAN_LOAD(0) && TLB(me, 0) != SEEN(0) -> load(0); sort() }
    :: d_step { CAN_LOAD(1) && TLB(me, 1) != SEEN(1) -> load(1); sort() }
#ifdef WRITEBACK
    :: d_step { /* a write without a walk */
           (TLB(me, SHARED) & WRITE) && (TLB(me, SHARED) & DIRTY) &&
           !unsaved[FRAME_OF(TLB(me, SHARED))] ->
           unsaved[FRAME_OF(TLB(me, SHARED))] = 1
       }
    :: d_step { /* a write with one */
           CAN_LOAD(SHARED) && (entry[SHARED] & WRITE) &&
           (TLB(me, SHARED) != (SEEN(SHARED) | DIRTY) || !unsaved[FRAME_OF(entry[SHARED])]) ->
           entry[SHARED] = entry[SHARED] | DIRTY;
           unsaved[FRAME_OF(entry[SHARED])] = 1;
           load(SHARED);
           sort()
       }
#endif
#ifdef ENTER
#ifdef BUG_ENTER_LATE
#define FIRST TRANSLATES
#define SECOND IN_MASK
#else
#define FIRST IN_MASK
#define SECOND TRANSLATES
#endif
    :: d_step { !HAS(me, FIRST | SECOND) -> cpu_has[me] = cpu_has[me] | FIRST; sort() } /* enter */
    :: d_step { HAS(me, FIRST) && !HAS(me, SECOND) -> cpu_has[me] = cpu_has[me] | SECOND; sort() }
    :: d_step { HAS(me, TRANSLATES) -> cpu_has[me] = cpu_has[me] & (MUST_FLUSH | IN_MASK); sort() }
    :: d_step { !HAS(me, TRANSLATES) -> cpu_has[me] = cpu_has[me] & ~IN_MASK; sort() } /* leave */
#endif
    od
}

/* ---- fault.c ---------------------------------------------------------------------------------------- */

inline fault_ends()
{
    lock_map_readers--;
    end()
}

/* C's page, read in where it isn't there: NONE if there is no memory. */
inline take_c()
{
    atomic {
        TAKE(lock_c);
        if
        :: page_c == NONE -> d_step { allocate(page_c, PAGE_C) }
        :: else
        fi
    }
}

/* A page that is busy is waited for with no lock held, and the fault begins again. */
#define USABLE_C (page_c != NONE && !busy)

inline fault_shared()
{
    take_c();
    if
    :: USABLE_C -> install(SHARED, page_c, writable); d_step { unlock_tmap() }
    :: else
    fi;
    d_step { lock_c = 0; fault_ends() }
}

/* copy: up into T, for a write. */
inline bring_up(write)
{
    take_c();
    if
    :: USABLE_C && !(write) -> install(PRIVATE, page_c, 0); d_step { unlock_tmap() }
    :: USABLE_C && write ->
        d_step { allocate(page_t, PAGE_T) };
        if
        :: page_t != NONE -> install(PRIVATE, page_t, 1); d_step { unlock_tmap() }
        :: else
        fi
    :: else
    fi;
    d_step { lock_c = 0; lock_t = 0; fault_ends() }
}

inline fault_private(write)
{
    take(lock_t);
    if
    :: page_t != NONE ->
        install(PRIVATE, page_t, 1);
        d_step { unlock_tmap(); lock_t = 0; fault_ends() }
    :: else -> bring_up(write)
    fi
}

active [FAULTS] proctype fault()
{
    byte old, count;
endless:
    do
    :: d_step { !lock_map_writer && listed[SHARED] -> lock_map_readers++; begin() }; fault_shared()
    :: d_step { !lock_map_writer && listed[PRIVATE] -> lock_map_readers++; begin() }; fault_private(0)
    :: d_step { !lock_map_writer && listed[PRIVATE] -> lock_map_readers++; begin() }; fault_private(1)
    od
}

/* ---- range.c, protect.c ------------------------------------------------------------------------------ */

#define TAKE_MAP !lock_map_writer && lock_map_readers == 0

inline map_ends()
{
    lock_map_writer = 0;
    end()
}

inline unmap_shared()
{
    remove(SHARED);
    take(lock_c);
    d_step { listed[SHARED] = 0; lock_c = 0; map_ends() }
}

/* Its cache goes with it. */
inline unmap_private()
{
#ifdef BUG_LOCK_ORDER
    take(lock_tmap);
    take(lock_t);
    d_step { lock_t = 0; lock_tmap = 0 };
#endif
    remove(PRIVATE);
    atomic { TAKE(lock_t); listed[PRIVATE] = 0 };
    if
    :: page_t != NONE -> orphan(page_t)
    :: else
    fi;
    d_step { lock_t = 0; map_ends() }
}

inline map_again(page, lock_cache)
{
    take(lock_cache);
    d_step { listed[page] = 1; lock_cache = 0; map_ends() }
}

#ifdef UNMAP
active proctype unmap()
{
    byte gone, old, count;
endless:
    do
    :: d_step { TAKE_MAP && listed[SHARED] -> lock_map_writer = 1; begin() }; unmap_shared()
    :: d_step { TAKE_MAP && !listed[SHARED] -> lock_map_writer = 1; begin() }; map_again(SHARED, lock_c)
    :: d_step { TAKE_MAP && listed[PRIVATE] -> lock_map_writer = 1; begin() }; unmap_private()
    :: d_step { TAKE_MAP && !listed[PRIVATE] -> lock_map_writer = 1; begin() }; map_again(PRIVATE, lock_t)
    od
}
#endif

inline forbid_writing()
{
    atomic { TAKE(lock_c); writable = 0 };
    change(SHARED, ~WRITE, 0);
    assert(!MAY_WRITE(0, SHARED) && !MAY_WRITE(1, SHARED) && !MAY_WRITE(2, SHARED));
    d_step { lock_c = 0; map_ends() }
}

inline allow_writing()
{
    atomic { TAKE(lock_c); writable = 1 };
    change(SHARED, ~0, WRITE);
    d_step { lock_c = 0; map_ends() }
}

#ifdef PROTECT
active proctype protect()
{
    byte old, count;
endless:
    do
    :: d_step { TAKE_MAP && listed[SHARED] && writable -> lock_map_writer = 1; begin() }; forbid_writing()
    :: d_step { TAKE_MAP && listed[SHARED] && !writable -> lock_map_writer = 1; begin() }; allow_writing()
    od
}
#endif

/* ---- file.c: eviction -------------------------------------------------------------------------------- */

/* evict: every region of C loses its page, then C; what T's region maps of it is an orphan until T's turn. */
inline drop_c()
{
    if
    :: listed[SHARED] -> remove(SHARED)
    :: else
    fi;
    if
    :: USABLE_C -> orphan(page_c)
    :: else
    fi
}

inline drop_t()
{
    if
    :: listed[PRIVATE] -> remove(PRIVATE)
    :: else
    fi;
    if
    :: page_t != NONE -> orphan(page_t) /* the file got shorter */
    :: true                             /* it was discarded */
    fi
}

#ifdef EVICT
active proctype evict()
{
    byte gone, count;
endless:
    do
    :: atomic { TAKE(lock_c); begin() };
       drop_c();
       lock_c = 0;
       take(lock_t);
       drop_t();
       d_step { lock_t = 0; end() }
    od
}
#endif

/* ---- file.c: a copy holds the page -------------------------------------------------------------------- */

#ifdef HOLD
active proctype hold()
{
    byte held, count;
endless:
    do
    :: d_step { !lock_c && USABLE_C ->
                begin(); held = page_c; map_count[held]++; holds++ };
       d_step { assert(use[held] == PAGE_C); /* the copy into it */
                unsaved[held] = WRITES };
       d_step { TAKE(lock_c); modified[held] = WRITES; holds-- };
       unuse(held);
       d_step { held = NONE; lock_c = 0; end() }
    od
}
#endif

/* ---- writeback.c ---------------------------------------------------------------------------------------- */

#define ENTRY_IS_DIRTY (FRAME_OF(entry[SHARED]) == page_c && (entry[SHARED] & DIRTY))

#ifdef WRITEBACK
active proctype writeback()
{
    byte old, count;
endless:
    do
    :: atomic { TAKE(lock_c); begin() };
       if
       :: listed[SHARED] -> change(SHARED, ~DIRTY, 0)
       :: else
       fi;
       if
       :: d_step { page_c != NONE && modified[page_c] -> busy = 1; modified[page_c] = 0; lock_c = 0 };
          d_step { assert(use[page_c] == PAGE_C); unsaved[page_c] = 0 }; /* the store reads it */
          take(lock_c);
          if
          :: modified[page_c] = 1 /* it has failed */
          :: true
          fi;
          busy = 0
       :: d_step { page_c != NONE && !modified[page_c] -> /* what counts as clean is saved */
                   assert(!unsaved[page_c] || ENTRY_IS_DIRTY || holds > 0) }
       :: page_c == NONE
       fi;
       d_step { lock_c = 0; end() }
    od
}
#endif
