/* SPDX-License-Identifier: MIT */
/* The data of regular files. Those of the ram file system live in their vnode's cache, which Quire fills
 * from the archive; disk_file.c has the others. */
#include "user_copy.h"
#include "vnode.h"
#include <kernel/string.h>
#include <quire/host.h>

#define FILE_SIZE_MAX INT64_C(0x7ffffffff000)

static off_t page_round(off_t size)
{
    return (size + (off_t)VM_PAGE_MASK) & ~(off_t)VM_PAGE_MASK;
}

/* Files can't have the last eighth of memory: it is what programs need to remove some. */
static bool is_room_for(int64_t more)
{
    vm_info info;
    vm_get_info(&info);
    return info.max_commit - info.committed - more >= info.max_commit / 8;
}

/* => data_lock held. Promises memory for the first `size` bytes. */
static int commit_up_to(struct vnode *vnode, off_t size)
{
    off_t more = page_round(size) - vnode->committed;
    if (more <= 0)
        return 0;
    if (!is_room_for(more) || vm_commit(more) != VM_OK)
        return -ENOSPC;
    vnode->committed += more;
    return 0;
}

/* => data_lock held. */
static void commit_down_to(struct vnode *vnode, off_t size)
{
    off_t less = vnode->committed - page_round(size);
    if (less > 0) {
        (void)vm_commit(-less);
        vnode->committed -= less;
    }
}

int vnode_keep_cache(struct vnode *vnode)
{
    return vnode->kept != NULL ? 0 : errno_from_vm(vm_get_vnode_cache(vnode, &vnode->kept));
}

/* Behind the archive's bytes and what memory is promised for, nobody has written anything. */
static off_t hole_start(const struct vnode *vnode)
{
    off_t archived = page_round(__atomic_load_n(&vnode->archive_size, __ATOMIC_ACQUIRE));
    off_t committed = __atomic_load_n(&vnode->committed, __ATOMIC_ACQUIRE);
    return archived > committed ? archived : committed;
}

/* A mapping reads holes through pages of the cache, which nobody takes away again: they need a
 * promise, as written ones do. */
static int ram_prepare_mapping(struct vnode *vnode)
{
    mutex_lock(&vnode->data_lock);
    int error = vnode_keep_cache(vnode);
    if (error == 0 && vnode->size > hole_start(vnode))
        error = commit_up_to(vnode, vnode->size);
    if (error == 0)
        vnode->commits_all = true;
    mutex_unlock(&vnode->data_lock);
    return error;
}

static int lock_and_keep_cache(struct vnode *vnode)
{
    mutex_lock(&vnode->data_lock);
    int error = vnode_keep_cache(vnode);
    mutex_unlock(&vnode->data_lock);
    return error;
}

void vnode_drop_cache(struct vnode *vnode)
{
    vm_cache_ref *kept = vnode->kept;
    vnode->kept = NULL;
    if (kept != NULL) {
        vm_cache_discard(kept);
        vm_put_cache(kept);
    }
}

void vnode_give_back_commitment(struct vnode *vnode)
{
    commit_down_to(vnode, 0);
}

/* A program's buffer may be good only up to a page's edge: then what lies before it is copied, page by
 * page, once the copy of all has failed. */
int vnode_copy_out(struct vnode *vnode, off_t position, void *to, size_t length, bool user,
                   size_t *done)
{
    uint8_t *buffer = to;
    int error = vm_cache_read(vnode->kept, position, buffer, length, user, done);
    while (error == ERR_VM_BAD_USER_MEMORY && *done < length) {
        size_t copied, part = page_rest(buffer + *done, length - *done);
        if (vm_cache_read(vnode->kept, position + (off_t)*done, buffer + *done, part, user,
                          &copied) != VM_OK)
            break;
        *done += copied;
    }
    return errno_from_vm(error);
}

int vnode_copy_in(struct vnode *vnode, off_t position, const void *from, size_t length, bool user,
                  size_t *done)
{
    const uint8_t *buffer = from;
    int error = vm_cache_write(vnode->kept, position, buffer, length, user, done);
    while (error == ERR_VM_BAD_USER_MEMORY && *done < length) {
        size_t copied, part = page_rest(buffer + *done, length - *done);
        if (vm_cache_write(vnode->kept, position + (off_t)*done, buffer + *done, part, user,
                           &copied) != VM_OK)
            break;
        *done += copied;
    }
    return errno_from_vm(error);
}

/* What is in a hole needs no memory. */
static size_t read_hole(uint8_t *buffer, size_t length, bool user)
{
    size_t done = 0;
    if (!user)
        memset(buffer, 0, length);
    while (user && done < length) {
        size_t part = page_rest(buffer + done, length - done);
        if (!user_range_ok(buffer + done, part) || user_memset(buffer + done, 0, part) != VM_OK)
            return done;
        done += part;
    }
    return length;
}

static int64_t ram_read(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user)
{
    off_t hole = hole_start(vnode);
    size_t done = 0, stored = 0;
    int error = 0;
    if (position < hole)
        stored = length < (size_t)(hole - position) ? length : (size_t)(hole - position);
    if (stored > 0 && vnode->kept == NULL)
        error = lock_and_keep_cache(vnode);
    if (error == 0 && stored > 0)
        error = vnode_copy_out(vnode, position, buffer, stored, user, &done);
    if (error == 0 && done == stored && stored < length) {
        done += read_hole((uint8_t *)buffer + stored, length - stored, user);
        error = done == 0 ? -EFAULT : 0;
    }
    return done > 0 ? (int64_t)done : error;
}

/* => data_lock held. Only what was really written makes the file longer. */
static int64_t ram_write(struct vnode *vnode, off_t position, const void *buffer, size_t length,
                         bool user)
{
    size_t done = 0;
    off_t end = position + (off_t)length;
    int error = vnode_keep_cache(vnode);
    if (error == 0)
        error = commit_up_to(vnode, end > vnode->size ? end : vnode->size);
    if (error != 0)
        return error;
    error = vnode_copy_in(vnode, position, buffer, length, user, &done);
    end = position + (off_t)done;
    if (done > 0 && end > vnode->size)
        __atomic_store_n(&vnode->size, end, __ATOMIC_RELEASE);
    return done > 0 ? (int64_t)done : error;
}

/* => data_lock held. The core forgets the pages once the length has changed, so that no fault brings
 * them back. */
static int ram_truncate(struct vnode *vnode, off_t size)
{
    bool shrinks = size < vnode->size;
    int error = shrinks ? vnode_keep_cache(vnode) : 0;
    if (error == 0 && vnode->commits_all)
        error = commit_up_to(vnode, size);
    if (error != 0)
        return error;
    if (size < vnode->archive_size)
        __atomic_store_n(&vnode->archive_size, size, __ATOMIC_RELEASE);
    __atomic_store_n(&vnode->size, size, __ATOMIC_RELEASE);
    if (shrinks) {
        error = errno_from_vm(vm_cache_truncate(vnode->kept, size));
        commit_down_to(vnode, size);
    }
    return error;
}

static int ram_commit_all(struct vnode *vnode)
{
    mutex_lock(&vnode->data_lock);
    int error = commit_up_to(vnode, vnode->size);
    if (error == 0)
        vnode->commits_all = true;
    mutex_unlock(&vnode->data_lock);
    return error;
}

static int ram_read_pages(struct vnode *file, off_t offset, const addr_t *frames,
                          size_t frame_count, size_t *done)
{
    off_t left = __atomic_load_n(&file->archive_size, __ATOMIC_ACQUIRE) - offset;
    *done = 0;
    for (size_t i = 0; i < frame_count && left > 0; i++) {
        size_t size = left < (off_t)VM_PAGE_SIZE ? (size_t)left : VM_PAGE_SIZE;
        memcpy(host_frame_ptr(frames[i]), file->archive + offset, size);
        *done += size;
        offset += (off_t)size;
        left -= (off_t)size;
    }
    return VM_OK;
}

/* A ram file has no other place than its cache. */
static int ram_write_pages(struct vnode *vnode, off_t offset, const addr_t *frames,
                           size_t frame_count, size_t *done)
{
    (void)vnode, (void)offset, (void)frames, (void)frame_count;
    *done = 0;
    return ERR_UNSUPPORTED;
}

const struct vnode_data_ops ram_data_ops = {
    .read = ram_read,
    .write = ram_write,
    .truncate = ram_truncate,
    .prepare_mapping = ram_prepare_mapping,
    .commit_all = ram_commit_all,
    .read_pages = ram_read_pages,
    .write_pages = ram_write_pages,
};

/* ---- of any kind ----------------------------------------------------------------------------------- */

int vnode_prepare_mapping(struct vnode *vnode)
{
    const struct vnode_data_ops *data = vnode->ops->data;
    return data->prepare_mapping != NULL ? data->prepare_mapping(vnode) : 0;
}

int vnode_commit_all(struct vnode *vnode)
{
    const struct vnode_data_ops *data = vnode->ops->data;
    return data->commit_all != NULL ? data->commit_all(vnode) : 0;
}

int64_t vnode_read(struct vnode *vnode, off_t position, void *buffer, size_t length, bool user)
{
    off_t size = host_vnode_size(vnode);
    if (position < 0)
        return -EINVAL;
    if (position >= size || length == 0)
        return 0;
    if (length > (size_t)(size - position))
        length = (size_t)(size - position);
    return vnode->ops->data->read(vnode, position, buffer, length, user);
}

int64_t vnode_write(struct vnode *vnode, off_t *position, const void *buffer, size_t length,
                    bool user, bool append)
{
    if (*position < 0)
        return -EINVAL;
    if (length == 0)
        return 0;
    mutex_lock(&vnode->data_lock);
    off_t start = append ? vnode->size : *position;
    int64_t written = -EFBIG;
    if (start < FILE_SIZE_MAX) {
        if (length > (size_t)(FILE_SIZE_MAX - start))
            length = (size_t)(FILE_SIZE_MAX - start);
        written = vnode->ops->data->write(vnode, start, buffer, length, user);
    }
    mutex_unlock(&vnode->data_lock);
    if (written > 0) {
        *position = start + written;
        mutex_lock(&namespace_lock);
        vnode_modified(vnode);
        mutex_unlock(&namespace_lock);
    }
    return written;
}

int vnode_truncate(struct vnode *vnode, off_t size)
{
    if (size < 0)
        return -EINVAL;
    if (size > FILE_SIZE_MAX)
        return -EFBIG;
    if (vnode->read_only)
        return -EROFS;
    mutex_lock(&vnode->data_lock);
    int error = vnode->ops->data->truncate(vnode, size);
    mutex_unlock(&vnode->data_lock);
    if (error == 0) {
        mutex_lock(&namespace_lock);
        vnode_modified(vnode);
        mutex_unlock(&namespace_lock);
    }
    return error;
}

int vnode_allocate(struct vnode *vnode, off_t end)
{
    int error = vnode->read_only ? -EROFS : 0;
    if (error == 0 && host_vnode_size(vnode) < end)
        error = vnode_truncate(vnode, end);
    if (error == -EPERM)
        return -ENOSPC;
    return error != 0 ? error : vnode_commit_all(vnode);
}

int vnode_sync(struct vnode *vnode, off_t first, off_t last)
{
    if (!vnode_is_file(vnode) || vnode->ops->data->sync == NULL)
        return 0;
    return vnode->ops->data->sync(vnode, first, last);
}

int vnode_take_write_error(struct vnode *vnode, uint32_t *seen)
{
    return vnode->kept != NULL ? errno_from_vm(vm_cache_take_error(vnode->kept, seen)) : 0;
}

/* ---- what the core asks ---------------------------------------------------------------------------- */

void host_vnode_acquire(void *vnode)
{
    vnode_acquire(vnode);
}

void host_vnode_release(void *vnode)
{
    vnode_release(vnode);
}

vm_cache_ref *host_vnode_get_cache(void *vnode)
{
    return __atomic_load_n(&((struct vnode *)vnode)->cache, __ATOMIC_ACQUIRE);
}

bool host_vnode_set_cache(void *vnode, vm_cache_ref *cache)
{
    vm_cache_ref *none = NULL;
    return __atomic_compare_exchange_n(&((struct vnode *)vnode)->cache, &none, cache, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void host_vnode_clear_cache(void *vnode, vm_cache_ref *cache)
{
    (void)__atomic_compare_exchange_n(&((struct vnode *)vnode)->cache, &cache, NULL, false,
                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

off_t host_vnode_size(void *vnode)
{
    return __atomic_load_n(&((struct vnode *)vnode)->size, __ATOMIC_ACQUIRE);
}

int host_vnode_read(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    struct vnode *file = vnode;
    return file->ops->data->read_pages(file, offset, frames, count, done);
}

int host_vnode_write(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    struct vnode *file = vnode;
    return file->ops->data->write_pages(file, offset, frames, count, done);
}
