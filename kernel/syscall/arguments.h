/* SPDX-License-Identifier: MIT */
/* What many calls do with their arguments first: copy a path, find a descriptor's file. */
#ifndef KERNEL_SYSCALL_ARGUMENTS_H
#define KERNEL_SYSCALL_ARGUMENTS_H

#include "calls.h"
#include "fs/path.h"
#include "fs/user_copy.h"

/* A copy of a program's string, with room for PATH_MAX: -EFAULT, -ENAMETOOLONG, -ENOMEM. */
int path_copy(const void *user, char **path);
void path_free(char *path);

/* A path and where it starts, for calls with a directory's descriptor. */
struct at_path {
    char *text;
    struct vnode *start;
};
/* What path_copy says; -ENOENT for an empty path, -EBADF, -ENOTDIR. */
int at_path_get(struct at_path *path, int directory, const void *user);
void at_path_put(struct at_path *path);
/* The vnode that is meant, with a reference. `flags` are AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH: then
 * an empty path is the descriptor's own file. */
int at_lookup(int directory, const void *user, unsigned flags, struct vnode **found);

/* The running process's open file, with a reference, or NULL. */
static inline struct file *file_of(int fd)
{
    return fd_get(file_state_current(), fd);
}

/* Nanoseconds of a timespec that is valid, cut at what fits; false if it isn't valid. */
bool timespec_to_ns(const struct linux_timespec *time, uint64_t *nanoseconds);

#endif
