/* SPDX-License-Identifier: MIT */
/* Calls that give and take names. */
#include "arguments.h"
#include "fs/device.h"
#include "fs/fs.h"
#include "fs/ramfs.h"
#include <kernel/process.h>

/* Walks to the place of a name that is to be made or taken away; the namespace is locked when this
 * returns 0, until end_change. */
struct change {
    struct at_path path;
    struct path_end end;
};

static int begin_change(struct change *change, int directory, const void *user)
{
    int error = at_path_get(&change->path, directory, user);
    if (error != 0)
        return error;
    mutex_lock(&namespace_lock);
    error = path_walk(change->path.start, change->path.text, false, &change->end);
    if (error != 0) {
        mutex_unlock(&namespace_lock);
        at_path_put(&change->path);
    }
    return error;
}

static void end_change(struct change *change)
{
    mutex_unlock(&namespace_lock);
    path_end_release(&change->end);
    at_path_put(&change->path);
}

/* Makes `vnode` (its reference is taken over; NULL is no memory) the new name of the change. */
static int add_new(struct change *change, struct vnode *vnode)
{
    if (vnode == NULL)
        return -ENOMEM;
    int error = ramfs_add(change->end.directory, change->end.name, change->end.length, vnode);
    vnode_release(vnode);
    return error;
}

static int64_t make_directory(int directory, const void *user, unsigned mode)
{
    struct change change;
    int error = begin_change(&change, directory, user);
    if (error != 0)
        return error;
    mode &= 01777 & ~file_state_current()->umask;
    error = change.end.vnode != NULL ? -EEXIST : add_new(&change, ramfs_create(S_IFDIR | mode));
    end_change(&change);
    return error;
}

int64_t sys_mkdir(struct trap_frame *frame)
{
    return make_directory(AT_FDCWD, POINTER(0), UNSIGNED(1));
}

int64_t sys_mkdirat(struct trap_frame *frame)
{
    return make_directory(INTEGER(0), POINTER(1), UNSIGNED(2));
}

static struct vnode *make_special(unsigned mode, uint64_t device)
{
    /* A device that this kernel doesn't have is a name that can't be opened. */
    static const struct vnode_ops absent_device_ops = {0};
    bool known;
    if ((mode & S_IFMT) != S_IFCHR)
        return ramfs_create((mode & S_IFMT) == 0 ? mode | S_IFREG : mode);
    struct vnode *vnode = device_create(device, &known);
    if (vnode == NULL && !known)
        vnode = vnode_create(&absent_device_ops, mode);
    if (vnode != NULL) {
        vnode->device = device;
        vnode->mode = mode;
    }
    return vnode;
}

static int64_t make_node(int directory, const void *user, unsigned mode, uint64_t device)
{
    struct change change;
    unsigned type = mode & S_IFMT;
    if (type == S_IFDIR)
        return -EPERM;
    if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFCHR)
        return type == S_IFBLK || type == S_IFSOCK ? -EPERM : -EINVAL;
    int error = begin_change(&change, directory, user);
    if (error != 0)
        return error;
    mode &= S_IFMT | (07777 & ~file_state_current()->umask);
    if (change.end.vnode != NULL)
        error = -EEXIST;
    else if (change.end.must_be_directory)
        error = -ENOENT;
    else
        error = add_new(&change, make_special(mode, device));
    end_change(&change);
    return error;
}

int64_t sys_mknod(struct trap_frame *frame)
{
    return make_node(AT_FDCWD, POINTER(0), UNSIGNED(1), ARGUMENT(2));
}

int64_t sys_mknodat(struct trap_frame *frame)
{
    return make_node(INTEGER(0), POINTER(1), UNSIGNED(2), ARGUMENT(3));
}

static int64_t make_symbolic_link(const void *user_text, int directory, const void *user)
{
    struct change change;
    char *text;
    int error = path_copy(user_text, &text);
    if (error != 0)
        return error;
    error = *text == '\0' ? -ENOENT : begin_change(&change, directory, user);
    if (error == 0) {
        if (change.end.vnode != NULL)
            error = -EEXIST;
        else if (change.end.must_be_directory)
            error = -ENOENT;
        else
            error = add_new(&change, ramfs_create_link(text, strlen(text)));
        end_change(&change);
    }
    path_free(text);
    return error;
}

int64_t sys_symlink(struct trap_frame *frame)
{
    return make_symbolic_link(POINTER(0), AT_FDCWD, POINTER(1));
}

int64_t sys_symlinkat(struct trap_frame *frame)
{
    return make_symbolic_link(POINTER(0), INTEGER(1), POINTER(2));
}

static int64_t make_link(int old_directory, const void *old, int directory, const void *user,
                         unsigned flags)
{
    struct change change;
    struct vnode *vnode;
    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    unsigned lookup =
        (flags & AT_EMPTY_PATH) | ((flags & AT_SYMLINK_FOLLOW) != 0 ? 0 : AT_SYMLINK_NOFOLLOW);
    int error = at_lookup(old_directory, old, lookup, &vnode);
    if (error != 0)
        return error;
    error = begin_change(&change, directory, user);
    if (error == 0) {
        if (change.end.vnode != NULL)
            error = -EEXIST;
        else if (change.end.must_be_directory)
            error = -ENOENT;
        else if (vnode_type(vnode) == S_IFDIR)
            error = -EPERM;
        else
            error = ramfs_add(change.end.directory, change.end.name, change.end.length, vnode);
        if (error == 0)
            vnode_changed(vnode);
        end_change(&change);
    }
    vnode_release(vnode);
    return error;
}

int64_t sys_link(struct trap_frame *frame)
{
    return make_link(AT_FDCWD, POINTER(0), AT_FDCWD, POINTER(1), 0);
}

int64_t sys_linkat(struct trap_frame *frame)
{
    return make_link(INTEGER(0), POINTER(1), INTEGER(2), POINTER(3), UNSIGNED(4));
}

/* ---- taking away ----------------------------------------------------------------------------------- */

/* => namespace_lock held. The entry at the end of a walk, or NULL in a directory of another kind. */
static struct directory_entry *entry_at(const struct path_end *end)
{
    if (end->directory->ops != &ramfs_directory_ops)
        return NULL;
    return ramfs_find(end->directory, end->name, end->length);
}

/* Somewhere below it there is something, or it belongs to the kernel. */
static bool is_busy_directory(const struct vnode *vnode)
{
    return vnode->ops != &ramfs_directory_ops;
}

static int remove_directory(struct change *change)
{
    struct path_end *end = &change->end;
    if (end->length == 0)
        return end->is_dot_dot ? -ENOTEMPTY : end->vnode == fs_root ? -EBUSY : -EINVAL;
    if (end->vnode == NULL)
        return -ENOENT;
    if (vnode_type(end->vnode) != S_IFDIR)
        return -ENOTDIR;
    struct directory_entry *entry = entry_at(end);
    if (entry == NULL || is_busy_directory(end->vnode))
        return -EBUSY;
    if (!ramfs_is_empty(end->vnode))
        return -ENOTEMPTY;
    ramfs_remove(entry);
    return 0;
}

static int remove_file(struct change *change)
{
    struct path_end *end = &change->end;
    if (end->length == 0)
        return -EISDIR;
    if (end->vnode == NULL)
        return -ENOENT;
    if (vnode_type(end->vnode) == S_IFDIR)
        return -EISDIR;
    struct directory_entry *entry = entry_at(end);
    if (entry == NULL)
        return -EPERM;
    ramfs_remove(entry);
    return 0;
}

static int64_t remove_name(int directory, const void *user, bool is_directory)
{
    struct change change;
    int error = begin_change(&change, directory, user);
    if (error != 0)
        return error;
    error = is_directory ? remove_directory(&change) : remove_file(&change);
    end_change(&change);
    return error;
}

int64_t sys_rmdir(struct trap_frame *frame)
{
    return remove_name(AT_FDCWD, POINTER(0), true);
}

int64_t sys_unlink(struct trap_frame *frame)
{
    return remove_name(AT_FDCWD, POINTER(0), false);
}

int64_t sys_unlinkat(struct trap_frame *frame)
{
    if ((UNSIGNED(2) & ~AT_REMOVEDIR) != 0)
        return -EINVAL;
    return remove_name(INTEGER(0), POINTER(1), UNSIGNED(2) != 0);
}

/* ---- rename ------------------------------------------------------------------------------------------ */

enum { RENAME_NOREPLACE = 1 };

/* Whether what is at the new name may be replaced by the old. */
static int check_replace(const struct vnode *old, struct vnode *new)
{
    bool old_is_directory = vnode_type(old) == S_IFDIR,
         new_is_directory = vnode_type(new) == S_IFDIR;
    if (old_is_directory && !new_is_directory)
        return -ENOTDIR;
    if (!old_is_directory && new_is_directory)
        return -EISDIR;
    if (new_is_directory && is_busy_directory(new))
        return -EBUSY;
    return new_is_directory && !ramfs_is_empty(new) ? -ENOTEMPTY : 0;
}

static int check_rename(const struct path_end *from, const struct path_end *to, unsigned flags)
{
    if (from->length == 0 || to->length == 0)
        return -EBUSY;
    if (from->vnode == NULL)
        return -ENOENT;
    if (to->vnode != NULL && (flags & RENAME_NOREPLACE) != 0)
        return -EEXIST;
    bool is_directory = vnode_type(from->vnode) == S_IFDIR;
    if (!is_directory && (from->must_be_directory || to->must_be_directory))
        return -ENOTDIR;
    if (entry_at(from) == NULL || to->directory->ops != &ramfs_directory_ops)
        return -EXDEV;
    if (is_directory && is_busy_directory(from->vnode))
        return -EBUSY;
    if (is_directory && ramfs_is_above(from->vnode, to->directory))
        return -EINVAL;
    if (to->vnode != NULL && to->vnode != from->vnode)
        return check_replace(from->vnode, to->vnode);
    return 0;
}

/* => namespace_lock held. The new name is there before the old one goes, so that no error loses it. */
static int do_rename(struct path_end *from, struct path_end *to, unsigned flags)
{
    int error = check_rename(from, to, flags);
    if (error != 0 || from->vnode == to->vnode)
        return error;
    struct directory_entry *old = entry_at(from), *replaced = entry_at(to);
    bool is_directory = vnode_type(from->vnode) == S_IFDIR;
    error = ramfs_add(to->directory, to->name, to->length, from->vnode);
    if (error != 0)
        return error;
    if (replaced != NULL)
        ramfs_remove(replaced);
    ramfs_remove(old);
    if (is_directory)
        from->vnode->parent = to->directory;
    return 0;
}

static int64_t rename_at(int old_directory, const void *old, int directory, const void *user,
                         unsigned flags)
{
    struct change change;
    struct at_path from;
    struct path_end end;
    if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0)
        return -EINVAL;
    int error = at_path_get(&from, old_directory, old);
    if (error != 0)
        return error;
    error = begin_change(&change, directory, user);
    if (error == 0) {
        error = path_walk(from.start, from.text, false, &end);
        if (error == 0) {
            error = do_rename(&end, &change.end, flags);
            path_end_release(&end);
        }
        end_change(&change);
    }
    at_path_put(&from);
    return error;
}

int64_t sys_rename(struct trap_frame *frame)
{
    return rename_at(AT_FDCWD, POINTER(0), AT_FDCWD, POINTER(1), 0);
}

int64_t sys_renameat(struct trap_frame *frame)
{
    return rename_at(INTEGER(0), POINTER(1), INTEGER(2), POINTER(3), 0);
}

int64_t sys_renameat2(struct trap_frame *frame)
{
    return rename_at(INTEGER(0), POINTER(1), INTEGER(2), POINTER(3), UNSIGNED(4));
}
