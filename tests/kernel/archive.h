/* SPDX-License-Identifier: MIT */
/* Makes archives, good and bad. */
#ifndef TESTS_KERNEL_ARCHIVE_H
#define TESTS_KERNEL_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 110, ARCHIVE_MAX = 1 << 16, NAME_SIZE_AT = 6 + 11 * 8, FILE_SIZE_AT = 6 + 6 * 8 };

static uint8_t archive[ARCHIVE_MAX];
static size_t used;

static inline void archive_clear(void)
{
    memset(archive, 0, sizeof(archive));
    used = 0;
}

static inline void archive_put(const void *bytes, size_t size)
{
    memcpy(archive + used, bytes, size);
    used += size;
    while (used % 4 != 0)
        archive[used++] = 0;
}

static inline void archive_add_named(const char *name, unsigned mode, const void *data, size_t size,
                                     unsigned inode, unsigned links)
{
    char text[HEADER + 6000];
    snprintf(text, sizeof(text), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             inode, mode, 1u, 2u, links, 1000u, (unsigned)size, 0u, 8u, 1u, 3u,
             (unsigned)strlen(name) + 1, 0u);
    memcpy(text + HEADER, name, strlen(name) + 1);
    archive_put(text, HEADER + strlen(name) + 1);
    archive_put(data, size);
}

static inline void archive_add(const char *name, unsigned mode, const void *data, size_t size)
{
    archive_add_named(name, mode, data, size, 7, 1);
}

static inline void archive_end(void)
{
    archive_add("TRAILER!!!", 0, "", 0);
}

#endif
