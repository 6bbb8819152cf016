/* SPDX-License-Identifier: MIT */
/* A store around the program's: frames are pinned while it has them, and errors of reading are dealt with as
 * the region's policy says. */
#include "regions.h"

#include <string.h>
#include <time.h>

struct wrapper {
    vm_store store;
    struct vm_store_ops ops; /* what the program's store lacks is NULL here, too */
    vm_store *of;
    struct quire_policy policy;
    off_t promised_before; /* by `of`, to whoever had it */
    bool keep;             /* `of` is the caller's again */
    uint32_t *ended;       /* becomes 1 and is woken at its end; NULL: nobody waits */
    struct wrapper *next;
};

static struct store_figures figures;
static struct wrapper *wrappers; /* all of them */
static uint32_t wrappers_lock;   /* a leaf */

void store_start(void)
{
    figures = (struct store_figures){0};
    wrappers = NULL;
    wrappers_lock = 0;
}

struct store_figures *store_figures(void)
{
    return &figures;
}

static struct wrapper *wrapper_of(vm_store *store)
{
    return store->data;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static int read_once(struct wrapper *w, off_t offset, const addr_t *frames, size_t count,
                     size_t *done)
{
    *done = 0;
    int error = w->of->ops->read(w->of, offset, frames, count, done);
    if (error != VM_OK && !reader_reads(&w->store))
        __atomic_fetch_add(&figures.read_errors, 1, __ATOMIC_RELAXED);
    return error;
}

static void rest(const struct quire_policy *policy)
{
    struct timespec pause = {policy->pause_ms / 1000, policy->pause_ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static enum quire_on_error decide(const struct quire_policy *policy, off_t offset, int error,
                                  unsigned tries)
{
    if (policy->on_error == QUIRE_ON_ERROR_ASK)
        return policy->ask(policy->argument, offset, error);
    if (policy->on_error == QUIRE_ON_ERROR_RETRY && tries >= policy->retries)
        return QUIRE_ON_ERROR_SIGNAL;
    return policy->on_error;
}

static int read_page(struct wrapper *w, off_t offset, const addr_t *frame)
{
    size_t done;
    int error;
    for (unsigned tries = 0; (error = read_once(w, offset, frame, 1, &done)) != VM_OK; tries++) {
        enum quire_on_error action = decide(&w->policy, offset, error, tries);
        if (action == QUIRE_ON_ERROR_SIGNAL)
            return error;
        if (action == QUIRE_ON_ERROR_POISON) {
            __atomic_fetch_add(&figures.poisoned, 1, __ATOMIC_RELAXED);
            done = 0;
            break;
        }
        rest(&w->policy);
    }
    memset((char *)host_frame_ptr(*frame) + done, 0, VM_PAGE_SIZE - done);
    return VM_OK;
}

/* What can't be read at once is tried page by page. An error of what is read ahead is nobody's. */
static int wrapper_read(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                        size_t *done)
{
    struct wrapper *w = wrapper_of(store);
    int error = read_once(w, offset, frames, count, done);
    if (error == VM_OK || w->policy.on_error == QUIRE_ON_ERROR_SIGNAL || reader_reads(store))
        return error;
    for (size_t i = 0; i < count; i++) {
        error = read_page(w, offset + (off_t)(i * VM_PAGE_SIZE), &frames[i]);
        if (error != VM_OK)
            return error;
    }
    *done = count * VM_PAGE_SIZE;
    return VM_OK;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

static int wrapper_write(vm_store *store, off_t offset, const addr_t *frames, size_t count,
                         size_t *done)
{
    struct wrapper *w = wrapper_of(store);
    for (size_t i = 0; i < count; i++)
        (void)frame_pin(frame_of(frames[i]));
    *done = 0;
    int error = w->of->ops->write(w->of, offset, frames, count, done);
    for (size_t i = 0; i < count; i++)
        frame_unpin(frame_of(frames[i]));
    if (error != VM_OK)
        __atomic_fetch_add(&figures.write_errors, 1, __ATOMIC_RELAXED);
    return error;
}

static void wrapper_discard(vm_store *store, off_t offset, size_t count)
{
    struct wrapper *w = wrapper_of(store);
    w->of->ops->discard(w->of, offset, count);
}

static bool wrapper_has_page(vm_store *store, off_t offset)
{
    struct wrapper *w = wrapper_of(store);
    return w->of->ops->has_page(w->of, offset);
}

static off_t wrapper_size(vm_store *store)
{
    struct wrapper *w = wrapper_of(store);
    return w->of->ops->size(w->of);
}

static void wrapper_acquire_ref(vm_store *store)
{
    struct wrapper *w = wrapper_of(store);
    w->of->ops->acquire_ref(w->of);
}

static void wrapper_release_ref(vm_store *store)
{
    struct wrapper *w = wrapper_of(store);
    w->of->ops->release_ref(w->of);
}

/* ---- its promise, which the core's ledger has no part in ---------------------------------------- */

int store_promise(vm_store *wrapped, off_t size)
{
    const struct wrapper *w = wrapper_of(wrapped);
    off_t end = w->of->ops->size ? w->of->ops->size(w->of) : INT64_MAX;
    off_t bytes = size < end ? size : end;
    if (!w->of->ops->commit || bytes <= w->of->committed_size)
        return VM_OK;
    return w->of->ops->commit(w->of, bytes);
}

static void end_promise(struct wrapper *w)
{
    if (w->of->committed_size != w->promised_before)
        (void)w->of->ops->commit(w->of, w->promised_before);
}

/* ---- beginning and end -------------------------------------------------------------------------- */

/* A store that was two wrappers' would be destroyed twice. False: it is another's. */
static bool enter(struct wrapper *w)
{
    lock(&wrappers_lock);
    const struct wrapper *other = wrappers;
    while (other && other->of != w->of)
        other = other->next;
    if (!other) {
        w->next = wrappers;
        wrappers = w;
    }
    unlock(&wrappers_lock);
    return !other;
}

static void leave(const struct wrapper *w)
{
    lock(&wrappers_lock);
    struct wrapper **link = &wrappers;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    unlock(&wrappers_lock);
}

void store_unwrap(vm_store *wrapped)
{
    struct wrapper *w = wrapper_of(wrapped);
    end_promise(w);
    leave(w);
    vm_meta_free(w, sizeof *w);
}

static void wrapper_destroy(vm_store *store)
{
    struct wrapper *w = wrapper_of(store);
    end_promise(w);
    uint32_t *ended = w->ended;
    leave(w); /* once it is destroyed, another may be made in its place */
    if (!w->keep)
        w->of->ops->destroy(w->of);
    vm_meta_free(w, sizeof *w);
    if (ended) {
        __atomic_store_n(ended, 1, __ATOMIC_RELEASE);
        host_wake(ended, 1);
    }
}

void store_tell(vm_store *wrapped, uint32_t *ended)
{
    wrapper_of(wrapped)->ended = ended;
}

void store_keep(vm_store *wrapped)
{
    wrapper_of(wrapped)->keep = true;
}

int store_wrap(vm_store *of, const struct quire_policy *policy, vm_store **wrapped)
{
    struct wrapper *w = vm_meta_alloc(sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    *w = (struct wrapper){.store = {.magic = VM_STORE_MAGIC, .ops = &w->ops, .data = w},
                          .ops = {.destroy = wrapper_destroy,
                                  .has_page = of->ops->has_page ? wrapper_has_page : NULL,
                                  .read = of->ops->read ? wrapper_read : NULL,
                                  .write = of->ops->write ? wrapper_write : NULL,
                                  .discard = of->ops->discard ? wrapper_discard : NULL,
                                  .size = of->ops->size ? wrapper_size : NULL,
                                  .acquire_ref = of->ops->acquire_ref ? wrapper_acquire_ref : NULL,
                                  .release_ref = of->ops->release_ref ? wrapper_release_ref : NULL},
                          .of = of,
                          .promised_before = of->committed_size,
                          .policy = *policy};
    if (!enter(w)) {
        vm_meta_free(w, sizeof *w);
        return ERR_INVALID_ARGS;
    }
    *wrapped = &w->store;
    return VM_OK;
}
