/* SPDX-License-Identifier: MIT */
#include "path.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

/* What the kernel has room for, as Linux has. */
#define MAX_NAME 255
#define MAX_PATH 4095

const char *path_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

char *path_clean(const char *path)
{
    char *directory = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
    char *joined = NULL;
    if (directory == NULL || asprintf(&joined, "%s/%s", directory, path) < 0)
        joined = NULL;
    free(directory);
    char *clean = joined != NULL ? malloc(strlen(joined) + 2) : NULL;
    size_t length = 0;
    for (const char *part = joined; clean != NULL && *part != '\0';) {
        size_t size = strcspn(part, "/");
        if (size == 2 && memcmp(part, "..", 2) == 0) {
            while (length != 0 && clean[--length] != '/')
                ;
        } else if (size != 0 && !(size == 1 && part[0] == '.')) {
            clean[length++] = '/';
            memcpy(clean + length, part, size);
            length += size;
        }
        part += size + (part[size] == '/');
    }
    if (clean != NULL)
        strcpy(clean + length, length == 0 ? "/" : "");
    free(joined);
    return clean;
}

/* What is behind the colon, with the file's name if it is a folder. */
static char *complete_guest(const char *guest, const char *host)
{
    char *joined = NULL;
    const char *name = guest[strlen(guest) - 1] == '/' ? path_base_name(host) : "";
    if (asprintf(&joined, "%s%s", guest, name) < 0)
        return NULL;
    char *clean = path_clean(joined);
    free(joined);
    return clean;
}

static int check_lengths(const char *option, const char *host, const char *guest)
{
    size_t length = strlen(guest), longest = 0;
    for (const char *name = guest; *name != '\0'; name += *name == '/') {
        size_t size = strcspn(name, "/");
        longest = size > longest ? size : longest;
        name += size;
    }
    if (longest > MAX_NAME)
        return fail(STATUS_ERROR, "%s %s: a name of %zu bytes in %.60s...; %d are possible", option,
                    host, longest, guest, MAX_NAME);
    if (length > MAX_PATH)
        return fail(STATUS_ERROR, "%s %s: %.60s... has %zu bytes; %d are possible", option, host,
                    guest, length, MAX_PATH);
    return 0;
}

int path_split(const char *option, const char *text, char **host, char **guest)
{
    const char *colon = NULL;
    bool exists = access(text, F_OK) == 0;
    for (const char *next = text; !exists && (next = strchr(next, ':')) != NULL; next++)
        if (next[1] == '/')
            colon = next;
    if (colon == text)
        return fail(STATUS_ERROR, "%s %s: no file before the colon", option, text);
    if (!exists && colon == NULL && strchr(text, ':') != NULL)
        return fail(STATUS_ERROR,
                    "%s %s: no such file; behind a colon goes an absolute path: HOST:/GUEST",
                    option, text);
    *host = colon != NULL ? strndup(text, (size_t)(colon - text)) : strdup(text);
    if (*host == NULL)
        return fail_no_memory();
    *guest = colon != NULL ? complete_guest(colon + 1, *host) : NULL;
    if (colon == NULL)
        return 0;
    return *guest != NULL ? check_lengths(option, *host, *guest) : fail_no_memory();
}
