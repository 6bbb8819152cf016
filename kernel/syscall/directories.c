/* SPDX-License-Identifier: MIT */
/* Working directories, and what is in a directory. */
#include "arguments.h"
#include "fs/fs.h"
#include <kernel/process.h>

/* Takes over the reference. */
static int64_t set_cwd(struct vnode *vnode)
{
    struct file_state *state = file_state_current();
    if (vnode_type(vnode) != S_IFDIR) {
        vnode_release(vnode);
        return -ENOTDIR;
    }
    mutex_lock(&state->lock);
    struct vnode *old = state->cwd;
    state->cwd = vnode;
    mutex_unlock(&state->lock);
    vnode_release(old);
    return 0;
}

int64_t sys_chdir(struct trap_frame *frame)
{
    struct vnode *vnode;
    int error = at_lookup(AT_FDCWD, POINTER(0), 0, &vnode);
    return error != 0 ? error : set_cwd(vnode);
}

int64_t sys_fchdir(struct trap_frame *frame)
{
    struct file *file = file_of(INTEGER(0));
    if (file == NULL)
        return -EBADF;
    vnode_acquire(file->vnode);
    struct vnode *vnode = file->vnode;
    file_release(file);
    return set_cwd(vnode);
}

int64_t sys_getcwd(struct trap_frame *frame)
{
    struct vnode *cwd = file_state_cwd(file_state_current());
    char *path = vm_meta_alloc(PATH_MAX);
    int64_t result = -ENOMEM;
    if (path != NULL) {
        result = vnode_path(cwd, path, PATH_MAX);
        if (result >= 0)
            result++; /* with its NUL */
        if (result > 0 && (size_t)result > SIZE(1))
            result = -ERANGE;
        if (result > 0 && copy_to_user(POINTER(0), path, (size_t)result) != 0)
            result = -EFAULT;
        vm_meta_free(path, PATH_MAX);
    }
    vnode_release(cwd);
    return result;
}

/* ---- getdents64 -------------------------------------------------------------------------------------- */

struct linux_dirent64 {
    uint64_t inode;
    int64_t next;
    uint16_t length;
    uint8_t type; /* S_IF* >> 12 */
    char name[];
};
enum { DIRENT_NAME = 19, LISTING_SIZE = 4096 };

struct listing {
    struct directory_visit visit;
    uint8_t *buffer;
    size_t size, length;
    off_t next;   /* where the next listing goes on */
    bool is_full; /* an entry didn't fit */
};

static bool add_entry(struct directory_visit *visit, const char *name, size_t length,
                      uint64_t inode, unsigned type, off_t next)
{
    struct listing *listing = (struct listing *)visit;
    size_t size = (DIRENT_NAME + length + 1 + 7) & ~(size_t)7;
    if (size > listing->size - listing->length) {
        listing->is_full = true;
        return false;
    }
    struct linux_dirent64 *entry = (struct linux_dirent64 *)(listing->buffer + listing->length);
    memset(entry, 0, size);
    entry->inode = inode;
    entry->next = next;
    entry->length = (uint16_t)size;
    entry->type = (uint8_t)(type >> 12);
    memcpy(entry->name, name, length);
    listing->length += size;
    listing->next = next;
    return true;
}

/* => namespace_lock held. "." and ".." come first, at positions 0 and 1. */
static void list(struct vnode *directory, off_t position, struct listing *listing)
{
    const struct vnode *parent = directory->parent != NULL ? directory->parent : directory;
    bool more = true;
    if (position <= 0)
        more = add_entry(&listing->visit, ".", 1, directory->inode, S_IFDIR, 1);
    if (more && position <= 1)
        more = add_entry(&listing->visit, "..", 2, parent->inode, S_IFDIR, 2);
    if (more)
        directory->ops->iterate(directory, position < 2 ? 2 : position, &listing->visit);
}

static int64_t read_entries(struct file *file, void *user, size_t size)
{
    struct listing listing = {.visit = {add_entry}};
    listing.size = size < LISTING_SIZE ? size : LISTING_SIZE;
    listing.buffer = vm_meta_alloc(LISTING_SIZE);
    if (listing.buffer == NULL)
        return -ENOMEM;
    mutex_lock(&file->position_lock);
    mutex_lock(&namespace_lock);
    list(file->vnode, file->position, &listing);
    mutex_unlock(&namespace_lock);
    int64_t result = (int64_t)listing.length;
    if (listing.length == 0 && listing.is_full)
        result = -EINVAL;
    else if (copy_to_user(user, listing.buffer, listing.length) != 0)
        result = -EFAULT;
    if (result > 0)
        file->position = listing.next;
    mutex_unlock(&file->position_lock);
    vm_meta_free(listing.buffer, LISTING_SIZE);
    return result;
}

int64_t sys_getdents64(struct trap_frame *frame)
{
    struct file *file = file_of(INTEGER(0));
    int64_t result = -ENOTDIR;
    if (file == NULL)
        return -EBADF;
    if ((file_flags(file) & O_PATH) != 0)
        result = -EBADF;
    else if (vnode_type(file->vnode) == S_IFDIR)
        result = read_entries(file, POINTER(1), UNSIGNED(2));
    file_release(file);
    return result;
}
