/* SPDX-License-Identifier: MIT */
#include "path.h"
#include "fs.h"
#include "ramfs.h"
#include <kernel/string.h>
#include <quire/host.h>

/* Where a walk is. */
struct walk {
    struct vnode *at; /* referenced */
    const char *rest; /* what is left of the path */
    char *buffer;     /* PATH_MAX bytes that `rest` lies in once a link was followed, or NULL */
    unsigned links;
    bool follow_last;
};

static void move_to(struct walk *walk, struct vnode *vnode)
{
    vnode_release(walk->at);
    walk->at = vnode;
}

static void move_to_parent(struct walk *walk)
{
    struct vnode *parent = walk->at->parent;
    if (parent != NULL) {
        vnode_acquire(parent);
        move_to(walk, parent);
    }
}

/* Goes on with the link's text in front of what is left. */
static int follow_text(struct walk *walk, struct vnode *link)
{
    size_t left = strlen(walk->rest);
    char *buffer = vm_meta_alloc(PATH_MAX);
    if (buffer == NULL)
        return -ENOMEM;
    int64_t length = link->ops->read_link(link, buffer, PATH_MAX);
    int error = length < 0 ? (int)length : length == 0 ? -ENOENT : 0;
    if (error == 0 && (size_t)length + left + 1 > PATH_MAX)
        error = -ENAMETOOLONG;
    if (error != 0) {
        vm_meta_free(buffer, PATH_MAX);
        return error;
    }
    memcpy(buffer + length, walk->rest, left + 1);
    if (walk->buffer != NULL)
        vm_meta_free(walk->buffer, PATH_MAX);
    walk->buffer = buffer;
    walk->rest = buffer;
    if (*buffer == '/') {
        vnode_acquire(fs_root);
        move_to(walk, fs_root);
    }
    return 0;
}

/* One that leads to a vnode is its target; *vnode is what it led to, or NULL for a text. */
static int follow(struct walk *walk, struct vnode *link, struct vnode **vnode)
{
    *vnode = NULL;
    if (++walk->links > PATH_MAX_LINKS)
        return -ELOOP;
    if (link->ops->follow != NULL)
        return link->ops->follow(link, vnode);
    return follow_text(walk, link);
}

/* The next component, its length, and whether it is the last. */
static size_t next_component(struct walk *walk, const char **name, bool *last, bool *slash)
{
    while (*walk->rest == '/')
        walk->rest++;
    *name = walk->rest;
    while (*walk->rest != '\0' && *walk->rest != '/')
        walk->rest++;
    const char *behind = walk->rest;
    while (*behind == '/')
        behind++;
    *last = *behind == '\0';
    *slash = *last && *walk->rest == '/';
    return (size_t)(walk->rest - *name);
}

static int lookup(struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
    *found = NULL;
    if (directory->ops->lookup == NULL)
        return -ENOTDIR;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    return directory->ops->lookup(directory, name, length, found);
}

/* The end of the walk is the directory where it is. */
static int end_here(struct walk *walk, struct path_end *end, bool slash)
{
    end->length = 0;
    end->must_be_directory = end->must_be_directory || slash;
    vnode_acquire(walk->at);
    end->vnode = walk->at;
    end->directory = walk->at;
    walk->at = NULL;
    return 0;
}

static int end_with_name(struct walk *walk, struct path_end *end, const char *name, size_t length,
                         struct vnode *found)
{
    memcpy(end->name, name, length);
    end->name[length] = '\0';
    end->length = length;
    end->vnode = found;
    end->directory = walk->at;
    walk->at = NULL;
    return 0;
}

/* Takes one component; 1: the walk goes on, 0: it has ended. */
static int step(struct walk *walk, struct path_end *end)
{
    const char *name;
    bool last, slash;
    struct vnode *found;
    size_t length = next_component(walk, &name, &last, &slash);
    if (length == 0)
        return end_here(walk, end, true);
    if (vnode_type(walk->at) != S_IFDIR)
        return -ENOTDIR;
    bool dot = length == 1 && name[0] == '.', dot_dot = length == 2 && memcmp(name, "..", 2) == 0;
    if (dot || dot_dot) {
        if (dot_dot)
            move_to_parent(walk);
        end->is_dot_dot = last && dot_dot;
        return last ? end_here(walk, end, slash) : 1;
    }
    int error = lookup(walk->at, name, length, &found);
    if (error != 0 && !(last && error == -ENOENT))
        return error;
    if (found != NULL && vnode_type(found) == S_IFLNK && (!last || slash || walk->follow_last)) {
        struct vnode *target;
        error = follow(walk, found, &target);
        vnode_release(found);
        if (error != 0)
            return error;
        if (target == NULL)
            return 1;
        found = target;
    }
    if (last) {
        end->must_be_directory = slash;
        return end_with_name(walk, end, name, length, found);
    }
    move_to(walk, found);
    return 1;
}

int path_walk(struct vnode *start, const char *path, bool follow_last, struct path_end *end)
{
    struct walk walk = {.rest = path, .follow_last = follow_last};
    *end = (struct path_end){0};
    if (*path == '\0')
        return -ENOENT;
    if (strnlen(path, PATH_MAX) == PATH_MAX)
        return -ENAMETOOLONG;
    walk.at = *path == '/' ? fs_root : start;
    vnode_acquire(walk.at);
    int result;
    do {
        result = step(&walk, end);
    } while (result > 0);
    vnode_release(walk.at);
    if (walk.buffer != NULL)
        vm_meta_free(walk.buffer, PATH_MAX);
    if (result == 0 && end->must_be_directory && end->vnode != NULL &&
        vnode_type(end->vnode) != S_IFDIR) {
        path_end_release(end);
        return -ENOTDIR;
    }
    return result;
}

void path_end_release(struct path_end *end)
{
    vnode_release(end->vnode);
    vnode_release(end->directory);
    end->vnode = end->directory = NULL;
}

int path_lookup(struct vnode *start, const char *path, bool follow_last, struct vnode **found)
{
    struct path_end end;
    *found = NULL;
    mutex_lock(&namespace_lock);
    int error = path_walk(start, path, follow_last, &end);
    if (error == 0) {
        *found = end.vnode;
        end.vnode = NULL;
        error = *found != NULL ? 0 : -ENOENT;
        path_end_release(&end);
    }
    mutex_unlock(&namespace_lock);
    return error;
}

int path_lookup_executable(struct file_state *state, const char *path, struct vnode **found)
{
    struct vnode *cwd = file_state_cwd(state);
    int error = path_lookup(cwd, path, true, found);
    vnode_release(cwd);
    if (error != 0)
        return error;
    if (!vnode_is_file(*found) || vnode_check_access(*found, X_OK) != 0)
        error = -EACCES;
    if (error == 0)
        error = vnode_prepare_mapping(*found);
    if (error != 0) {
        vnode_release(*found);
        *found = NULL;
    }
    return error;
}

/* => namespace_lock held. */
static int create_file(struct path_end *end, unsigned mode)
{
    if (end->must_be_directory)
        return -EISDIR;
    struct vnode *vnode = ramfs_create(S_IFREG | (mode & 07777));
    if (vnode == NULL)
        return -ENOMEM;
    int error = ramfs_add(end->directory, end->name, end->length, vnode);
    if (error != 0) {
        vnode_release(vnode);
        return error;
    }
    end->vnode = vnode;
    return 0;
}

/* => namespace_lock held. Whether the file that is there may be opened so. */
static int check_open(const struct vnode *vnode, unsigned flags)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)) != 0;
    unsigned type = vnode_type(vnode);
    if ((flags & O_DIRECTORY) != 0 && type != S_IFDIR)
        return -ENOTDIR;
    if ((flags & O_PATH) != 0)
        return 0;
    if (type == S_IFLNK)
        return -ELOOP;
    if (vnode->read_only && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0))
        return -EROFS;
    return type == S_IFDIR && writes ? -EISDIR : 0;
}

/* => namespace_lock held. A file with no name, O_TMPFILE. */
static int open_unnamed(struct path_end *end, unsigned flags, unsigned mode, bool *created)
{
    if ((flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    if (vnode_type(end->vnode) != S_IFDIR)
        return -ENOTDIR;
    struct vnode *vnode = ramfs_create(S_IFREG | (mode & 07777));
    if (vnode == NULL)
        return -ENOMEM;
    vnode_release(end->vnode);
    end->vnode = vnode;
    *created = true;
    return 0;
}

/* => namespace_lock held. Finds or makes the vnode to open. */
static int find_or_create(struct path_end *end, unsigned flags, unsigned mode, bool *created)
{
    *created = false;
    if (end->vnode == NULL) {
        if ((flags & O_CREAT) == 0)
            return -ENOENT;
        *created = true;
        return create_file(end, mode);
    }
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return open_unnamed(end, flags, mode, created);
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    return check_open(end->vnode, flags);
}

int path_open(struct vnode *start, const char *path, unsigned flags, unsigned mode,
              struct file **file)
{
    struct path_end end;
    bool created = false;
    bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    mutex_lock(&namespace_lock);
    int error = path_walk(start, path, (flags & O_NOFOLLOW) == 0 && !exclusive, &end);
    if (error == 0)
        error = find_or_create(&end, flags, mode, &created);
    mutex_unlock(&namespace_lock);
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
    if (error == 0 && writes && (flags & O_PATH) == 0 && vnode_is_executing(end.vnode))
        error = -ETXTBSY;
    if (error == 0 && (flags & (O_TRUNC | O_PATH)) == O_TRUNC && !created &&
        vnode_type(end.vnode) == S_IFREG)
        error = vnode_truncate(end.vnode, 0);
    if (error == 0)
        error = file_open_vnode(end.vnode, flags, file);
    path_end_release(&end);
    return error;
}

int host_vnode_from_path(const char *path, bool kernel, unsigned access, void **result)
{
    struct vnode *cwd = kernel ? NULL : file_state_cwd(file_state_current());
    struct vnode *vnode;
    int error = path_lookup(kernel ? fs_root : cwd, path, true, &vnode);
    vnode_release(cwd);
    if (error == -ENOMEM)
        return ERR_NO_MEMORY;
    if (error != 0)
        return ERR_NOT_FOUND;
    error = VM_OK;
    if (!vnode_is_file(vnode))
        error = ERR_INVALID_ARGS;
    else if (vnode_prepare_mapping(vnode) != 0)
        error = ERR_NO_MEMORY;
    else if ((access & VM_ACCESS_WRITE) != 0 && vnode_commit_all(vnode) != 0)
        error = ERR_NO_MEMORY;
    if (error != VM_OK)
        vnode_release(vnode);
    *result = vnode;
    return error;
}
