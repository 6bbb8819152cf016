/* SPDX-License-Identifier: MIT */
/* Files for objects of files: open descriptors of the program's. */
#include "regions.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct vnode {
    int descriptor;
    bool is_device; /* has no length to be asked for */
    uint32_t references;
    vm_cache_ref *cache;
};

/* ---- coming and going --------------------------------------------------------------------------- */

/* Linux's pwrite appends, too. */
static bool appends(int descriptor)
{
    int mode = fcntl(descriptor, F_GETFL);
    return mode >= 0 && (mode & O_ACCMODE) != O_RDONLY && (mode & O_APPEND);
}

static int open_file(int descriptor, void **file)
{
    struct stat status;
    if (!file || fstat(descriptor, &status) != 0 ||
        !(S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) || appends(descriptor))
        return ERR_INVALID_ARGS;
    struct vnode *vnode = vm_meta_alloc(sizeof *vnode);
    if (!vnode)
        return ERR_NO_MEMORY;
    *vnode = (struct vnode){descriptor, S_ISBLK(status.st_mode), 1, NULL};
    *file = vnode;
    return VM_OK;
}

int quire_open_file(int descriptor, void **file)
{
    struct call call;
    int error = call_begin(&call);
    if (error != VM_OK)
        return error;
    return call_end(&call, process.mode == QUIRE_MODE_VSPACE ? open_file(descriptor, file)
                                                             : ERR_UNSUPPORTED);
}

int quire_close_file(void *file)
{
    struct call call;
    int error = call_begin(&call);
    if (error != VM_OK)
        return error;
    if (process.mode != QUIRE_MODE_VSPACE)
        return call_end(&call, ERR_UNSUPPORTED);
    if (!file)
        return call_end(&call, ERR_INVALID_ARGS);
    host_vnode_release(file);
    return call_end(&call, VM_OK);
}

int host_vnode_from_path(const char *path, bool kernel, unsigned access, void **vnode)
{
    (void)path, (void)kernel, (void)access, (void)vnode;
    return ERR_NOT_FOUND;
}

void host_vnode_acquire(void *of)
{
    struct vnode *vnode = of;
    __atomic_add_fetch(&vnode->references, 1, __ATOMIC_RELAXED);
}

void host_vnode_release(void *of)
{
    struct vnode *vnode = of;
    if (__atomic_sub_fetch(&vnode->references, 1, __ATOMIC_ACQ_REL) == 0)
        vm_meta_free(vnode, sizeof *vnode);
}

/* ---- its cache ---------------------------------------------------------------------------------- */

vm_cache_ref *host_vnode_get_cache(void *of)
{
    struct vnode *vnode = of;
    return __atomic_load_n(&vnode->cache, __ATOMIC_ACQUIRE);
}

bool host_vnode_set_cache(void *of, vm_cache_ref *cache)
{
    struct vnode *vnode = of;
    vm_cache_ref *none = NULL;
    return __atomic_compare_exchange_n(&vnode->cache, &none, cache, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

void host_vnode_clear_cache(void *of, vm_cache_ref *cache)
{
    struct vnode *vnode = of;
    (void)__atomic_compare_exchange_n(&vnode->cache, &cache, NULL, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE);
}

/* ---- its bytes ---------------------------------------------------------------------------------- */

off_t host_vnode_size(void *of)
{
    const struct vnode *vnode = of;
    struct stat status;
    int saved = errno;
    bool is_known = !vnode->is_device && fstat(vnode->descriptor, &status) == 0;
    errno = saved;
    return is_known ? status.st_size : INT64_MAX; /* where it isn't, reads and writes fail */
}

/* All of it, or up to the file's end. */
static int transfer(const struct vnode *vnode, bool write, off_t offset, char *bytes, size_t size,
                    size_t *done)
{
    int saved = errno, error = VM_OK;
    for (*done = 0; *done < size && error == VM_OK;) {
        off_t at = offset + (off_t)*done;
        ssize_t moved = write ? pwrite(vnode->descriptor, bytes + *done, size - *done, at)
                              : pread(vnode->descriptor, bytes + *done, size - *done, at);
        if (moved == 0)
            break;
        if (moved > 0)
            *done += (size_t)moved;
        else if (errno != EINTR)
            error = ERR_IO;
    }
    errno = saved;
    return error;
}

/* Page by page: frames needn't lie in a row. */
static int transfer_frames(const struct vnode *vnode, bool write, off_t offset,
                           const addr_t *frames, size_t size, size_t *done)
{
    int error = VM_OK;
    *done = 0;
    while (error == VM_OK && *done < size) {
        size_t part = size - *done < VM_PAGE_SIZE ? size - *done : VM_PAGE_SIZE, moved;
        char *bytes = host_frame_ptr(frames[*done / VM_PAGE_SIZE]);
        error = transfer(vnode, write, offset + (off_t)*done, bytes, part, &moved);
        *done += moved;
        if (moved < part)
            break;
    }
    return error;
}

int host_vnode_read(void *of, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    return transfer_frames(of, false, offset, frames, count * VM_PAGE_SIZE, done);
}

int host_vnode_write(void *of, off_t offset, const addr_t *frames, size_t count, size_t *done)
{
    off_t left = host_vnode_size(of) - offset;
    size_t size = count * VM_PAGE_SIZE;
    *done = 0;
    if (left <= 0)
        return VM_OK;
    if (appends(((const struct vnode *)of)->descriptor)) /* since it was opened here */
        return ERR_IO;
    if ((uint64_t)left < size)
        size = (size_t)left;
    int error = transfer_frames(of, true, offset, frames, size, done);
    return error == VM_OK && *done < size ? ERR_IO : error;
}
