/* SPDX-License-Identifier: MIT */
#include "arguments.h"
#include "fs/fs.h"
#include <kernel/timer.h>

int path_copy(const void *user, char **path)
{
    addr_t address = (addr_t)user;
    size_t limit = PATH_MAX;
    *path = NULL;
    if (address < USER_BASE || address >= USER_TOP)
        return -EFAULT;
    if (limit > USER_TOP - address)
        limit = USER_TOP - address;
    char *copy = vm_meta_alloc(PATH_MAX);
    if (copy == NULL)
        return -ENOMEM;
    int error = user_strncpy(copy, user, limit) == VM_OK ? 0 : -EFAULT;
    if (error == 0 && strnlen(copy, limit) == limit)
        error = limit == PATH_MAX ? -ENAMETOOLONG : -EFAULT;
    if (error != 0)
        path_free(copy);
    else
        *path = copy;
    return error;
}

void path_free(char *path)
{
    vm_meta_free(path, PATH_MAX);
}

static int find_start(int directory, const char *path, struct vnode **start)
{
    if (*path == '/') {
        vnode_acquire(fs_root);
        *start = fs_root;
        return 0;
    }
    if (directory == AT_FDCWD) {
        *start = file_state_cwd(file_state_current());
        return 0;
    }
    struct file *file = file_of(directory);
    if (file == NULL)
        return -EBADF;
    bool is_directory = vnode_type(file->vnode) == S_IFDIR;
    if (is_directory) {
        vnode_acquire(file->vnode);
        *start = file->vnode;
    }
    file_release(file);
    return is_directory ? 0 : -ENOTDIR;
}

int at_path_get(struct at_path *path, int directory, const void *user)
{
    int error = path_copy(user, &path->text);
    if (error != 0)
        return error;
    error = path->text[0] == '\0' ? -ENOENT : find_start(directory, path->text, &path->start);
    if (error != 0)
        path_free(path->text);
    return error;
}

void at_path_put(struct at_path *path)
{
    path_free(path->text);
    vnode_release(path->start);
}

static int vnode_of_descriptor(int fd, struct vnode **found)
{
    if (fd == AT_FDCWD) {
        *found = file_state_cwd(file_state_current());
        return 0;
    }
    struct file *file = file_of(fd);
    if (file == NULL)
        return -EBADF;
    vnode_acquire(file->vnode);
    *found = file->vnode;
    file_release(file);
    return 0;
}

int at_lookup(int directory, const void *user, unsigned flags, struct vnode **found)
{
    struct at_path path;
    char *text;
    if ((flags & AT_EMPTY_PATH) != 0) {
        int copied = path_copy(user, &text);
        if (copied != 0)
            return copied;
        bool empty = *text == '\0';
        path_free(text);
        if (empty)
            return vnode_of_descriptor(directory, found);
    }
    int error = at_path_get(&path, directory, user);
    if (error != 0)
        return error;
    error = path_lookup(path.start, path.text, (flags & AT_SYMLINK_NOFOLLOW) == 0, found);
    at_path_put(&path);
    return error;
}

bool timespec_to_ns(const struct linux_timespec *time, uint64_t *nanoseconds)
{
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= (int64_t)NS_PER_SECOND)
        return false;
    uint64_t seconds = (uint64_t)time->tv_sec;
    *nanoseconds = seconds >= INT64_MAX / NS_PER_SECOND
                       ? INT64_MAX
                       : seconds * NS_PER_SECOND + (uint64_t)time->tv_nsec;
    return true;
}
