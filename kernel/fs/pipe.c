/* SPDX-License-Identifier: MIT */
#include "pipe.h"
#include "user_copy.h"
#include <kernel/process.h>
#include <quire/host.h>

enum { PIPE_SIZE = PIPE_BUFFER_PAGES * VM_PAGE_SIZE, FIONREAD = 0x541b };

/* Bytes [start, start + length) of a ring of pages, each of which comes with the first byte in it. */
struct pipe {
    struct mutex lock;
    struct event event; /* something here has changed */
    size_t start, length;
    unsigned readers, writers;
    unsigned reader_opens, writer_opens; /* how many there have been: for open to wait on */
    addr_t pages[PIPE_BUFFER_PAGES];     /* physical; 0: none yet */
};

static void changed(struct pipe *pipe)
{
    event_signal(&pipe->event);
    event_signal(&poll_event);
}

/* => pipe->lock held, and held again afterwards. */
static int wait_for_change(struct pipe *pipe)
{
    uint32_t seen = event_read(&pipe->event);
    mutex_unlock(&pipe->lock);
    int error = event_wait(&pipe->event, seen, VM_NO_DEADLINE, WAIT_INTERRUPTIBLE);
    mutex_lock(&pipe->lock);
    return error == -EINTR ? -ERESTARTSYS : 0;
}

/* The memory at `offset` of the ring, and in *room how much follows it in its page. NULL: no memory. */
static uint8_t *ring_memory(struct pipe *pipe, size_t offset, size_t *room)
{
    addr_t *page = &pipe->pages[offset % PIPE_SIZE / VM_PAGE_SIZE];
    *room = VM_PAGE_SIZE - offset % VM_PAGE_SIZE;
    if (*page == 0) {
        if (vm_commit((int64_t)VM_PAGE_SIZE) != VM_OK)
            return NULL;
        if (vm_allocate_frames(1, false, page) != VM_OK) {
            *page = 0;
            (void)vm_commit(-(int64_t)VM_PAGE_SIZE);
            return NULL;
        }
    }
    return (uint8_t *)host_frame_ptr(*page) + offset % VM_PAGE_SIZE;
}

/* => pipe->lock held. Takes out what there is, up to `length`. */
static int64_t take_out(struct pipe *pipe, uint8_t *buffer, size_t length, bool user)
{
    size_t done = 0;
    while (done < length && pipe->length > 0) {
        size_t part;
        const uint8_t *from = ring_memory(pipe, pipe->start, &part);
        part = part < pipe->length ? part : pipe->length;
        part = part < length - done ? part : length - done;
        if (copy_out(buffer + done, from, part, user) != 0)
            return done > 0 ? (int64_t)done : -EFAULT;
        pipe->start = (pipe->start + part) % PIPE_SIZE;
        pipe->length -= part;
        done += part;
    }
    return (int64_t)done;
}

/* => pipe->lock held. Puts in what there is room for. */
static int64_t put_in(struct pipe *pipe, const uint8_t *buffer, size_t length, bool user)
{
    size_t done = 0;
    while (done < length && pipe->length < PIPE_SIZE) {
        size_t part;
        uint8_t *to = ring_memory(pipe, pipe->start + pipe->length, &part);
        if (to == NULL)
            return done > 0 ? (int64_t)done : -ENOMEM;
        part = part < PIPE_SIZE - pipe->length ? part : PIPE_SIZE - pipe->length;
        part = part < length - done ? part : length - done;
        if (copy_in(to, buffer + done, part, user) != 0)
            return done > 0 ? (int64_t)done : -EFAULT;
        pipe->length += part;
        done += part;
    }
    return (int64_t)done;
}

static int64_t pipe_read(struct file *file, void *buffer, size_t length, bool user, off_t *position)
{
    struct pipe *pipe = file->data;
    int64_t result = 0;
    if (position != NULL)
        return -ESPIPE;
    if (length == 0)
        return 0;
    mutex_lock(&pipe->lock);
    while (pipe->length == 0 && pipe->writers > 0 && result == 0)
        result = (file_flags(file) & O_NONBLOCK) != 0 ? -EAGAIN : wait_for_change(pipe);
    if (result == 0)
        result = take_out(pipe, buffer, length, user);
    mutex_unlock(&pipe->lock);
    if (result > 0)
        changed(pipe);
    return result;
}

/* => pipe->lock held. Waits until `room` bytes fit, or nobody reads any more. */
static int wait_for_room(struct pipe *pipe, size_t room, bool nonblocking)
{
    int error = 0;
    while (error == 0 && pipe->readers > 0 && PIPE_SIZE - pipe->length < room)
        error = nonblocking ? -EAGAIN : wait_for_change(pipe);
    return error == 0 && pipe->readers == 0 ? -EPIPE : error;
}

static int64_t pipe_write(struct file *file, const void *buffer, size_t length, bool user,
                          off_t *position)
{
    struct pipe *pipe = file->data;
    size_t done = 0;
    int64_t result = 0;
    if (position != NULL)
        return -ESPIPE;
    mutex_lock(&pipe->lock);
    while (done < length && result >= 0) {
        size_t room = length <= PIPE_ATOMIC_SIZE ? length - done : 1;
        result = wait_for_room(pipe, room, (file_flags(file) & O_NONBLOCK) != 0);
        if (result == 0)
            result = put_in(pipe, (const uint8_t *)buffer + done, length - done, user);
        if (result > 0) {
            done += (size_t)result;
            changed(pipe);
        }
    }
    mutex_unlock(&pipe->lock);
    if (result == -EPIPE)
        signal_send_number(process_current(), SIGPIPE);
    return done > 0 ? (int64_t)done : result;
}

static unsigned pipe_poll(struct file *file)
{
    struct pipe *pipe = file->data;
    unsigned events = 0;
    mutex_lock(&pipe->lock);
    if (file_readable(file)) {
        events |= pipe->length > 0 ? POLLIN | POLLRDNORM : 0u;
        events |= pipe->writers == 0 ? POLLHUP : 0u;
    }
    if (file_writable(file)) {
        events |= PIPE_SIZE - pipe->length >= PIPE_ATOMIC_SIZE ? POLLOUT | POLLWRNORM : 0u;
        events |= pipe->readers == 0 ? POLLERR : 0u;
    }
    mutex_unlock(&pipe->lock);
    return events;
}

static int64_t pipe_ioctl(struct file *file, unsigned request, addr_t argument)
{
    struct pipe *pipe = file->data;
    if (request != FIONREAD)
        return -ENOTTY;
    mutex_lock(&pipe->lock);
    int available = (int)pipe->length;
    mutex_unlock(&pipe->lock);
    return copy_to_user((void *)argument, &available, sizeof(available));
}

static void pipe_free_pages(struct pipe *pipe)
{
    for (unsigned i = 0; i < PIPE_BUFFER_PAGES; i++) {
        if (pipe->pages[i] == 0)
            continue;
        vm_free_frames(pipe->pages[i], 1);
        (void)vm_commit(-(int64_t)VM_PAGE_SIZE);
        pipe->pages[i] = 0;
    }
}

static void pipe_close(struct file *file)
{
    struct pipe *pipe = file->data;
    mutex_lock(&pipe->lock);
    if (file_readable(file))
        pipe->readers--;
    if (file_writable(file))
        pipe->writers--;
    if (pipe->readers == 0 && pipe->writers == 0) {
        pipe_free_pages(pipe);
        pipe->start = pipe->length = 0;
    }
    mutex_unlock(&pipe->lock);
    changed(pipe);
}

static const struct file_ops pipe_file_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .close = pipe_close,
};

static struct pipe *pipe_of(struct vnode *vnode)
{
    mutex_lock(&vnode->data_lock);
    struct pipe *pipe = vnode->data;
    if (pipe == NULL && (pipe = vm_meta_alloc(sizeof(*pipe))) != NULL) {
        memset(pipe, 0, sizeof(*pipe));
        vnode->data = pipe;
    }
    mutex_unlock(&vnode->data_lock);
    return pipe;
}

/* => pipe->lock held. Counts a new file in and wakes who waits for its like. */
static void count_in(struct pipe *pipe, const struct file *file)
{
    if (file_readable(file)) {
        pipe->readers++;
        pipe->reader_opens++;
    }
    if (file_writable(file)) {
        pipe->writers++;
        pipe->writer_opens++;
    }
    changed(pipe);
}

/* => pipe->lock held. Waits for somebody at the other end, which may have gone again already. */
static int wait_for_other_end(struct pipe *pipe, const struct file *file)
{
    unsigned *opens = file_readable(file) ? &pipe->writer_opens : &pipe->reader_opens;
    unsigned before = *opens;
    bool there = file_readable(file) ? pipe->writers > 0 : pipe->readers > 0;
    int error = 0;
    if ((file_flags(file) & O_NONBLOCK) != 0)
        return !there && !file_readable(file) ? -ENXIO : 0;
    while (!there && error == 0) {
        error = wait_for_change(pipe);
        there = *opens != before;
    }
    return error;
}

static int fifo_open(struct file *file)
{
    struct pipe *pipe = pipe_of(file->vnode);
    if (pipe == NULL)
        return -ENOMEM;
    file->ops = &pipe_file_ops;
    file->data = pipe;
    mutex_lock(&pipe->lock);
    count_in(pipe, file);
    int error = wait_for_other_end(pipe, file);
    mutex_unlock(&pipe->lock);
    if (error != 0)
        pipe_close(file);
    return error;
}

static void fifo_destroy(struct vnode *vnode)
{
    struct pipe *pipe = vnode->data;
    if (pipe != NULL) {
        pipe_free_pages(pipe);
        vm_meta_free(pipe, sizeof(*pipe));
    }
}

const struct vnode_ops fifo_vnode_ops = {.open = fifo_open, .destroy = fifo_destroy};

int pipe_create(unsigned flags, struct file **reader, struct file **writer)
{
    struct vnode *vnode = vnode_create(&fifo_vnode_ops, S_IFIFO | 0600);
    if (vnode == NULL)
        return -ENOMEM;
    vnode->link_count = 1;
    /* The reader doesn't wait for a writer; the writer finds the reader. */
    int error = file_open_vnode(vnode, O_RDONLY | O_NONBLOCK, reader);
    if (error == 0) {
        error = file_open_vnode(vnode, O_WRONLY | (flags & O_NONBLOCK), writer);
        if (error != 0)
            file_release(*reader);
        else
            (*reader)->flags = O_RDONLY | (flags & O_NONBLOCK);
    }
    vnode_release(vnode);
    return error;
}
