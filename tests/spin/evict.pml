/* SPDX-License-Identifier: MIT */
/* A page goes to swap while its owner uses it, forks, discards and exits. README.md beside this says what
 * stands for what, which options there are, and how to search it.
 *
 *   before the fork:  R -> A            afterwards:  R -> T  -> M -> A
 *                                                    C -> TC -^
 *
 * One page of an object, two frames, two slots. References R (the parent's region), M (in the middle) and C
 * (the child's); caches A, T and TC. A step of the core that names itself here, as `gather`, is named so at
 * its place in vm/. */

#ifndef OPS
#define OPS 2 /* of the parent, before it exits */
#endif
#ifndef BATCHES
#define BATCHES 2 /* of each reclaimer */
#endif
#ifndef RECLAIMERS
#define RECLAIMERS 1
#endif
#ifndef READS
#define READS 1 /* of the child */
#endif

#define R 1
#define M 2
#define C 3
#define A 1
#define T 2
#define TC 3

/* What stands in a cache's tree: nothing, a frame, SKIP, or a slot. */
#define NONE 0
#define SKIP 3
#define SLOT(s) (4 + (s))
#define IS_FRAME(v) ((v) == 1 || (v) == 2)
#define IS_SLOT(v) ((v) >= 4)
#define SLOT_OF(v) ((v)-4)

#define GO 1 /* fates */
#define HIDE 2

/* ---- the core's state ----------------------------------------------------------------------------- */

byte cache_of[4], ref_of[4], source_of[4], tree[4], count[4];
bit ref_alive[4], cache_alive[4];
bit lock[4], lock_page;

byte page_cache[3];
bit used[3], queued[3], busy[3], modified[3];
byte fate[3], maps[3];
byte swap[3]; /* the slot that has the same bytes, + 1; or 0 */
bit slot_used[2];

/* The parent's entry and the child's, which never writes. */
byte entry[2];
bit writable, dirty;

/* ---- the machine's -------------------------------------------------------------------------------- */

byte tlb[2];
bit tlb_writable, tlb_dirty;
byte value[3]; /* of frames, and of slots */
byte slot_value[2];

/* ---- for the properties ---------------------------------------------------------------------------- */

byte expect;   /* what the parent must read */
byte snapshot; /* and the child */
bit forked, child_done, parent_done;
byte batches_done;

#define TAKE(r) !lock[r] -> lock[r] = 1
#define HAS_CONSUMERS(r) (source_of[T] == r || source_of[TC] == r)
#define BOTH_CONSUMERS(r) (source_of[T] == r && source_of[TC] == r)
#define BUSY(c) (IS_FRAME(tree[c]) && busy[tree[c]])

init
{
    d_step {
        cache_of[R] = A; ref_of[A] = R; count[R] = 1; ref_alive[R] = 1; cache_alive[A] = 1
    }
}

/* When all have ended nothing is left. */
active proctype at_end()
{
    batches_done == RECLAIMERS && child_done && parent_done;
    assert(!lock[R] && !lock[M] && !lock[C] && !lock_page);
    assert(!used[1] && !used[2] && !slot_used[0] && !slot_used[1]);
    assert(!ref_alive[R] && !ref_alive[M] && !ref_alive[C] && !cache_alive[A] && !cache_alive[T] && !cache_alive[TC])
}

/* ---- frames and slots; each in one step -------------------------------------------------------------- */

inline allocate(f, c)
{
    f = (!used[1] -> 1 : (!used[2] -> 2 : NONE));
    if
    :: f != NONE ->
        assert(busy[f] == 0 && maps[f] == 0 && swap[f] == 0);
        used[f] = 1; queued[f] = 1; page_cache[f] = c; value[f] = 0; modified[f] = 0; fate[f] = 0
    :: else
    fi
}

inline forget_slot(f)
{
    if
    :: swap[f] != 0 -> assert(slot_used[swap[f] - 1]); slot_used[swap[f] - 1] = 0; swap[f] = 0
    :: else
    fi
}

/* Nobody may have it: a TLB would go on using what is somebody else's then. */
inline free_frame(f)
{
    assert(used[f] && !busy[f] && maps[f] == 0 && tlb[0] != f && tlb[1] != f);
    forget_slot(f);
    used[f] = 0; queued[f] = 0; page_cache[f] = 0; modified[f] = 0; fate[f] = 0; value[f] = 0
}

inline forget_value(c)
{
    if
    :: IS_FRAME(tree[c]) -> free_frame(tree[c])
    :: IS_SLOT(tree[c]) -> slot_used[SLOT_OF(tree[c])] = 0
    :: else
    fi;
    tree[c] = NONE
}

/* => the cache: locked, in one step */
inline end_busy(f, c)
{
    assert(busy[f] && tree[c] == f && page_cache[f] == c);
    busy[f] = 0;
    if
#ifndef BUG_FATE_FORGOTTEN
    :: fate[f] != 0 -> tree[c] = (fate[f] == HIDE -> SKIP : NONE); free_frame(f)
#endif
    :: else -> fate[f] = 0
    fi
}

/* ---- references ---------------------------------------------------------------------------------------- */

#ifndef BUG_MERGE_BUSY
#define IDLE (!BUSY(A) && !BUSY(c))
#else
#define IDLE true
#endif
#define MAY_MERGE (source_of[c] == M && !BOTH_CONSUMERS(M) && count[M] == 2)

/* merge: the middle, whose last but one reference the caller has, and its one consumer become one cache, if
 * nothing is busy in them. => in one step: both locked */
inline merge(c, r, merged)
{
    if
    :: IS_FRAME(tree[A]) && tree[c] != NONE && maps[tree[A]] > 0 -> merged = 0
    :: else ->
        merged = 1;
        count[M] = 0;
        if
        :: tree[c] == NONE -> /* down: the source stays, under the consumer's reference */
            cache_of[r] = A; ref_of[A] = r; cache_of[M] = c; ref_of[c] = M
        :: else -> forget_value(A)
        fi;
        source_of[c] = 0
    fi
}

/* try_merge: with both locked, in one step. Where something is busy the reference is given back before it
 * no longer is: so who ends that sees that he is the last but one. `given`: the reference has gone, or both. */
inline try_merge(given, merged)
{
    d_step {
        c = (source_of[T] == M -> T : TC);
        if
        :: MAY_MERGE && count[ref_of[c]] > 0 -> candidate = ref_of[c]
        :: else -> candidate = 0; tried = (count[M] == 2)
        fi
    };
    if
    :: candidate == 0
    :: else ->
        d_step { /* the conditions again */
            !lock[candidate] && !lock[M] ->
            if
            :: MAY_MERGE && count[candidate] > 0 && ref_of[c] == candidate && IDLE ->
                merge(c, candidate, merged); tried = !merged; given = merged
#ifndef BUG_BUSY_KEEPS
            :: MAY_MERGE && count[candidate] > 0 && ref_of[c] == candidate && !IDLE ->
                count[M]--; given = 1
#endif
            :: else -> tried = (count[M] == 2)
            fi
        }
    fi;
    d_step { candidate = 0; c = 0 }
}

/* destroy: the pages leave, then whoever has looked at one under the page lock has ended, then memory goes. */
inline destroy(r, below)
{
    d_step { !lock[r] -> assert(!BUSY(cache_of[r])); forget_value(cache_of[r]) };
#ifndef BUG_NO_BARRIER
    !lock_page; /* page_lock_barrier */
#endif
    d_step {
        below = source_of[cache_of[r]];
        source_of[cache_of[r]] = 0;
        cache_alive[cache_of[r]] = 0;
        ref_alive[r] = 0
    }
}

/* release of a reference that has no source below it any more, or the middle. Who gives back the last but
 * one tries to merge, and again if others had references meanwhile; the count is compared as it is exchanged. */
#define SHOULD_MERGE(r) (r == M && count[M] == 2 && HAS_CONSUMERS(M) && !tried)

inline release_one(r, below)
{
    d_step { last = 0; merged = 0; below = 0; given = 0 };
#ifdef BUG_COUNT_SEEN_BEFORE /* what was seen isn't what is exchanged */
    tried = (r == M && count[M] != 2);
#endif
    do
    :: SHOULD_MERGE(r) ->
        try_merge(given, merged);
#ifdef BUG_ONE_TRY
        tried = 1;
#endif
        if
        :: given -> last = merged; break
        :: else
        fi
    :: d_step { !SHOULD_MERGE(r) -> assert(count[r] > 0); count[r]--; last = (count[r] == 0) }; break
    od;
    atomic { tried = 0; merged = 0; given = 0 };
    if
    :: last -> destroy(r, below); last = 0
    :: else
    fi
}

inline release(r)
{
    if
    :: r == 0
    :: else ->
        release_one(r, below);
        if
        :: below != 0 -> release_one(M, nothing); below = 0
        :: else
        fi
    fi
}

#define RELEASE_STATE byte below, nothing, candidate, c; bit last, merged, tried, given

/* lock_holder: of `cache`, in which something is busy, from the reference downwards. */
inline lock_holder(r, cache, holder)
{
    atomic { TAKE(r); holder = r };
#ifndef BUG_OLD_HOLDER
    if
    :: cache_of[r] != cache ->
        atomic { assert(source_of[cache_of[r]] == M); TAKE(M); lock[r] = 0; holder = M };
        assert(cache_of[M] == cache)
    :: else
    fi
#endif
}

/* put_holder: what could not merge because something was busy is tried now. => holder locked */
inline put_holder(r, holder)
{
    d_step {
#ifndef BUG_MERGE_MISSED
        middle = (!BUSY(cache_of[holder]) && HAS_CONSUMERS(holder) -> holder : 0);
        source = (!BUSY(cache_of[holder]) -> source_of[cache_of[holder]] : 0);
#endif
        if
        :: middle != 0 -> count[middle]++
        :: else
        fi;
        if
        :: source != 0 -> count[source]++
        :: else
        fi;
        lock[holder] = 0
    };
    release(middle);
    release(source);
    release(r);
    d_step { middle = 0; source = 0 }
}

/* ---- the MMU's part of a page that goes ------------------------------------------------------------------ */

/* => the region's reference: locked. `p`: whose entry. */
inline remove(p, f)
{
    atomic { was_dirty = (p == 0 && dirty); entry[p] = NONE; if :: p == 0 -> dirty = 0; writable = 0 :: else fi };
#ifndef BUG_NO_FLUSH
    d_step { tlb[p] = NONE; if :: p == 0 -> tlb_writable = 0; tlb_dirty = 0 :: else fi };
#endif
    d_step {
#ifndef BUG_DIRTY_LOST
        modified[f] = modified[f] || was_dirty;
#endif
        maps[f]--; was_dirty = 0
    }
}

/* ---- faults -------------------------------------------------------------------------------------------------- */

#define AGAIN 0
#define DONE 1

/* => in one step. The entry leads to `f` from here on; what it led to before, it no longer does, in any TLB. */
inline map(p, f, right)
{
    if
    :: entry[p] != NONE ->
        modified[entry[p]] = modified[entry[p]] || (p == 0 && dirty);
        maps[entry[p]]--
    :: else
    fi;
    entry[p] = f; maps[f]++; tlb[p] = NONE;
    if
    :: p == 0 -> writable = right; dirty = 0; tlb_writable = 0; tlb_dirty = 0
    :: else
    fi
}

/* => in one step, `top` locked, and what is below it. Sets `wait` or `reads` where it must sleep. */
inline look(p, top, write)
{
    at = top; found = tree[cache_of[top]];
    if
    :: found == NONE && source_of[cache_of[top]] != 0 ->
        at = M; found = tree[cache_of[M]]
    :: else
    fi;
    if
#ifndef BUG_NOT_BUSY
    :: IS_FRAME(found) && busy[found] -> wait = found
    :: IS_FRAME(found) && !busy[found] && (at == top || !write) -> map(p, found, write)
    :: IS_FRAME(found) && !busy[found] && at != top && write ->
#else
    :: IS_FRAME(found) && (at == top || !write) -> map(p, found, write)
    :: IS_FRAME(found) && at != top && write ->
#endif
        allocate(page, cache_of[top]);
        if
        :: page != NONE ->
            value[page] = value[found]; modified[page] = 1; tree[cache_of[top]] = page; map(p, page, 1)
        :: else -> no_memory = 1
        fi
    :: IS_SLOT(found) ->
        allocate(page, cache_of[at]);
        if
        :: page != NONE ->
            swap[page] = SLOT_OF(found) + 1; busy[page] = 1; tree[cache_of[at]] = page;
            count[at]++; reads = page; cache = cache_of[at]
        :: else -> no_memory = 1
        fi
    :: found == NONE || found == SKIP ->
        allocate(page, cache_of[top]);
        if
        :: page != NONE -> tree[cache_of[top]] = page; map(p, page, write)
        :: else -> no_memory = 1
        fi
    fi;
    page = 0; found = 0
}

inline finish_read()
{
    value[reads] = slot_value[swap[reads] - 1]; /* the store */
    lock_holder(at, cache, holder);
    d_step { end_busy(reads, cache_of[holder]) };
    put_holder(at, holder);
    d_step { reads = 0; holder = 0; cache = 0 }
}

#define CAN_LOOK(top) (!lock[top] && (tree[cache_of[top]] != NONE || source_of[cache_of[top]] == 0 || !lock[M]))

inline fault(p, top, write)
{
    d_step {
        CAN_LOOK(top) ->
        look(p, top, write)
    };
    if
    :: wait != NONE -> busy[wait] == 0; wait = NONE
    :: reads != NONE -> finish_read()
    :: else
    fi;
    at = 0
}

/* A write by the CPU: through what its TLB has, or by a walk, which sets the entry's dirty bit. */
#define MAY_WRITE ((tlb[0] != NONE && tlb_writable && tlb_dirty) || (entry[0] != NONE && writable))
#define MAY_READ(p) (tlb[p] != NONE || entry[p] != NONE)

inline write_now()
{
    if
    :: tlb[0] != NONE && tlb_writable && tlb_dirty
    :: else -> tlb[0] = entry[0]; dirty = 1; tlb_writable = 1; tlb_dirty = 1
    fi;
    assert(used[tlb[0]]);
    expect = 3 - (expect == 0 -> 2 : expect);
    value[tlb[0]] = expect
}

inline read_now(p, expected)
{
    if
    :: tlb[p] != NONE
    :: else -> tlb[p] = entry[p]; if :: p == 0 -> tlb_writable = 0; tlb_dirty = 0 :: else fi
    fi;
    assert(used[tlb[p]]);
    assert(value[tlb[p]] == expected)
}

#define FAULT_STATE byte at, found, page, wait, reads, cache, holder, middle, source; bit no_memory

/* ---- the parent ------------------------------------------------------------------------------------------------- */

/* => in one step, R locked. The child sees what the parent sees now; A goes below M. */
inline fork_now()
{
    assert(cache_of[R] == A);
    cache_of[M] = A; ref_of[A] = M; ref_alive[M] = 1; count[M] = 2;
    cache_of[R] = T; ref_of[T] = R; source_of[T] = M; cache_alive[T] = 1;
    cache_of[C] = TC; ref_of[TC] = C; source_of[TC] = M; cache_alive[TC] = 1;
    ref_alive[C] = 1; count[C] = 1;
    if
    :: entry[0] != NONE && dirty -> modified[entry[0]] = 1
    :: else
    fi;
    writable = 0; dirty = 0; tlb[0] = NONE; tlb_writable = 0; tlb_dirty = 0;
    snapshot = expect;
    forked = 1
}

/* => in one step, R locked. What is busy goes when it no longer is. */
inline discard_now()
{
    if
    :: entry[0] != NONE -> maps[entry[0]]--; entry[0] = NONE
    :: else
    fi;
    writable = 0; dirty = 0; tlb[0] = NONE; tlb_writable = 0; tlb_dirty = 0;
    found = cache_of[R];
    if
    :: BUSY(found) -> fate[tree[found]] = (source_of[found] != 0 -> HIDE : GO)
    :: else -> forget_value(found); tree[found] = (source_of[found] != 0 -> SKIP : NONE)
    fi;
    found = 0;
    expect = 0
}

inline unmap_now(p)
{
    if
    :: entry[p] != NONE ->
        modified[entry[p]] = modified[entry[p]] || (p == 0 && dirty);
        maps[entry[p]]--; entry[p] = NONE
    :: else
    fi;
    tlb[p] = NONE;
    if
    :: p == 0 -> writable = 0; dirty = 0; tlb_writable = 0; tlb_dirty = 0
    :: else
    fi
}

active proctype parent()
{
    FAULT_STATE;
    RELEASE_STATE;
    byte ops;
    count[R] > 0;
    do
    :: ops < OPS ->
        ops++;
        if
        :: do
           :: d_step { MAY_WRITE -> write_now() }; break
           :: !MAY_WRITE && !no_memory -> fault(0, R, 1)
           :: no_memory -> no_memory = 0; break
           od
        :: do
           :: d_step { MAY_READ(0) -> read_now(0, expect) }; break
           :: !MAY_READ(0) && !no_memory -> fault(0, R, 0)
           :: no_memory -> no_memory = 0; break
           od
        :: d_step { !lock[R] -> discard_now() }
        :: d_step { !forked && !lock[R] && cache_of[R] == A -> fork_now() }
        fi
    :: ops == OPS -> break
    od;
    if
    :: true
    :: forked && child_done && batches_done == RECLAIMERS ->
        assert(source_of[cache_of[R]] == 0) /* no merge was missed */
    fi;
    if
    :: !forked -> child_done = 1 /* there is none */
    :: else
    fi;
    atomic { !lock[R] -> d_step { unmap_now(0) } };
    release(R);
    parent_done = 1
}

/* ---- the child --------------------------------------------------------------------------------------------------- */

active proctype child()
{
    FAULT_STATE;
    RELEASE_STATE;
    byte reads_done;
    if
    :: forked
    :: child_done -> goto never_was
    fi;
    do
    :: reads_done < READS ->
        reads_done++;
        do
        :: d_step { MAY_READ(1) -> read_now(1, snapshot) }; break
        :: !MAY_READ(1) && !no_memory -> fault(1, C, 0)
        :: no_memory -> no_memory = 0; break
        od
    :: break
    od;
    atomic { !lock[C] -> d_step { unmap_now(1) } };
    release(C);
    child_done = 1;
never_was:
    skip
}

/* ---- reclaim.c ----------------------------------------------------------------------------------------------------- */

/* find: from the page to its cache, to the reference, which is tried: all memory that goes behind the page
 * lock only. */
inline find_victim()
{
    atomic {
        !lock_page -> lock_page = 1;
        if
        :: queued[1] -> f = 1
        :: queued[2] -> f = 2
        :: !queued[1] && !queued[2] -> f = NONE
        fi;
        cache = (f == NONE -> 0 : page_cache[f])
    };
    if
    :: cache != 0 ->
        atomic { assert(cache_alive[cache]); ref = ref_of[cache] };
        atomic {
            assert(ref_alive[ref]);
#ifndef BUG_NO_TRY
            if
            :: count[ref] > 0 -> count[ref]++
            :: else -> ref = 0
            fi
#else
            count[ref]++
#endif
        }
    :: else
    fi;
    lock_page = 0;
    cache = 0
}

/* gather: with the cache locked, looked up again; busy from here on. */
inline gather()
{
    atomic { TAKE(ref) };
    d_step {
        if
#ifndef BUG_NO_RECHECK
        :: !used[f] || page_cache[f] != cache_of[ref] || busy[f] -> lock[ref] = 0; f = NONE
#else
        :: !used[f] || busy[f] -> lock[ref] = 0; f = NONE
#endif
        :: else -> busy[f] = 1; cache = cache_of[ref]
        fi
    }
}

#define OWNER(r) (r == R -> 0 : 1)

inline unmap_in(r)
{
    if
    :: r != M && entry[OWNER(r)] == f && maps[f] > 0 ->
        if
        :: remove(OWNER(r), f)
        :: true /* it was accessed: it stays mapped */
        fi
    :: else
    fi
}

/* One consumer after the other, with nothing else locked. */
inline unmap_consumers()
{
    atomic { TAKE(R) };
    if
    :: source_of[cache_of[R]] == ref -> unmap_in(R)
    :: else
    fi;
    lock[R] = 0;
    atomic { TAKE(C) };
    if
    :: ref_alive[C] && source_of[cache_of[C]] == ref -> unmap_in(C)
    :: else
    fi;
    lock[C] = 0
}

inline unmap()
{
    unmap_in(ref);
    holder = ref;
    if
    :: maps[f] > 0 && HAS_CONSUMERS(ref) ->
        lock[ref] = 0;
        unmap_consumers();
        lock_holder(ref, cache, holder)
    :: else
    fi
}

#ifndef BUG_MAPPED_GOES
#define IS_WANTED (fate[f] != 0 || maps[f] > 0)
#else
#define IS_WANTED (fate[f] != 0)
#endif

/* => holder: locked, in one step */
inline evict()
{
    end_busy(f, cache_of[holder]);
    tree[cache_of[holder]] = (swap[f] != 0 -> SLOT(swap[f] - 1) : NONE);
    swap[f] = 0; /* the slot goes with the tree */
    free_frame(f);
    f = NONE
}

/* part: who stays, who goes, and who is written. => holder: locked */
inline part()
{
    d_step {
        if
        :: IS_WANTED -> end_busy(f, cache_of[holder]); f = NONE
#ifndef BUG_NO_HOME
        :: !IS_WANTED && !modified[f] && (swap[f] != 0 || source_of[cache_of[holder]] == 0) -> evict()
        :: !IS_WANTED && (modified[f] || (swap[f] == 0 && source_of[cache_of[holder]] != 0)) ->
#else
        :: !IS_WANTED && !modified[f] -> evict()
        :: !IS_WANTED && modified[f] ->
#endif
            forget_slot(f); modified[f] = 0; queued[f] = 0
        fi
    }
}

/* write: with nothing locked. It may fail, and there may be no slot. */
inline write_out()
{
    lock[holder] = 0;
    d_step {
        slot = (!slot_used[0] -> 1 : (!slot_used[1] -> 2 : 0));
        if
        :: slot != 0 -> slot_used[slot - 1] = 1
        :: else
        fi
    };
    if
    :: slot != 0 ->
        if
        :: d_step { assert(used[f] && busy[f]); slot_value[slot - 1] = value[f] }
        :: d_step { slot_used[slot - 1] = 0; slot = 0 } /* it failed */
        fi
    :: else
    fi;
    lock_holder(ref, cache, holder);
    d_step { /* finish */
        if
        :: slot != 0 -> swap[f] = slot
        :: else -> modified[f] = 1
        fi;
        slot = 0;
        if
#ifndef BUG_FAILED_GOES
        :: !modified[f] && !IS_WANTED -> evict()
#else
        :: !IS_WANTED -> evict()
#endif
        :: else -> queued[f] = 1; end_busy(f, cache_of[holder]); f = NONE
        fi
    }
}

inline batch()
{
    find_victim();
    if
    :: ref != 0 ->
        gather();
        if
        :: f != NONE ->
#ifdef BUG_DECIDE_FIRST
            was_clean = !modified[f];
#endif
            unmap();
#ifdef BUG_DECIDE_FIRST
            d_step { if :: was_clean -> modified[f] = 0 :: else fi; was_clean = 0 };
#endif
            part();
            if
            :: f != NONE -> write_out()
            :: else
            fi;
            put_holder(ref, holder)
        :: else -> release(ref)
        fi
    :: else
    fi;
    d_step { ref = 0; f = 0; cache = 0; holder = 0 }
}

active [RECLAIMERS] proctype reclaimer()
{
    byte f, ref, cache, holder, middle, source, slot, batches;
    bit was_dirty;
#ifdef BUG_DECIDE_FIRST
    bit was_clean;
#endif
    RELEASE_STATE;
    do
    :: batches < BATCHES -> batches++; batch()
    :: batches == BATCHES -> break
    od;
    batches_done++
}
