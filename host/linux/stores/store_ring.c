/* SPDX-License-Identifier: MIT */
/* A call's pieces are spread over up to four reads. One call has the ring at a time; the others read in their own
 * threads, so theirs are in flight, too. */
#include "store_ring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

#define READS 4

struct store_ring {
    struct io_uring ring;
    pid_t owner; /* a child's memory has the same ring, and is to leave it alone */
    bool taken;  /* atomic */
    bool broken;
};

struct slice {
    const struct iovec *pieces;
    size_t count, bytes;
    size_t done;
};

struct store_ring *store_ring_create(void)
{
    struct store_ring *ring = calloc(1, sizeof *ring);
    if (ring && io_uring_queue_init(READS, &ring->ring, 0) != 0) {
        free(ring);
        ring = NULL;
    }
    if (ring)
        ring->owner = getpid();
    return ring;
}

void store_ring_destroy(struct store_ring *ring)
{
    if (!ring)
        return;
    io_uring_queue_exit(&ring->ring);
    free(ring);
}

static size_t cut(struct slice *slices, const struct iovec *pieces, size_t count)
{
    size_t each = (count + READS - 1) / READS, used = 0;
    for (size_t at = 0; at < count; at += each, used++) {
        struct slice *slice = &slices[used];
        *slice =
            (struct slice){.pieces = pieces + at, .count = count - at < each ? count - at : each};
        for (size_t i = 0; i < slice->count; i++)
            slice->bytes += slice->pieces[i].iov_len;
    }
    return used;
}

/* How many were given to the ring. */
static unsigned submit(struct store_ring *ring, int file, off_t offset, struct slice *slices,
                       size_t count)
{
    unsigned prepared = 0, submitted = 0;
    for (size_t i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);
        if (!sqe)
            break;
        io_uring_prep_readv(sqe, file, slices[i].pieces, (unsigned)slices[i].count,
                            (unsigned long long)offset);
        io_uring_sqe_set_data(sqe, &slices[i]);
        offset += (off_t)slices[i].bytes;
        prepared++;
    }
    while (submitted < prepared) {
        int now = io_uring_submit(&ring->ring);
        if (now == -EINTR)
            continue;
        if (now <= 0)
            break;
        submitted += (unsigned)now;
    }
    ring->broken |= submitted < prepared; /* what is left in it would be submitted with the next */
    return submitted;
}

/* Until all are back: the kernel writes to the pieces until then. */
static void reap(struct store_ring *ring, unsigned submitted)
{
    while (submitted > 0) {
        struct io_uring_cqe *cqe = NULL;
        if (io_uring_wait_cqe(&ring->ring, &cqe) != 0)
            continue;
        struct slice *slice = io_uring_cqe_get_data(cqe);
        slice->done = cqe->res > 0 ? (size_t)cqe->res : 0;
        io_uring_cqe_seen(&ring->ring, cqe);
        submitted--;
    }
}

size_t store_ring_read(struct store_ring *ring, int file, off_t offset, const struct iovec *pieces,
                       size_t count)
{
    struct slice slices[READS];
    size_t done = 0;
    if (ring->owner != getpid() || __atomic_exchange_n(&ring->taken, true, __ATOMIC_ACQUIRE))
        return 0;
    if (!ring->broken) {
        size_t used = cut(slices, pieces, count);
        reap(ring, submit(ring, file, offset, slices, used));
        bool is_whole = true;
        for (size_t i = 0; i < used && is_whole; i++) {
            done += slices[i].done;
            is_whole = slices[i].done == slices[i].bytes;
        }
    }
    __atomic_store_n(&ring->taken, false, __ATOMIC_RELEASE);
    return done;
}
