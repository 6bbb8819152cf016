/* SPDX-License-Identifier: MIT */
/* Writing a file's modified pages to its store. */
#ifndef VM_WRITEBACK_H
#define VM_WRITEBACK_H

#include "cache.h"

/* Writes what is modified in [first, last], in runs, with no lock held meanwhile, and waits for what
 * others are writing of it: afterwards the store has what was modified before. => nothing locked, with
 * a reference. The first error of the store: what could not be written stays modified, and once so many writes
 * in a row have failed the rest isn't tried. A store that can't write at all is no error. */
#define WRITEBACK_GIVES_UP 32
int writeback_range(vm_cache_ref *ref, off_t first, off_t last);
/* `count` busy pages from `key` on, of a file that ends at `end`: bytes written of each. A run that the store doesn't
 * write whole is tried page by page, and the error is that of the first page then. *failures counts the calls in a row
 * that failed; WRITEBACK_GIVES_UP of them end it. ERR_UNSUPPORTED: the store can't. => nothing locked */
int writeback_write(vm_store *store, uint64_t key, const addr_t *frames, size_t count, off_t end,
                    size_t *written, unsigned *failures);
/* How many of `done` bytes were the page's that is the i-th of a run. */
static inline size_t writeback_done(size_t done, size_t i)
{
    size_t before = i * VM_PAGE_SIZE;
    return done <= before ? 0 : done - before < VM_PAGE_SIZE ? done - before : VM_PAGE_SIZE;
}
/* => cache: locked. Whether `done` bytes of the page, just written, are fewer than a file that ends at `end` has
 * of it. With the smaller of its ends before and after the write that is the store's failure; with the larger the
 * page is modified still. */
bool writeback_is_short(const struct vm_page *page, size_t done, off_t end);
/* => cache: locked. Whether the page, just written, has bytes behind the file's end that aren't 0: they
 * were not written, but will have to be when the file is longer. */
bool writeback_has_more(vm_cache_ref *ref, const struct vm_page *page);
/* => cache: locked, with a reference. Nobody waits for this write's result: who asks next hears of it. */
void writeback_note_error(vm_cache_ref *ref, int error);
/* Who modifies a file's pages first writes some back where too many are modified. => nothing locked */
void writeback_limit(vm_cache_ref *ref);
/* Whether a daemon should look after modified pages before long; it writes what has been modified for
 * some time, or is too much. => nothing locked */
bool writeback_is_pending(void);
void writeback_old(void);
/* The same for all of it, when nobody else will be there to hear of an error: it is logged. */
void writeback_last(vm_cache_ref *ref);

#endif
