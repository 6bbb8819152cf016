/* SPDX-License-Identifier: MIT */
#include "memory_limit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 1024 /* of a line, and of a path; what is longer isn't understood */

/* ---- files, line by line ------------------------------------------------------------------------ */

struct lines {
    int fd;
    size_t at, end;
    char buffer[MOST];
};

static bool refill(struct lines *lines)
{
    ssize_t got = read(lines->fd, lines->buffer, sizeof lines->buffer);
    lines->at = 0;
    lines->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The next line, without its end; what doesn't fit is lost. False: there is none. */
static bool next_line(struct lines *lines, char line[MOST])
{
    size_t length = 0;
    while (lines->at < lines->end || refill(lines)) {
        char c = lines->buffer[lines->at++];
        if (c == '\n') {
            line[length] = 0;
            return true;
        }
        if (length < MOST - 1)
            line[length++] = c;
    }
    line[length] = 0;
    return length > 0;
}

static bool open_lines(struct lines *lines, const char *path)
{
    *lines = (struct lines){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    return lines->fd >= 0;
}

/* ---- one group ---------------------------------------------------------------------------------- */

/* Version 1 says a number close to 2^63 for none. */
static void take_number(const char *directory, const char *name, uint64_t *smallest)
{
    char path[MOST], text[32] = "";
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0 || text[0] < '0' || text[0] > '9')
        return;
    uint64_t value = strtoull(text, NULL, 10);
    if (value < (uint64_t)INT64_MAX / 2 && value < *smallest)
        *smallest = value;
}

static void take_group(const char *directory, struct memory_limit *limit)
{
    take_number(directory, "memory.max", &limit->max);
    take_number(directory, "memory.high", &limit->high);
    take_number(directory, "memory.limit_in_bytes", &limit->max);
}

/* The group of `path` and those above it, up to the mount. */
static void take_groups(const char *mount, const char *path, struct memory_limit *limit)
{
    char directory[MOST];
    size_t root = strlen(mount);
    int length = snprintf(directory, sizeof directory, "%s%s", mount, path);
    if (length < 0 || (size_t)length >= sizeof directory)
        return;
    for (size_t end = (size_t)length; end > root; end--)
        if (directory[end] == '/' || end == (size_t)length) {
            directory[end] = 0;
            take_group(directory, limit);
        }
    directory[root] = 0;
    take_group(directory, limit);
}

/* ---- which groups they are ---------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at++)
        if ((at == list || at[-1] == ',') && (at[length] == 0 || at[length] == ','))
            return true;
    return false;
}

/* This process's group below the root of a hierarchy: version 1's with that controller, or (NULL) version 2's. Lines are
 * "number:controllers:path". */
static bool find_path(const char *groups, const char *controller, char path[MOST])
{
    struct lines lines;
    char line[MOST];
    bool found = false;
    if (!open_lines(&lines, groups))
        return false;
    while (!found && next_line(&lines, line)) {
        char *controllers = strchr(line, ':'),
             *at = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!at)
            continue;
        *at++ = 0;
        controllers++;
        found = controller ? has_word(controllers, controller) : controllers[0] == 0;
        if (found)
            memmove(path, at, strlen(at) + 1);
    }
    close(lines.fd);
    return found;
}

struct mount {
    const char *root, *point, *type, *options;
};

/* Of "id parent device root point options [more...] - type source options". */
static bool parse_mount(char *line, struct mount *mount)
{
    char *separator = strstr(line, " - "), *rest = NULL;
    if (!separator)
        return false;
    *separator = 0;
    for (int i = 0; i < 3; i++)
        (void)strtok_r(i == 0 ? line : NULL, " ", &rest);
    mount->root = strtok_r(NULL, " ", &rest);
    mount->point = strtok_r(NULL, " ", &rest);
    mount->type = strtok_r(separator + 3, " ", &rest);
    (void)strtok_r(NULL, " ", &rest);
    mount->options = strtok_r(NULL, " ", &rest);
    return mount->root && mount->point && mount->type && mount->options;
}

/* A container may see a part of the hierarchy: what lies below its root; else the mount is all that is known. */
static const char *below(const char *root, const char *path)
{
    size_t length = strlen(root);
    if (strcmp(root, "/") == 0)
        return strcmp(path, "/") == 0 || strstr(path, "/..") ? "" : path;
    return strncmp(path, root, length) == 0 && path[length] == '/' ? path + length : "";
}

void memory_limit_read(const char *groups, const char *mounts, struct memory_limit *limit)
{
    struct lines lines;
    struct mount mount;
    char line[MOST], path[MOST];
    *limit = (struct memory_limit){MEMORY_UNLIMITED, MEMORY_UNLIMITED};
    if (!open_lines(&lines, mounts))
        return;
    while (next_line(&lines, line)) {
        if (!parse_mount(line, &mount))
            continue;
        bool first = strcmp(mount.type, "cgroup") == 0 && has_word(mount.options, "memory");
        if ((first || strcmp(mount.type, "cgroup2") == 0) &&
            find_path(groups, first ? "memory" : NULL, path))
            take_groups(mount.point, below(mount.root, path), limit);
    }
    close(lines.fd);
}
