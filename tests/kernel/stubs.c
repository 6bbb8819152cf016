/* SPDX-License-Identifier: MIT */
/* What kernel/fs wants of the rest of the kernel, for one thread on any system. Memory can be made to
 * run out. */
#include "stubs.h"

#include <stdarg.h>
#include <stdlib.h>

#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/timer.h>
#include "fs/device.h"
#include "fs/pipe.h"
#include "fs/proc.h"
#include "fs/ramfs.h"

size_t bytes_in_use;
long allocations_left = -1;

void *vm_meta_alloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    bytes_in_use += size;
    return malloc(size);
}

void vm_meta_free(void *memory, size_t size)
{
    bytes_in_use -= size;
    free(memory);
}

void mutex_lock(struct mutex *mutex)
{
    if (mutex->state != 0)
        abort();
    mutex->state = 1;
}

void mutex_unlock(struct mutex *mutex)
{
    if (mutex->state != 1)
        abort();
    mutex->state = 0;
}

void spin_lock(struct spinlock *lock)
{
    if (lock->held != 0)
        abort();
    lock->held = 1;
}

void spin_unlock(struct spinlock *lock)
{
    lock->held = 0;
}

uint64_t time_realtime(void)
{
    return 1000000000;
}

unsigned log_lines;
void log_printf(const char *format, ...)
{
    (void)format;
    log_lines++;
}

/* Data isn't looked at here: a file's cache is a mark. */
static char cache_mark;

int vnode_prepare_mapping(struct vnode *vnode)
{
    if (vnode->kept == NULL) {
        vnode->kept = (vm_cache_ref *)&cache_mark;
        vnode_acquire(vnode);
    }
    return 0;
}

void vnode_drop_cache(struct vnode *vnode)
{
    vnode->kept = NULL;
    vnode_release(vnode);
}

void vnode_give_back_commitment(struct vnode *vnode)
{
    (void)vnode;
}

bool vnode_is_executing(const struct vnode *vnode)
{
    (void)vnode;
    return false;
}

int vnode_commit_all(struct vnode *vnode)
{
    (void)vnode;
    return 0;
}

int vnode_truncate(struct vnode *vnode, off_t size)
{
    vnode->size = size;
    return 0;
}

int vnode_sync(struct vnode *vnode, off_t first, off_t last)
{
    (void)vnode, (void)first, (void)last;
    return 0;
}

int vnode_take_write_error(struct vnode *vnode, uint32_t *seen)
{
    (void)vnode, (void)seen;
    return 0;
}

const struct vnode_data_ops ram_data_ops = {0};

int64_t vnode_read(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user)
{
    (void)vnode, (void)position, (void)buffer, (void)length, (void)user;
    return 0;
}

int64_t vnode_write(struct vnode *vnode, off_t *position, const void *buffer, size_t length,
                    bool user, bool append)
{
    (void)vnode, (void)position, (void)buffer, (void)length, (void)user, (void)append;
    return 0;
}

static const struct vnode_ops nothing_ops = {0};
const struct vnode_ops fifo_vnode_ops = {0};

struct vnode *device_create(uint64_t number, bool *known)
{
    *known = number != 0;
    struct vnode *vnode = *known ? vnode_create(&nothing_ops, S_IFCHR | 0666) : NULL;
    if (vnode != NULL)
        vnode->device = number;
    return vnode;
}

struct vnode *proc_create_root(void)
{
    return vnode_create(&nothing_ops, S_IFDIR | 0555);
}
