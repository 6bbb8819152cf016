/* SPDX-License-Identifier: MIT */
/* Files that are disks. Their pages come and go with the core's cache: nothing is promised for them. They
 * last as long as the machine, so that what is written behind a name's back still reaches the disk. */
#include "disk_file.h"
#include "file.h"
#include "fs.h"
#include "ramfs.h"
#include <kernel/log.h>
#include <kernel/string.h>
#include <quire/host.h>
#include "device/block.h"
#include "main/boot_info.h"

struct disk_file {
    struct vnode *vnode;         /* with a reference */
    struct block_device *device; /* NULL: the file is empty */
    const char *path;
    uint64_t flushed_writes; /* of the device, that a flush has followed */
};

static struct disk_file files[BLOCK_MAX_DEVICES];
static unsigned file_count;

static struct disk_file *disk_of(const struct vnode *vnode)
{
    return vnode->data;
}

/* ---- data --------------------------------------------------------------------------------------- */

static int64_t disk_read(struct vnode *vnode, off_t position, void *buffer, size_t length,
                         bool user)
{
    size_t done;
    int error = vnode_copy_out(vnode, position, buffer, length, user, &done);
    return done > 0 ? (int64_t)done : error;
}

/* => data_lock held. */
static int64_t disk_write(struct vnode *vnode, off_t position, const void *buffer, size_t length,
                          bool user)
{
    size_t done;
    if (position >= vnode->size)
        return -ENOSPC;
    if (length > (size_t)(vnode->size - position))
        length = (size_t)(vnode->size - position);
    int error = vnode_copy_in(vnode, position, buffer, length, user, &done);
    return done > 0 ? (int64_t)done : error;
}

/* The errno that truncate(2) has for files that can't do it. */
static int disk_truncate(struct vnode *vnode, off_t size)
{
    return size == vnode->size ? 0 : -EPERM;
}

/* How many of `count` pages have bytes of the file, and how many bytes. */
static size_t clip(const struct vnode *vnode, off_t offset, size_t count, size_t *bytes)
{
    off_t left = vnode->size - offset;
    *bytes = count * VM_PAGE_SIZE;
    if (left <= 0)
        *bytes = 0;
    else if ((off_t)*bytes > left)
        *bytes = (size_t)left;
    return (*bytes + VM_PAGE_MASK) / VM_PAGE_SIZE;
}

static int disk_read_pages(struct vnode *vnode, off_t offset, const addr_t *frames, size_t count,
                           size_t *done)
{
    size_t bytes, pages = clip(vnode, offset, count, &bytes);
    *done = 0;
    int error =
        pages > 0 ? block_read(disk_of(vnode)->device, (uint64_t)offset, frames, pages) : VM_OK;
    if (error == VM_OK)
        *done = bytes;
    return error;
}

/* The last sector may reach past the file's end: the disk has no more than that sector, and whoever
 * looks at the bytes from outside knows the length. */
static int disk_write_pages(struct vnode *vnode, off_t offset, const addr_t *frames, size_t count,
                            size_t *done)
{
    size_t bytes, pages = clip(vnode, offset, count, &bytes);
    *done = 0;
    int error =
        pages > 0 ? block_write(disk_of(vnode)->device, (uint64_t)offset, frames, pages) : VM_OK;
    if (error == VM_OK)
        *done = bytes;
    return error;
}

/* ---- to the disk -------------------------------------------------------------------------------- */

static int flush(struct disk_file *file)
{
    struct block_device *device = file->device;
    uint64_t writes = device != NULL ? __atomic_load_n(&device->writes, __ATOMIC_ACQUIRE) : 0;
    if (writes == __atomic_load_n(&file->flushed_writes, __ATOMIC_RELAXED))
        return 0;
    int error = block_flush(device);
    if (error == VM_OK)
        __atomic_store_n(&file->flushed_writes, writes, __ATOMIC_RELAXED);
    return errno_from_vm(error);
}

/* An error ends a sync: what lies behind it is tried piece by piece, so that one bad sector costs no more
 * than the pages around it. */
static void sync_rest(const struct vnode *vnode, off_t first, off_t last)
{
    off_t piece = BLOCK_PIECE * (off_t)VM_PAGE_SIZE;
    for (off_t at = first / piece * piece; at <= last && at < vnode->size; at += piece)
        (void)vm_cache_sync(vnode->kept, at, at + piece - 1);
}

static int disk_sync(struct vnode *vnode, off_t first, off_t last)
{
    int error = errno_from_vm(vm_cache_sync(vnode->kept, first, last));
    if (error != 0)
        sync_rest(vnode, first, last);
    int flushed = flush(disk_of(vnode));
    return error != 0 ? error : flushed;
}

static const struct vnode_data_ops disk_data_ops = {
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
    .sync = disk_sync,
    .read_pages = disk_read_pages,
    .write_pages = disk_write_pages,
};
static const struct vnode_ops disk_file_ops = {.open = regular_open, .data = &disk_data_ops};

int disk_files_sync(void)
{
    int result = 0;
    for (unsigned i = 0; i < file_count; i++)
        if (disk_sync(files[i].vnode, 0, INT64_MAX) != 0)
            result = -EIO;
    return result;
}

int disk_files_flush(void)
{
    int result = 0;
    for (unsigned i = 0; i < file_count; i++)
        if (flush(&files[i]) != 0)
            result = -EIO;
    return result;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

static int broken(const char *word, const char *problem)
{
    log_printf("disk=%s: %s\n", word, problem);
    return -EINVAL;
}

/* What is between `*word` and the next comma, behind which *word goes; false: there is none. */
static bool next_part(const char **word, const char **part, size_t *length)
{
    const char *comma = strchr(*word, ',');
    *part = *word;
    if (comma == NULL)
        return false;
    *length = (size_t)(comma - *word);
    *word = comma + 1;
    return true;
}

struct description {
    char disk[BLOCK_NAME_LENGTH + 1];
    uint64_t size;
    bool read_only;
    const char *path;
};

static int parse(const char *word, struct description *to)
{
    const char *rest = word, *part;
    size_t length;
    if (!next_part(&rest, &part, &length) || length > BLOCK_NAME_LENGTH)
        return broken(word, "no name of a disk before the first comma");
    memcpy(to->disk, part, length);
    to->disk[length] = '\0';
    if (!next_part(&rest, &part, &length) || !parse_number(part, part + length, &to->size) ||
        to->size > INT64_MAX - VM_PAGE_SIZE)
        return broken(word, "no length before the second comma");
    if (!next_part(&rest, &part, &length) || length != 2 ||
        (memcmp(part, "ro", 2) != 0 && memcmp(part, "rw", 2) != 0))
        return broken(word, "neither ro nor rw before the third comma");
    to->read_only = part[1] == 'o';
    to->path = rest;
    return *rest == '/' ? 0 : broken(word, "no absolute path behind the third comma");
}

/* The vnode, or NULL: no memory. */
static struct vnode *create(struct disk_file *file, const struct description *from)
{
    bool read_only = from->read_only || (file->device != NULL && file->device->read_only);
    struct vnode *vnode = vnode_create(&disk_file_ops, S_IFREG | (read_only ? 0444u : 0644u));
    if (vnode == NULL)
        return NULL;
    vnode->data = file;
    vnode->size = (off_t)from->size;
    vnode->read_only = read_only;
    if (vnode_keep_cache(vnode) == 0)
        return vnode;
    vnode_release(vnode);
    return NULL;
}

static int add(const char *word)
{
    struct description description;
    const char *problem = NULL;
    int error = parse(word, &description);
    if (error != 0)
        return error;
    if (file_count == BLOCK_MAX_DEVICES)
        return broken(word, "there are too many");
    struct disk_file *file = &files[file_count];
    *file = (struct disk_file){.path = description.path};
    file->device = description.size > 0 ? block_find(description.disk) : NULL;
    if (description.size > 0 && file->device == NULL)
        return broken(word, "the machine has no disk of this name");
    if (description.size > 0 && (description.size - 1) / BLOCK_SECTOR >= file->device->sectors)
        return broken(word, "the disk is shorter than that");
    file->vnode = create(file, &description);
    if (file->vnode == NULL)
        return -ENOMEM;
    file_count++;
    error = fs_place(description.path, file->vnode, &problem);
    return error == -EINVAL ? broken(word, problem) : error;
}

int disk_files_start(void)
{
    const char *word;
    int error = 0;
    for (unsigned i = 0; error == 0 && (word = command_line_option("disk", i)) != NULL; i++)
        error = add(word);
    return error;
}

int disk_files_end(void)
{
    int result = 0;
    while (file_count > 0) {
        struct disk_file *file = &files[--file_count];
        if (disk_sync(file->vnode, 0, INT64_MAX) != 0) {
            log_printf("%s: what was written to it could not be brought to its disk\n", file->path);
            result = -EIO;
        }
        vnode_release(file->vnode);
    }
    return result;
}
