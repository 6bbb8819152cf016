/* SPDX-License-Identifier: MIT */
/* Vnodes: their references, what they say about themselves, their paths. */
#include "vnode.h"
#include "fs.h"
#include "ramfs.h"
#include <kernel/string.h>
#include <kernel/timer.h>

struct mutex namespace_lock;
struct vnode *vnode_dying_list;

/* Guards vnode_dying_list, and the last steps of every vnode's reference count: whoever takes a count
 * to 1 or 0 looks at the vnode before anybody else can free it. */
static struct spinlock dying_lock = SPINLOCK_INIT;
static uint64_t next_inode = 1;
static unsigned count;

struct linux_timespec time_now(void)
{
    uint64_t now = time_realtime();
    return (struct linux_timespec){(int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND)};
}

struct vnode *vnode_create(const struct vnode_ops *ops, unsigned mode)
{
    struct vnode *vnode = vm_meta_alloc(sizeof(*vnode));
    if (vnode == NULL)
        return NULL;
    memset(vnode, 0, sizeof(*vnode));
    vnode->ops = ops;
    vnode->references = 1;
    vnode->mode = mode;
    vnode->inode = __atomic_fetch_add(&next_inode, 1, __ATOMIC_RELAXED);
    vnode->accessed = vnode->modified = vnode->changed = time_now();
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return vnode;
}

unsigned vnode_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

void vnode_acquire(struct vnode *vnode)
{
    __atomic_add_fetch(&vnode->references, 1, __ATOMIC_RELAXED);
}

static void vnode_free(struct vnode *vnode)
{
    if (vnode->ops->destroy != NULL)
        vnode->ops->destroy(vnode);
    vnode_give_back_commitment(vnode);
    vm_meta_free(vnode, sizeof(*vnode));
    __atomic_sub_fetch(&count, 1, __ATOMIC_RELAXED);
}

/* An unlinked file whose last reference is that of its own cache. => dying_lock held */
static bool only_kept_by_itself(const struct vnode *vnode)
{
    return vnode->references == 1 && vnode->kept != NULL &&
           __atomic_load_n(&vnode->link_count, __ATOMIC_RELAXED) == 0;
}

static void release_last(struct vnode *vnode)
{
    spin_lock(&dying_lock);
    bool gone = __atomic_sub_fetch(&vnode->references, 1, __ATOMIC_ACQ_REL) == 0;
    if (!gone && only_kept_by_itself(vnode) && !vnode->dying) {
        vnode->dying = true;
        vnode->next_dying = vnode_dying_list;
        vnode_dying_list = vnode;
    }
    spin_unlock(&dying_lock);
    if (gone)
        vnode_free(vnode);
}

void vnode_release(struct vnode *vnode)
{
    if (vnode == NULL)
        return;
    uint32_t old = __atomic_load_n(&vnode->references, __ATOMIC_RELAXED);
    while (old > 2) {
        if (__atomic_compare_exchange_n(&vnode->references, &old, old - 1, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    }
    release_last(vnode);
}

void vnode_reap_list(void)
{
    for (;;) {
        spin_lock(&dying_lock);
        struct vnode *vnode = vnode_dying_list;
        if (vnode != NULL)
            vnode_dying_list = vnode->next_dying;
        spin_unlock(&dying_lock);
        if (vnode == NULL)
            return;
        vnode_drop_cache(vnode);
    }
}

void vnode_stat(struct vnode *vnode, struct linux_stat *stat)
{
    memset(stat, 0, sizeof(*stat));
    mutex_lock(&namespace_lock);
    stat->st_dev = 1;
    stat->st_ino = vnode->inode;
    stat->st_nlink = vnode->link_count;
    stat->st_mode = vnode->mode;
    stat->st_uid = vnode->uid;
    stat->st_gid = vnode->gid;
    stat->st_rdev = vnode->device;
    stat->st_size = __atomic_load_n(&vnode->size, __ATOMIC_RELAXED);
    stat->st_blksize = (int64_t)VM_PAGE_SIZE;
    stat->st_blocks = (stat->st_size + (off_t)VM_PAGE_MASK) / (off_t)VM_PAGE_SIZE * 8;
    stat->st_atime = vnode->accessed;
    stat->st_mtime = vnode->modified;
    stat->st_ctime = vnode->changed;
    mutex_unlock(&namespace_lock);
}

void vnode_changed(struct vnode *vnode)
{
    vnode->changed = time_now();
}

void vnode_modified(struct vnode *vnode)
{
    vnode->modified = vnode->changed = time_now();
}

int vnode_check_access(const struct vnode *vnode, unsigned mask)
{
    if ((mask & W_OK) != 0 && vnode->read_only)
        return -EROFS;
    bool executable = vnode_type(vnode) == S_IFDIR || (vnode->mode & 0111) != 0;
    return (mask & X_OK) != 0 && !executable ? -EACCES : 0;
}

int64_t vnode_path_locked(const struct vnode *vnode, char *buffer, size_t size)
{
    /* Built from the end of the buffer to its front, then moved. */
    size_t at = size;
    const struct vnode *step = vnode;
    if (size < 2)
        return -ERANGE;
    buffer[--at] = '\0';
    while (step != fs_root) {
        const struct directory_entry *entry = step->links;
        if (entry == NULL)
            return -ENOENT;
        if (entry->length + 1 > at)
            return -ERANGE;
        at -= entry->length;
        memcpy(buffer + at, entry->name, entry->length);
        buffer[--at] = '/';
        step = entry->directory;
    }
    if (vnode == fs_root)
        buffer[--at] = '/';
    memmove(buffer, buffer + at, size - at);
    return (int64_t)(size - at - 1);
}

int64_t vnode_path(const struct vnode *vnode, char *buffer, size_t size)
{
    mutex_lock(&namespace_lock);
    int64_t length = vnode_path_locked(vnode, buffer, size);
    mutex_unlock(&namespace_lock);
    return length;
}
