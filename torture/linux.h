/* SPDX-License-Identifier: MIT */
/* Traces on Linux itself: each space is a process, each file a memfd, each operation a system call or a
 * load or store. What differs by contract is left out, on all three sides:
 *
 * - devices, null regions, clones, residency, holes, limits: they have no call of their own, or (mincore)
 *   one that answers something else.
 * - wiring: mlock locks what lies before a hole, and refuses pages that nobody may touch.
 * - regions at any address, or at the top: the lowest hole of a window has no equivalent; a hint, and a
 *   move to an exact address, only where that is free (else Linux goes elsewhere, or replaces).
 * - a hint in the guard gap of a stack: only for Linux is that taken.
 * - ranges that leave the window: a process goes on behind it.
 * - ranges of nothing, but for mmap and munmap: to Linux they are no error, or (mremap) another request.
 * - sizes that wrap, for msync (it rounds them to nothing), mremap, and resizing.
 * - spaces and regions that aren't there: a process can't name another.
 * - unknown bits, but for mprotect: mmap ignores them.
 * - LOCK_KERNEL, LOCK_NO_READ with rights: there are no such PROT_*. (Nor has the core PROT_EXEC alone.)
 * - stacks that are shared or of a file: MAP_GROWSDOWN is for private memory.
 * - a page below a stack above another stack or a page that nobody may touch: only Linux grows there.
 * - mprotect that is denied behind the first page: Linux has changed what is before.
 * - a fork's treatment of a range with holes (Linux changes what is mapped), shared memory that is to be
 *   copied, private memory that is to be shared.
 * - growth of shared anonymous memory: to Linux it is a file that doesn't grow with the mapping.
 * - moves over a boundary of the core's regions: Linux joins and cuts by other rules. For the same reason a
 *   move that Linux takes for one over a boundary goes page by page.
 * - what has two errors, in no agreed order: moves onto themselves of what isn't mapped, a writable mapping
 *   of a file that isn't open for writing where the range is taken or wrong, execution behind a file's end
 *   where that is not allowed either (Linux looks for the page first).
 * - writes behind a file's end into its last page: what becomes of them is nobody's promise; a memfd keeps
 *   them.
 * - execution, but of one byte that is a return.
 * - file writes behind the end are cut there, as the core's callers do.
 * - a promise that the model refuses ends the trace: Linux promises everything. */
#ifndef QUIRE_TORTURE_LINUX_H
#define QUIRE_TORTURE_LINUX_H

#include "trace.h"

/* Operations between two comparisons of everything. */
#define LINUX_CHECK_EVERY 400

/* Runs the trace, without what is left out, on the simulator and the model, then on Linux. False, with
 * outcome->text and the number of the operation in outcome->at, where one of them differs. */
bool linux_run(const struct trace *trace, struct trace_outcome *outcome);
/* The same, on a simulator that is told to do it this way; `check_every` is for Linux, too. */
bool linux_run_way(const struct trace *trace, const struct trace_way *way,
                   struct trace_outcome *outcome);

#endif
