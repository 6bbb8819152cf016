/* SPDX-License-Identifier: MIT */
/* VSPACE mode: frames are pages of one file in memory, and shown by mapping them, at as many addresses as the
 * core's tables have them. What is shown is a TLB: a ring remembers it, and what was shown longest goes when the
 * ring has come round, since each page that is shown by itself may be a mapping of Linux's, of which there is
 * a limit (65530, as a rule). A process that comes to it loses the whole TLB: that needs no mapping more.
 *
 * A page's bit says whether it may be shown, and is guarded by the window of its address. */
#include "linux.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING 16384 /* pages that are shown */
#define BITS 64
#define FEW (64 * VM_PAGE_SIZE)
#define WINDOW_SIZE (16 * VM_PAGE_SIZE)
#define TRIES 16 /* others may take what hiding has given */

static int pool = -1;   /* the file of frames */
static uint64_t *shown; /* a bit for each page of the range */
static addr_t *ring;    /* each page whose bit is set is in it */
static uint32_t ring_lock;
static uint32_t room_lock; /* the last of all: the mappings that are held */
static size_t hand;

/* ---- coming and going --------------------------------------------------------------------------- */

static void *reserve(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, size, MADV_DONTFORK);
    return memory;
}

static size_t size_of_bits(void)
{
    return process.size / VM_PAGE_SIZE / 8;
}

static void unmap(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}

void *show_start(size_t size)
{
    ring_lock = 0;
    room_lock = 0;
    hand = 0;
    pool = memfd_create("quire", MFD_CLOEXEC);
    shown = reserve(size_of_bits());
    ring = reserve(RING * sizeof *ring);
    void *frames = MAP_FAILED;
    if (shown && ring && pool >= 0 && headroom_start() && ftruncate(pool, (off_t)size) == 0)
        frames = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pool, 0);
    if (frames == MAP_FAILED)
        show_stop();
    else
        (void)madvise(frames, size, MADV_DONTFORK);
    return frames;
}

void show_stop(void)
{
    if (pool >= 0)
        close(pool);
    pool = -1;
    headroom_stop();
    unmap(shown, size_of_bits());
    unmap(ring, RING * sizeof *ring);
    shown = NULL;
    ring = NULL;
}

/* ---- what is shown ------------------------------------------------------------------------------ */

static uint64_t *word_of(addr_t address, uint64_t *bit)
{
    size_t page = (address - process.base) / VM_PAGE_SIZE;
    *bit = (uint64_t)1 << page % BITS;
    return &shown[page / BITS];
}

static bool is_shown(addr_t address)
{
    uint64_t bit, *word = word_of(address, &bit);
    return __atomic_load_n(word, __ATOMIC_ACQUIRE) & bit;
}

static void note(addr_t address, bool is)
{
    uint64_t bit, *word = word_of(address, &bit);
    if (is)
        __atomic_fetch_or(word, bit, __ATOMIC_RELEASE);
    else
        __atomic_fetch_and(word, ~bit, __ATOMIC_RELEASE);
}

/* False: Linux's limit of mappings. A page whose neighbours are shown needs one more. */
static bool try_hide(addr_t first, addr_t size)
{
    return mmap((void *)first, size, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* Their bits stay, and do no harm. Where Linux maps nothing at all, pages lose their rights, of whole mappings, for
 * which there need be no other. True: there is room for some pages. */
static bool hide_all(void)
{
    lock(&room_lock);
    headroom_give();
    if (!try_hide(process.base, process.size) &&
        mprotect((void *)process.base, process.size, PROT_NONE) != 0)
        panic("pages can't be hidden, errno", errno);
    bool has_room = headroom_take();
    unlock(&room_lock);
    return has_room;
}

static void hide(addr_t first, addr_t size)
{
    int saved = errno;
    if (!try_hide(first, size))
        (void)hide_all();
    errno = saved;
}

/* => its window locked */
static void hide_page(addr_t address)
{
    hide(address, VM_PAGE_SIZE);
    note(address, false);
}

/* => ring locked, and the window `held`. False: the page's window is in use. */
static bool make_room(addr_t old, const uint32_t *held)
{
    if (old == 0 || !is_shown(old))
        return true;
    uint32_t *word = place_lock_of(old);
    if (word != held && !try_lock(word))
        return false;
    if (is_shown(old))
        hide_page(old);
    if (word != held)
        unlock(word);
    return true;
}

/* => the window `held` locked */
static bool enter(addr_t address, const uint32_t *held)
{
    lock(&ring_lock);
    addr_t *slot = &ring[hand];
    bool entered = make_room(*slot, held);
    if (entered)
        *slot = address;
    hand = (hand + 1) % RING;
    unlock(&ring_lock);
    return entered;
}

/* => the window locked */
static bool map_page(addr_t address, uint32_t frame, int protection)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (mmap((void *)address, VM_PAGE_SIZE, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
                 pool, (off_t)(frame * VM_PAGE_SIZE)) != MAP_FAILED)
            return true;
        if (errno != ENOMEM || !hide_all())
            break;
    }
    return false;
}

int show_page(addr_t address, uint32_t frame, int protection)
{
    int saved = errno;
    if (!is_shown(address) && !enter(address, place_lock_of(address)))
        return FILL_AGAIN;
    int error = map_page(address, frame, protection) ? FILL_DONE
                : errno == EPERM || errno == EACCES  ? ERR_PERMISSION_DENIED
                                                     : ERR_NO_MEMORY;
    errno = saved;
    if (error == FILL_DONE)
        note(address, true);
    else
        hide_page(address);
    return error;
}

/* ---- what is shown no longer -------------------------------------------------------------------- */

/* Runs of pages go with one call. `end` is behind the last. */
static void flush_window(addr_t first, addr_t end)
{
    uint32_t *word = place_lock_of(first);
    addr_t run = 0;
    lock(word);
    for (addr_t at = first; at <= end; at += VM_PAGE_SIZE) {
        if (at < end && is_shown(at)) {
            note(at, false);
            run += VM_PAGE_SIZE;
        } else if (run > 0) {
            hide(at - run, run);
            run = 0;
        }
    }
    unlock(word);
}

/* As a whole. The core holds its lock, so no page is shown once those that have begun are there. */
static void flush_many(addr_t first, addr_t end)
{
    place_wait_for_fills();
    lock(&ring_lock);
    hide(first, end - first);
    for (size_t i = 0; i < RING; i++)
        if (ring[i] >= first && ring[i] < end)
            note(ring[i], false);
    unlock(&ring_lock);
}

void show_flush(addr_t first, addr_t end)
{
    if (end - first > FEW) {
        flush_many(first, end);
        return;
    }
    for (addr_t at = first, next; at < end; at = next) {
        next = (at & ~(WINDOW_SIZE - 1)) + WINDOW_SIZE;
        flush_window(at, next < end ? next : end);
    }
}

void show_forget(void)
{
    close(pool);
    pool = -1;
}
