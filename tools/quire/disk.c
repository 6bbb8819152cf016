/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "path.h"

#define SECTOR 512
#define READ_ONLY_SUFFIX ":ro"

/* The bytes of an image that QEMU locks. */
#define QEMU_WRITES 101
#define QEMU_WANTS_NO_WRITER 201

/* ---- --disk FILE[:GUEST][:ro] ---- */

/* A file whose whole name is the text is meant, whatever that ends with. */
static bool take_suffix(char *text)
{
    size_t length = strlen(text), suffix = strlen(READ_ONLY_SUFFIX);
    if (length <= suffix || strcmp(text + length - suffix, READ_ONLY_SUFFIX) != 0 ||
        access(text, F_OK) == 0)
        return false;
    text[length - suffix] = '\0';
    return true;
}

static int parse(struct disk *disk, const char *option)
{
    char *text = strdup(option);
    if (text == NULL)
        return fail_no_memory();
    disk->read_only = take_suffix(text);
    int status = path_split("--disk", text, &disk->host, &disk->guest);
    free(text);
    if (status == 0 && disk->guest == NULL &&
        asprintf(&disk->guest, "/%s", path_base_name(disk->host)) < 0) {
        disk->guest = NULL;
        status = fail_no_memory();
    }
    if (status == 0 && strcmp(disk->guest, "/") == 0)
        return fail(STATUS_ERROR, "--disk %s: / can't be a file; write %s:/NAME", option,
                    disk->host);
    if (status == 0 &&
        (strncmp(disk->guest, "/proc/", 6) == 0 || strcmp(disk->guest, "/proc") == 0))
        return fail(STATUS_ERROR, "--disk %s: /proc is the kernel's own; choose another place",
                    option);
    return status;
}

static int refuse_open(const struct disk *disk, int reason)
{
    if (!disk->read_only &&
        (reason == EACCES || reason == EROFS || reason == EPERM || reason == ETXTBSY) &&
        access(disk->host, R_OK) == 0)
        return fail(STATUS_ERROR, "--disk %s: can't write to it: %s; to read only: %s:%s:ro",
                    disk->host, strerror(reason), disk->host, disk->guest);
    return fail(STATUS_ERROR, "--disk %s: can't %s it: %s", disk->host,
                disk->read_only ? "read" : "read and write", strerror(reason));
}

static bool is_locked(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* QEMU would refuse it, and name a descriptor. */
static int check_free(const struct disk *disk)
{
    bool written = is_locked(disk->fd, QEMU_WRITES);
    if (!written && (disk->read_only || !is_locked(disk->fd, QEMU_WANTS_NO_WRITER)))
        return 0;
    return fail(STATUS_ERROR, "--disk %s: another machine %s it; try again when that has ended",
                disk->host, written ? "writes to" : "reads");
}

/* Non-blocking, so that a pipe of that name can't hold us. */
static int open_file(struct disk *disk)
{
    struct stat status;
    disk->fd = open(disk->host, (disk->read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK);
    int reason = disk->fd < 0 ? errno : 0;
    if (reason == EISDIR ||
        (reason == 0 && fstat(disk->fd, &status) == 0 && S_ISDIR(status.st_mode)))
        return fail(STATUS_ERROR, "--disk %s: it is a directory; --file takes them", disk->host);
    if (reason != 0)
        return refuse_open(disk, reason);
    if (fstat(disk->fd, &status) != 0)
        return fail(STATUS_ERROR, "--disk %s: %s", disk->host, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail(STATUS_ERROR, "--disk %s: it is no regular file", disk->host);
    disk->size = (uint64_t)status.st_size;
    disk->device = status.st_dev;
    disk->inode = status.st_ino;
    return check_free(disk);
}

/* Two disks have two caches: one would not see what is written to the other. */
static int check_against(const struct disk *disk, const struct disk *other)
{
    if (strcmp(disk->guest, other->guest) == 0)
        return fail(STATUS_ERROR,
                    "--disk: both %s and %s are to be %s; name another place: %s:/GUEST",
                    other->host, disk->host, disk->guest, disk->host);
    if (disk->device == other->device && disk->inode == other->inode &&
        !(disk->read_only && other->read_only))
        return fail(STATUS_ERROR,
                    "--disk %s: it is the same file as %s; twice is possible with :ro for both",
                    disk->host, other->host);
    return 0;
}

static int add_file(struct disks *disks, const char *option)
{
    struct disk *disk = &disks->items[disks->count];
    *disk = (struct disk){.fd = -1};
    snprintf(disk->name, sizeof(disk->name), "disk%zu", disks->count);
    disks->count++;
    int status = parse(disk, option);
    if (status == 0)
        status = open_file(disk);
    for (size_t i = 0; i + 1 < disks->count && status == 0; i++)
        status = check_against(disk, &disks->items[i]);
    return status;
}

/* ---- --swap SIZE ---- */

static const char *temporary_directory(void)
{
    const char *directory = getenv("TMPDIR");
    return directory != NULL && directory[0] != '\0' ? directory : "/var/tmp";
}

/* Open, without a name, and empty; or -1. */
static int make_unnamed(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    char *path = NULL;
    if (asprintf(&path, "%s/quire-swap-XXXXXX", directory) < 0)
        return -1;
    fd = mkstemp(path);
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

static int add_swap(struct disks *disks, uint64_t size, size_t number)
{
    struct disk *disk = &disks->items[disks->count];
    *disk = (struct disk){.size = size};
    snprintf(disk->name, sizeof(disk->name), "swap%zu", number);
    disk->fd = make_unnamed(temporary_directory());
    if (disk->fd < 0)
        return fail(STATUS_ERROR,
                    "--swap: can't make a file in %s: %s; TMPDIR can name another folder",
                    temporary_directory(), strerror(errno));
    disks->count++;
    if (ftruncate(disk->fd, (off_t)size) != 0)
        return fail(STATUS_ERROR, "--swap: can't make a file of %llu bytes in %s: %s",
                    (unsigned long long)size, temporary_directory(), strerror(errno));
    return 0;
}

/* ---- all of them ---- */

int disks_open(struct disks *disks, const struct boot_options *options)
{
    int status = 0;
    disks->count = 0;
    if (options->disks.count > MAX_DISK_FILES)
        return fail(STATUS_ERROR, "--disk: %zu files are too many; %d at most, or --file",
                    options->disks.count, MAX_DISK_FILES);
    for (size_t i = 0; i < options->disks.count && status == 0; i++)
        status = add_file(disks, options->disks.items[i]);
    for (size_t i = 0; i < options->swap_count && status == 0; i++)
        status = add_swap(disks, options->swaps[i], i);
    return status;
}

static int trim(const struct disk *disk)
{
    struct stat status;
    uint64_t rounded = (disk->size + SECTOR - 1) / SECTOR * SECTOR;
    if (disk->read_only || disk->guest == NULL || fstat(disk->fd, &status) != 0 ||
        disk->size == rounded || (uint64_t)status.st_size != rounded)
        return 0;
    if (ftruncate(disk->fd, (off_t)disk->size) != 0)
        return fail(STATUS_ERROR, "--disk %s: it is %u bytes too long now, and can't be cut: %s",
                    disk->host, (unsigned)(rounded - disk->size), strerror(errno));
    return 0;
}

int disks_close(struct disks *disks)
{
    int result = 0;
    for (size_t i = 0; i < disks->count; i++) {
        struct disk *disk = &disks->items[i];
        int status = disk->fd >= 0 ? trim(disk) : 0;
        result = status != 0 ? status : result;
        if (disk->fd >= 0)
            close(disk->fd);
        free(disk->host);
        free(disk->guest);
    }
    disks->count = 0;
    return result;
}
