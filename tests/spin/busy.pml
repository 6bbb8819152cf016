/* SPDX-License-Identifier: MIT */
/* Busy pages: readers whose reads end well or not, who die waiting, and who wait again; truncation,
 * write-back and discarding beside them. README.md beside this says what stands for what, which options
 * there are, and how to search it.
 *
 * One cache of two pages over a store, and two frames, so that the frame somebody waits at may already be
 * another page's. Every thread does a number of operations and ends; so a thread that waits in vain is an
 * end state, and one that goes round for ever is a cycle. A step of the core that names itself here, as
 * `will_wait`, is named so at its place in vm/. */

#ifndef READERS
#define READERS 3
#endif
#ifndef READS
#define READS 2 /* operations of each */
#endif
#ifdef EARLY
#define EARLY_RETURNS 1 /* of host_wait, for no reason, each */
#else
#define EARLY_RETURNS 0
#endif
#define OTHERS 1 /* the truncation waits, too */
#define THREADS (READERS + OTHERS)

#define NONE 0 /* no frame; they are 1 and 2 */

/* ---- the core's state ------------------------------------------------------------------------------ */

bit lock_cache;
byte page[2]; /* the frame in the cache, or NONE */
byte busy[3]; /* of each frame: 0; 1; 2: and somebody waits */
bit used[3];
byte busy_count;
byte references; /* of reads under way, on the cache */

/* ---- the host's ------------------------------------------------------------------------------------ */

byte size = 2; /* of the file, in pages */
byte waits_at[THREADS];
bit killed[READERS];

/* ---- for the properties ---------------------------------------------------------------------------- */

byte content[3]; /* of each frame: the page whose bytes it has, + 1; 0: somebody else's bytes */

#define IS_BUSY(p) (page[p] != NONE && busy[page[p]] != 0)

/* ---- when all have ended ---------------------------------------------------------------------------------------- */

/* Comes first, since threads end in the reverse order of their beginning. */
active proctype last()
{
    _nr_pr == 1;
    assert(busy_count == 0 && references == 0 && !lock_cache);
    assert(busy[1] == 0 && busy[2] == 0);
    assert(used[1] == (page[0] == 1 || page[1] == 1));
    assert(used[2] == (page[0] == 2 || page[1] == 2))
}

/* ---- the cache's lock --------------------------------------------------------------------------- */

/* Only `busy` is looked at without the lock, by waiters; so what is done under it is one step up to a
 * change of that, and after it. */
#define TAKE !lock_cache -> lock_cache = 1

/* What holds whenever nobody has the cache's lock. */
inline let_go()
{
    assert(busy_count == IS_BUSY(0) + IS_BUSY(1));
    assert(page[0] == NONE || page[0] != page[1]);
    assert(page[0] == NONE || used[page[0]]);
    assert(page[1] == NONE || used[page[1]]);
    lock_cache = 0
}

/* ---- the host's wait and wake ------------------------------------------------------------------------ */

#ifdef BUG_NOT_ANNOUNCED
#define EXPECTED(frame) (busy[frame] != 0)
#else
#define EXPECTED(frame) (busy[frame] == 2)
#endif

/* The test and the sleep are one step for wakers. `killable`: a thread that is to die doesn't sleep. */
inline host_wait(me, frame, dead)
{
#ifdef BUG_WAIT_IN_TWO_STEPS
    if
    :: dead || !EXPECTED(frame)
    :: else -> waits_at[me] = frame
    fi;
#else
    d_step {
        if
        :: dead || !EXPECTED(frame)
        :: else -> waits_at[me] = frame
        fi
    };
#endif
    if
    :: waits_at[me] == NONE
    :: d_step { early < EARLY_RETURNS && waits_at[me] != NONE -> early++; waits_at[me] = NONE }
    fi
}

inline host_wake(frame)
{
    d_step {
        i = 0;
        do
        :: i < THREADS && waits_at[i] == frame ->
            waits_at[i] = NONE;
#ifdef BUG_WAKE_ONE
            break
#else
            i++
#endif
        :: i < THREADS && waits_at[i] != frame -> i++
        :: i == THREADS -> break
        od;
        i = 0
    }
}

/* ---- page.c: busy ------------------------------------------------------------------------------------ */

/* => cache: locked */
inline will_wait(frame)
{
#ifndef BUG_NOT_ANNOUNCED
    busy[frame] = 2
#else
    skip
#endif
}

/* => cache: locked */
inline clear_busy(p)
{
#ifdef BUG_WAKE_BEFORE_CLEAR
    if
    :: busy[page[p]] == 2 -> host_wake(page[p])
    :: else
    fi;
    d_step { busy[page[p]] = 0; busy_count-- }
#else
    d_step { waited = (busy[page[p]] == 2); busy[page[p]] = 0; busy_count-- }; /* who announces himself has the lock, too */
    if
    :: waited -> host_wake(page[p]); waited = 0
    :: else
    fi
#endif
}

/* => cache: locked, in one step */
inline remove_page(p)
{
    assert(page[p] != NONE && busy[page[p]] == 0);
    used[page[p]] = 0;
    content[page[p]] = 0;
    page[p] = NONE
}

/* => in one step. A busy frame where the page will be, if there is a free one. */
inline insert_busy(p)
{
    if
    :: !used[1] -> page[p] = 1
    :: used[1] && !used[2] -> page[p] = 2
    :: else
    fi;
    if
    :: page[p] != NONE ->
        assert(busy[page[p]] == 0);
        used[page[p]] = 1;
        busy[page[p]] = 1;
        busy_count++
    :: else
    fi
}

/* ---- pagein.c ------------------------------------------------------------------------------------------ */

/* begin: busy frames for this page and, where there is room, for the next. => cache: locked */
inline pagein_begin(p)
{
    insert_busy(p);
    first = page[p];
    if
    :: first != NONE -> references++
    :: else
    fi;
    if
    :: first != NONE && p == 0 && page[1] == NONE && size > 1 -> insert_busy(1); second = page[1]
    :: else
    fi
}

/* The store has written its frames, and nobody else had them meanwhile. */
inline store_reads(p)
{
    d_step {
        assert(page[p] == first && busy[first] != 0);
        assert(second == NONE || (page[1] == second && busy[second] != 0))
    };
    if
    :: d_step { true -> content[first] = p + 1; content[second] = (second == NONE -> 0 : 2) }
    :: failed = 1
    fi
}

/* finish: the end of busy, and on error of the page. */
inline finish_page(p)
{
#ifdef BUG_REMOVE_BEFORE_CLEAR
    if
    :: d_step { failed -> remove_page(p) }
    :: else
    fi;
#endif
#ifdef BUG_BUSY_AFTER_ERROR
    if
    :: !failed -> clear_busy(p)
    :: else -> busy_count--
    fi;
#else
    clear_busy(p);
#endif
#ifndef BUG_FAILED_STAYS
    if
    :: d_step { failed -> remove_page(p) }
    :: else
    fi
#endif
}

inline pagein_finish(p)
{
    store_reads(p);
    atomic { TAKE };
    finish_page(p);
    if
    :: second != NONE -> finish_page(1)
    :: else
    fi;
    d_step { references--; first = NONE; second = NONE; result = failed; failed = 0; let_go() }
}

/* ---- fault.c, file.c: one thread that wants a page ------------------------------------------------------ */

#define AGAIN 0 /* try again */
#define DONE 1        /* it has the page, or an error */

/* => in one step. What is found may be used: it is there, whole, and nobody reads or writes it. */
inline use_page(p)
{
    assert(page[p] != NONE && busy[page[p]] == 0);
    assert(content[page[p]] == p + 1)
}

/* wait: announced under the lock; then again from nothing, or the end of who was killed. */
inline wait_for(p)
{
#ifdef BUG_ANNOUNCED_LATE
    will_wait(first);
#endif
#ifndef BUG_NO_SLEEP
    host_wait(me, first, killed[me]);
#endif
#ifdef BUG_NO_RECHECK
    d_step { !lock_cache -> first = NONE; result = DONE; use_page(p) }
#else
    d_step { first = NONE; result = (killed[me] -> DONE : AGAIN) }
#endif
}

inline read_page(p)
{
    if
    :: first == NONE -> result = DONE /* no memory */
    :: first != NONE -> pagein_finish(p)
    fi
}

#ifdef BUG_ANNOUNCED_LATE
#define ANNOUNCE skip
#else
#define ANNOUNCE will_wait(first)
#endif

/* The look at the cache, with its lock, and what comes of it. */
inline try(p)
{
    if
    :: d_step { !lock_cache && IS_BUSY(p) -> first = page[p]; ANNOUNCE }; wait_for(p)
    :: d_step { !lock_cache && page[p] != NONE && !IS_BUSY(p) -> use_page(p); result = DONE }
    :: d_step { !lock_cache && page[p] == NONE && p < size -> pagein_begin(p) }; read_page(p)
    :: d_step { !lock_cache && page[p] == NONE && p >= size -> result = DONE } /* behind the end */
    fi
}

active [READERS] proctype reader()
{
    byte me = _pid - 1; /* readers come next */
    byte first, second, early, reads, i, p;
    bit result, waited, failed;
    do
    :: reads < READS ->
        if
        :: p = 0
        :: p = 1
        fi;
        do
        :: result == AGAIN -> try(p)
        :: atomic { result == DONE -> reads++; result = AGAIN; p = 0; break }
        od
    :: reads == READS -> break
    od
}

/* ---- file.c: truncation ------------------------------------------------------------------------------------ */

#define ME READERS
#define BUSY_FROM(p) ((p == 0 && IS_BUSY(0)) || IS_BUSY(1))

/* lock_idle: with nothing under way at or behind the new end. */
inline lock_idle(p)
{
    do
#ifndef BUG_TRUNCATE_AT_ONCE
    :: d_step { !lock_cache && BUSY_FROM(p) ->
                first = (p == 0 && IS_BUSY(0) -> page[0] : page[1]);
                will_wait(first) };
       host_wait(ME, first, false);
       first = NONE
    :: atomic { !lock_cache && !BUSY_FROM(p) -> lock_cache = 1; break }
#else
    :: atomic { TAKE; break }
#endif
    od
}

/* => in one step */
inline drop_page(p)
{
    if
    :: page[p] != NONE && !IS_BUSY(p) -> remove_page(p)
    :: else
    fi
}

#ifdef TRUNCATE
active proctype truncate()
{
    byte first, early, end;
    if
    :: end = 0
    :: end = 1
    fi;
    size = end; /* the host's part comes first */
    lock_idle(end);
    atomic {
        if
        :: end == 0 -> drop_page(0)
        :: else
        fi;
        drop_page(1);
        assert(page[1] == NONE && (end == 1 || page[0] == NONE)); /* nothing of what was behind the end */
        let_go()
    }
}
#endif

/* ---- writeback.c ---------------------------------------------------------------------------------------------- */

#ifdef WRITEBACK
active proctype writeback()
{
    byte i, p;
    bit waited;
    if
    :: p = 0
    :: p = 1
    fi;
    if
    :: d_step { !lock_cache && page[p] != NONE && !IS_BUSY(p) -> busy[page[p]] = 1; busy_count++ };
       assert(content[page[p]] == p + 1); /* the store writes it */
       atomic { TAKE };
       clear_busy(p);
       d_step { let_go() }
    :: !lock_cache && (page[p] == NONE || IS_BUSY(p))
    fi
}
#endif

/* ---- cache.c: discarding ------------------------------------------------------------------------------------- */

#ifdef DISCARD
active proctype discard()
{
    d_step { !lock_cache -> drop_page(0); drop_page(1); let_go() }
}
#endif

/* ---- the host ends threads ------------------------------------------------------------------------------------ */

active proctype killer()
{
    byte t;
    do
    :: d_step { t < READERS -> t++ }
    :: d_step { t < READERS -> killed[t] = 1; waits_at[t] = NONE; t++ }
    :: d_step { t == READERS -> t = 0 }; break
    od
}
