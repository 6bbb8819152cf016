/* SPDX-License-Identifier: MIT */
/* A cpio archive ("newc"), written to memory: the initial file system. */
#ifndef QUIRE_TOOL_ARCHIVE_H
#define QUIRE_TOOL_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct archive {
    int fd; /* of a file without a name */
    uint64_t size;
    unsigned next_inode;
    char **names; /* all that is in it: absolute paths */
    size_t count, capacity;
};

/* All of these give 0, or a status after a message. Paths are absolute, without "." and "..";
 * directories above them are added as needed. A path can be added only once, but a directory may
 * be again. */
int archive_open(struct archive *archive);
int archive_add_directory(struct archive *archive, const char *path);
int archive_add_symlink(struct archive *archive, const char *path, const char *target);
int archive_add_file(struct archive *archive, const char *path, int file,
                     const struct stat *status);
/* Keeps a path for what isn't in the archive. */
int archive_reserve(struct archive *archive, const char *path);
bool archive_has(const struct archive *archive, const char *path);
/* Nothing can be added afterwards. */
int archive_finish(struct archive *archive);
void archive_close(struct archive *archive);

#endif
