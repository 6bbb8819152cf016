/* SPDX-License-Identifier: MIT */
/* The console's streams: a terminal if the machine was started from one, else pipes to the outside. */
#include "device.h"
#include "fs.h"
#include "tty.h"
#include "user_copy.h"
#include <kernel/console.h>
#include <kernel/process.h>
#include <quire/host.h>

enum { CHUNK = 512, FIONREAD = 0x541b };

static int64_t raw_read(struct file *file, void *buffer, size_t length, bool user)
{
    uint8_t chunk[CHUNK];
    if ((file_flags(file) & O_NONBLOCK) != 0 && !console_readable())
        return -EAGAIN;
    int64_t size = console_read(chunk, length < CHUNK ? length : CHUNK, WAIT_INTERRUPTIBLE);
    if (size < 0)
        return size == -EINTR ? -ERESTARTSYS : size;
    return copy_out(buffer, chunk, (size_t)size, user) == 0 ? size : -EFAULT;
}

static int64_t stream_read(struct file *file, void *buffer, size_t length, bool user,
                           off_t *position)
{
    if (position != NULL)
        return -ESPIPE;
    if (length == 0)
        return 0;
    return console_is_tty ? tty_read(file, buffer, length, user)
                          : raw_read(file, buffer, length, user);
}

static int64_t stream_write(struct file *file, const void *buffer, size_t length, bool user,
                            off_t *position)
{
    enum console_stream stream = file->data != NULL ? CONSOLE_ERROR : CONSOLE_OUTPUT;
    char chunk[CHUNK];
    size_t done = 0;
    if (position != NULL)
        return -ESPIPE;
    while (done < length && (done == 0 || !thread_should_stop(WAIT_KILLABLE))) {
        size_t size = length - done < CHUNK ? length - done : CHUNK;
        if (copy_in(chunk, (const char *)buffer + done, size, user) != 0)
            return done > 0 ? (int64_t)done : -EFAULT;
        if (console_is_tty)
            tty_write(chunk, size);
        else
            console_write(stream, chunk, size);
        done += size;
    }
    return (int64_t)done;
}

static unsigned stream_poll(struct file *file)
{
    unsigned events = file_writable(file) ? POLLOUT | POLLWRNORM : 0u;
    bool readable = console_is_tty ? tty_readable() : console_readable();
    return events | (file_readable(file) && readable ? POLLIN | POLLRDNORM : 0u);
}

static int64_t stream_ioctl(struct file *file, unsigned request, addr_t argument)
{
    (void)file;
    if (console_is_tty)
        return tty_ioctl(request, argument);
    if (request != FIONREAD)
        return -ENOTTY;
    int available = (int)console_available();
    return copy_to_user((void *)argument, &available, sizeof(available));
}

static const struct file_ops stream_file_ops = {
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .ioctl = stream_ioctl,
};

static int console_open(struct file *file)
{
    /* data says which stream is written: not NULL for standard error. */
    file->ops = &stream_file_ops;
    file->data = file->vnode->data;
    return 0;
}

const struct vnode_ops console_vnode_ops = {.open = console_open};

struct vnode *console_create(int fd)
{
    unsigned type = console_is_tty ? S_IFCHR : S_IFIFO;
    struct vnode *vnode = vnode_create(&console_vnode_ops, type | 0620);
    if (vnode == NULL)
        return NULL;
    vnode->device = console_is_tty ? DEVICE_CONSOLE : 0;
    vnode->link_count = 1;
    vnode->data = fd == 2 ? vnode : NULL;
    return vnode;
}

static int open_stream(struct file_state *state, int fd)
{
    struct file *file;
    struct vnode *vnode = console_create(fd);
    if (vnode == NULL)
        return -ENOMEM;
    int error = file_open_vnode(vnode,
                                console_is_tty ? O_RDWR
                                : fd == 0      ? O_RDONLY
                                               : O_WRONLY,
                                &file);
    vnode_release(vnode);
    return error != 0 ? error : fd_replace(state, fd, file, false);
}

struct file_state *file_state_create(void)
{
    struct file_state *state = file_state_create_at(fs_root);
    for (int fd = 0; state != NULL && fd < 3; fd++) {
        if (open_stream(state, fd) < 0) {
            file_state_put(state);
            state = NULL;
        }
    }
    return state;
}

/* The thread that reads a terminal's keys, so that ^C is a signal though nobody reads. */
static struct {
    bool stop, running;
    struct event ended;
} reader;

static int read_keys(void *unused)
{
    uint8_t keys[64];
    (void)unused;
    for (;;) {
        uint32_t seen = event_read(&console_event);
        if (__atomic_load_n(&reader.stop, __ATOMIC_ACQUIRE))
            break;
        if (!console_readable()) {
            (void)event_wait(&console_event, seen, VM_NO_DEADLINE, WAIT_ALWAYS);
            continue;
        }
        int64_t size = console_read(keys, sizeof(keys), WAIT_ALWAYS);
        tty_input(keys, size > 0 ? (size_t)size : 0, size <= 0);
        if (size <= 0)
            break;
    }
    __atomic_store_n(&reader.running, false, __ATOMIC_RELEASE);
    event_signal(&reader.ended);
    return 0;
}

int console_start(void)
{
    if (!console_is_tty)
        return 0;
    reader.stop = false;
    reader.running = true;
    if (thread_create("terminal", read_keys, NULL) != NULL)
        return 0;
    reader.running = false;
    return -ENOMEM;
}

void console_stop(void)
{
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELEASE);
    event_signal(&console_event);
    for (;;) {
        uint32_t seen = event_read(&reader.ended);
        if (!__atomic_load_n(&reader.running, __ATOMIC_ACQUIRE))
            return;
        (void)event_wait(&reader.ended, seen, VM_NO_DEADLINE, WAIT_ALWAYS);
    }
}
