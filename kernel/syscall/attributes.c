/* SPDX-License-Identifier: MIT */
/* What files say about themselves: stat and its kin, modes, owners, times, directories' entries. */
#include "arguments.h"
#include "fs/fs.h"
#include "fs/ramfs.h"
#include <kernel/process.h>
#include <kernel/timer.h>

static int64_t stat_at(int directory, const void *path, void *user, unsigned flags)
{
    struct linux_stat stat;
    struct vnode *vnode;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)) != 0)
        return -EINVAL;
    int error = at_lookup(directory, path, flags, &vnode);
    if (error != 0)
        return error;
    vnode_stat(vnode, &stat);
    vnode_release(vnode);
    return copy_to_user(user, &stat, sizeof(stat));
}

int64_t sys_stat(struct trap_frame *frame)
{
    return stat_at(AT_FDCWD, POINTER(0), POINTER(1), 0);
}

int64_t sys_lstat(struct trap_frame *frame)
{
    return stat_at(AT_FDCWD, POINTER(0), POINTER(1), AT_SYMLINK_NOFOLLOW);
}

int64_t sys_newfstatat(struct trap_frame *frame)
{
    return stat_at(INTEGER(0), POINTER(1), POINTER(2), UNSIGNED(3));
}

int64_t sys_fstat(struct trap_frame *frame)
{
    struct linux_stat stat;
    struct file *file = file_of(INTEGER(0));
    if (file == NULL)
        return -EBADF;
    vnode_stat(file->vnode, &stat);
    file_release(file);
    return copy_to_user(POINTER(1), &stat, sizeof(stat));
}

struct linux_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t padding;
};
struct linux_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, padding;
    uint64_t inode, size, blocks, attributes_mask;
    struct linux_statx_time accessed, created, changed, modified;
    uint32_t special_major, special_minor, device_major, device_minor;
    uint64_t more[14];
};

static struct linux_statx_time statx_time(struct linux_timespec time)
{
    return (struct linux_statx_time){time.tv_sec, (uint32_t)time.tv_nsec, 0};
}

static void fill_statx(struct linux_statx *to, const struct linux_stat *from)
{
    enum { STATX_BASIC_STATS = 0x7ff };
    *to = (struct linux_statx){
        .mask = STATX_BASIC_STATS,
        .block_size = (uint32_t)from->st_blksize,
        .links = (uint32_t)from->st_nlink,
        .uid = from->st_uid,
        .gid = from->st_gid,
        .mode = (uint16_t)from->st_mode,
        .inode = from->st_ino,
        .size = (uint64_t)from->st_size,
        .blocks = (uint64_t)from->st_blocks,
        .accessed = statx_time(from->st_atime),
        .changed = statx_time(from->st_ctime),
        .modified = statx_time(from->st_mtime),
        .special_major = (uint32_t)(from->st_rdev >> 8),
        .special_minor = (uint32_t)(from->st_rdev & 0xff),
        .device_minor = (uint32_t)from->st_dev,
    };
}

int64_t sys_statx(struct trap_frame *frame)
{
    struct linux_stat stat;
    struct linux_statx result;
    struct vnode *vnode;
    unsigned flags = UNSIGNED(2);
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)) !=
        0)
        return -EINVAL;
    int error = at_lookup(INTEGER(0), POINTER(1), flags, &vnode);
    if (error != 0)
        return error;
    vnode_stat(vnode, &stat);
    vnode_release(vnode);
    fill_statx(&result, &stat);
    return copy_to_user(POINTER(4), &result, sizeof(result));
}

static int64_t access_at(int directory, const void *path, unsigned mask, unsigned flags)
{
    struct vnode *vnode;
    if ((mask & ~(R_OK | W_OK | X_OK)) != 0 ||
        (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int error = at_lookup(directory, path, flags, &vnode);
    if (error != 0)
        return error;
    error = vnode_check_access(vnode, mask);
    vnode_release(vnode);
    return error;
}

int64_t sys_access(struct trap_frame *frame)
{
    return access_at(AT_FDCWD, POINTER(0), UNSIGNED(1), 0);
}

int64_t sys_faccessat(struct trap_frame *frame)
{
    return access_at(INTEGER(0), POINTER(1), UNSIGNED(2), 0);
}

int64_t sys_faccessat2(struct trap_frame *frame)
{
    return access_at(INTEGER(0), POINTER(1), UNSIGNED(2), UNSIGNED(3));
}

static int64_t read_link(int directory, const void *path, void *user, int size)
{
    struct vnode *vnode;
    if (size <= 0)
        return -EINVAL;
    int error = at_lookup(directory, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &vnode);
    if (error != 0)
        return error;
    char *text = vm_meta_alloc(PATH_MAX);
    int64_t result = text == NULL ? -ENOMEM : vnode->ops->read_link == NULL ? -EINVAL : 0;
    if (result == 0) {
        mutex_lock(&namespace_lock);
        result = vnode->ops->read_link(vnode, text, size < PATH_MAX ? (size_t)size : PATH_MAX);
        mutex_unlock(&namespace_lock);
    }
    if (result > 0 && copy_to_user(user, text, (size_t)result) != 0)
        result = -EFAULT;
    if (text != NULL)
        vm_meta_free(text, PATH_MAX);
    vnode_release(vnode);
    return result;
}

int64_t sys_readlink(struct trap_frame *frame)
{
    return read_link(AT_FDCWD, POINTER(0), POINTER(1), INTEGER(2));
}

int64_t sys_readlinkat(struct trap_frame *frame)
{
    return read_link(INTEGER(0), POINTER(1), POINTER(2), INTEGER(3));
}

/* ---- modes, owners, times ------------------------------------------------------------------------- */

/* What is to change; see which by the flags. */
struct attributes {
    bool set_mode, set_owner, set_times;
    unsigned mode;
    uint32_t uid, gid;                        /* -1: as it was */
    struct linux_timespec accessed, modified; /* tv_nsec may be UTIME_NOW or UTIME_OMIT */
};
#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static void set_time(struct linux_timespec *time, const struct linux_timespec *to)
{
    if (to->tv_nsec == UTIME_NOW)
        *time = time_now();
    else if (to->tv_nsec != UTIME_OMIT)
        *time = *to;
}

static int64_t set_attributes(struct vnode *vnode, const struct attributes *attributes)
{
    mutex_lock(&namespace_lock);
    if (attributes->set_mode)
        vnode->mode = (vnode->mode & S_IFMT) | (attributes->mode & 07777);
    if (attributes->set_owner) {
        vnode->uid = attributes->uid != UINT32_MAX ? attributes->uid : vnode->uid;
        vnode->gid = attributes->gid != UINT32_MAX ? attributes->gid : vnode->gid;
    }
    if (attributes->set_times) {
        set_time(&vnode->accessed, &attributes->accessed);
        set_time(&vnode->modified, &attributes->modified);
    }
    vnode_changed(vnode);
    mutex_unlock(&namespace_lock);
    return 0;
}

static int64_t set_attributes_at(int directory, const void *path, unsigned flags,
                                 const struct attributes *attributes)
{
    struct vnode *vnode;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int error = at_lookup(directory, path, flags, &vnode);
    if (error != 0)
        return error;
    int64_t result = set_attributes(vnode, attributes);
    vnode_release(vnode);
    return result;
}

static int64_t set_attributes_of(int fd, const struct attributes *attributes)
{
    struct file *file = file_of(fd);
    if (file == NULL)
        return -EBADF;
    int64_t result = set_attributes(file->vnode, attributes);
    file_release(file);
    return result;
}

static struct attributes mode_of(uint64_t mode)
{
    return (struct attributes){.set_mode = true, .mode = (unsigned)mode};
}

static struct attributes owner_of(uint64_t uid, uint64_t gid)
{
    return (struct attributes){.set_owner = true, .uid = (uint32_t)uid, .gid = (uint32_t)gid};
}

int64_t sys_chmod(struct trap_frame *frame)
{
    struct attributes attributes = mode_of(ARGUMENT(1));
    return set_attributes_at(AT_FDCWD, POINTER(0), 0, &attributes);
}

int64_t sys_fchmod(struct trap_frame *frame)
{
    struct attributes attributes = mode_of(ARGUMENT(1));
    return set_attributes_of(INTEGER(0), &attributes);
}

int64_t sys_fchmodat(struct trap_frame *frame)
{
    struct attributes attributes = mode_of(ARGUMENT(2));
    return set_attributes_at(INTEGER(0), POINTER(1), 0, &attributes);
}

int64_t sys_chown(struct trap_frame *frame)
{
    struct attributes attributes = owner_of(ARGUMENT(1), ARGUMENT(2));
    return set_attributes_at(AT_FDCWD, POINTER(0), 0, &attributes);
}

int64_t sys_lchown(struct trap_frame *frame)
{
    struct attributes attributes = owner_of(ARGUMENT(1), ARGUMENT(2));
    return set_attributes_at(AT_FDCWD, POINTER(0), AT_SYMLINK_NOFOLLOW, &attributes);
}

int64_t sys_fchown(struct trap_frame *frame)
{
    struct attributes attributes = owner_of(ARGUMENT(1), ARGUMENT(2));
    return set_attributes_of(INTEGER(0), &attributes);
}

int64_t sys_fchownat(struct trap_frame *frame)
{
    struct attributes attributes = owner_of(ARGUMENT(2), ARGUMENT(3));
    return set_attributes_at(INTEGER(0), POINTER(1), UNSIGNED(4), &attributes);
}

static bool time_is_valid(const struct linux_timespec *time)
{
    return time->tv_nsec == UTIME_NOW || time->tv_nsec == UTIME_OMIT ||
           (time->tv_nsec >= 0 && time->tv_nsec < (int64_t)NS_PER_SECOND);
}

int64_t sys_utimensat(struct trap_frame *frame)
{
    struct linux_timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    if (POINTER(2) != NULL && copy_from_user(times, POINTER(2), sizeof(times)) != 0)
        return -EFAULT;
    if (!time_is_valid(&times[0]) || !time_is_valid(&times[1]))
        return -EINVAL;
    struct attributes attributes = {.set_times = true, .accessed = times[0], .modified = times[1]};
    if (POINTER(1) == NULL)
        return INTEGER(0) == AT_FDCWD ? -EFAULT : set_attributes_of(INTEGER(0), &attributes);
    return set_attributes_at(INTEGER(0), POINTER(1), UNSIGNED(3), &attributes);
}

int64_t sys_utimes(struct trap_frame *frame)
{
    struct linux_timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    if (POINTER(1) != NULL) {
        if (copy_from_user(times, POINTER(1), sizeof(times)) != 0)
            return -EFAULT;
        for (unsigned i = 0; i < 2; i++) {
            if (times[i].tv_nsec < 0 || times[i].tv_nsec >= 1000000)
                return -EINVAL;
            times[i].tv_nsec *= 1000;
        }
    }
    struct attributes attributes = {.set_times = true, .accessed = times[0], .modified = times[1]};
    return set_attributes_at(AT_FDCWD, POINTER(0), 0, &attributes);
}

int64_t sys_umask(struct trap_frame *frame)
{
    struct file_state *state = file_state_current();
    unsigned old = state->umask;
    state->umask = UNSIGNED(0) & 0777;
    return old;
}

/* ---- file systems -------------------------------------------------------------------------------------- */

struct linux_statfs {
    int64_t type, block_size;
    uint64_t blocks, blocks_free, blocks_available, files, files_free, id;
    int64_t name_length, fragment_size, flags, spare[4];
};

static int64_t put_statfs(void *user)
{
    enum { TMPFS_MAGIC = 0x01021994 };
    vm_info info;
    vm_get_info(&info);
    size_t unused = info.free_pages + info.clear_pages;
    struct linux_statfs result = {
        .type = TMPFS_MAGIC,
        .block_size = (int64_t)VM_PAGE_SIZE,
        .blocks = info.physical_pages,
        .blocks_free = unused,
        .blocks_available = unused,
        .files = info.physical_pages,
        .files_free = unused,
        .name_length = NAME_MAX,
        .fragment_size = (int64_t)VM_PAGE_SIZE,
    };
    return copy_to_user(user, &result, sizeof(result));
}

int64_t sys_statfs(struct trap_frame *frame)
{
    struct vnode *vnode;
    int error = at_lookup(AT_FDCWD, POINTER(0), 0, &vnode);
    if (error != 0)
        return error;
    vnode_release(vnode);
    return put_statfs(POINTER(1));
}

int64_t sys_fstatfs(struct trap_frame *frame)
{
    struct file *file = file_of(INTEGER(0));
    if (file == NULL)
        return -EBADF;
    file_release(file);
    return put_statfs(POINTER(1));
}
