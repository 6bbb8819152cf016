/* SPDX-License-Identifier: MIT */
/* The devices that have nothing behind them, and the table of all. */
#include "device.h"
#include "user_copy.h"
#include <kernel/random.h>
#include <kernel/thread.h>

static int64_t null_read(struct file *file, void *buffer, size_t length, bool user, off_t *position)
{
    (void)file, (void)buffer, (void)length, (void)user, (void)position;
    return 0;
}

static int64_t null_write(struct file *file, const void *buffer, size_t length, bool user,
                          off_t *position)
{
    (void)file, (void)buffer, (void)user, (void)position;
    return (int64_t)length;
}

static int64_t full_write(struct file *file, const void *buffer, size_t length, bool user,
                          off_t *position)
{
    (void)file, (void)buffer, (void)length, (void)user, (void)position;
    return -ENOSPC;
}

/* Hands out what `fill` makes, part by part. */
static int64_t read_made(void *buffer, size_t length, bool user,
                         void (*fill)(void *part, size_t size))
{
    uint8_t part[256];
    size_t done = 0;
    while (done < length && !thread_should_stop(WAIT_KILLABLE)) {
        size_t size = length - done < sizeof(part) ? length - done : sizeof(part);
        fill(part, size);
        size_t copied = size;
        if (user)
            copied = copy_some_to_user((uint8_t *)buffer + done, part, size);
        else
            memcpy((uint8_t *)buffer + done, part, size);
        done += copied;
        if (copied < size)
            return done > 0 ? (int64_t)done : -EFAULT;
    }
    return (int64_t)done;
}

static void fill_zero(void *part, size_t size)
{
    memset(part, 0, size);
}

void random_bytes(void *buffer, size_t size)
{
    uint8_t *to = buffer;
    while (size > 0) {
        uint64_t value = random_number();
        size_t part = size < sizeof(value) ? size : sizeof(value);
        memcpy(to, &value, part);
        to += part;
        size -= part;
    }
}

static int64_t zero_read(struct file *file, void *buffer, size_t length, bool user, off_t *position)
{
    (void)file, (void)position;
    return read_made(buffer, length, user, fill_zero);
}

static int64_t random_read(struct file *file, void *buffer, size_t length, bool user,
                           off_t *position)
{
    (void)file, (void)position;
    return read_made(buffer, length, user, random_bytes);
}

static const struct file_ops null_file_ops = {
    .read = null_read, .write = null_write, .seekable = true};
static const struct file_ops zero_file_ops = {
    .read = zero_read, .write = null_write, .seekable = true};
static const struct file_ops full_file_ops = {
    .read = zero_read, .write = full_write, .seekable = true};
static const struct file_ops random_file_ops = {
    .read = random_read, .write = null_write, .seekable = true};

static const struct {
    uint64_t number;
    const struct file_ops *ops; /* NULL: the console */
} devices[] = {
    {DEVICE_NULL, &null_file_ops},
    {DEVICE_ZERO, &zero_file_ops},
    {DEVICE_NUMBER(1, 7), &full_file_ops},
    {DEVICE_NUMBER(1, 8), &random_file_ops},
    {DEVICE_NUMBER(1, 9), &random_file_ops},
    {DEVICE_TTY, NULL},
    {DEVICE_CONSOLE, NULL},
};

static int device_open(struct file *file)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (devices[i].number == file->vnode->device) {
            file->ops = devices[i].ops;
            return 0;
        }
    }
    return -ENXIO;
}

static const struct vnode_ops device_vnode_ops = {.open = device_open};

struct vnode *device_create(uint64_t number, bool *known)
{
    *known = false;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (devices[i].number != number)
            continue;
        *known = true;
        bool console = devices[i].ops == NULL;
        struct vnode *vnode =
            vnode_create(console ? &console_vnode_ops : &device_vnode_ops, S_IFCHR | 0666);
        if (vnode != NULL)
            vnode->device = number;
        return vnode;
    }
    return NULL;
}
