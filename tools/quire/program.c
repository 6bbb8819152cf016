/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define HINT_STATIC                                                                                \
    "build it with -static (cc -static x.c, musl-gcc -static x.c), or take a static package such " \
    "as busybox-static"

static int check_executable(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return fail(errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE,
                    "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return fail(STATUS_NOT_EXECUTABLE, "%s is a directory, not a program", path);
    if (!S_ISREG(status.st_mode))
        return fail(STATUS_NOT_EXECUTABLE, "%s is no regular file", path);
    if (access(path, X_OK) != 0)
        return fail(STATUS_NOT_EXECUTABLE, "%s is not executable (chmod +x?)", path);
    return 0;
}

static bool is_executable_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The first executable `name` along PATH, or NULL. */
static char *search_path(const char *name)
{
    const char *directories = getenv("PATH");
    if (directories == NULL)
        directories = "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t length = strcspn(directories, ":");
        char *path = NULL;
        if (asprintf(&path, "%.*s/%s", length != 0 ? (int)length : 1,
                     length != 0 ? directories : ".", name) < 0)
            return NULL;
        if (is_executable_file(path))
            return path;
        free(path);
        if (directories[length] == '\0')
            return NULL;
        directories += length + 1;
    }
}

static char *make_absolute(const char *path)
{
    char *directory = getcwd(NULL, 0);
    if (directory == NULL)
        return NULL;
    char *absolute = NULL;
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    if (asprintf(&absolute, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, path) < 0)
        absolute = NULL;
    free(directory);
    return absolute;
}

int program_find(const char *name, char **path)
{
    char *found;
    if (strchr(name, '/') != NULL) {
        int status = check_executable(name);
        if (status != 0)
            return status;
        found = strdup(name);
    } else {
        found = search_path(name);
        if (found == NULL && strcmp(name, "busybox") == 0)
            return fail(STATUS_NOT_FOUND, "busybox: not found on this host; install the Debian "
                                          "package busybox-static");
        if (found == NULL)
            return fail(STATUS_NOT_FOUND, "%s: not found along PATH; give its path (./%s?)", name,
                        name);
    }
    *path = found;
    if (found != NULL && found[0] != '/') {
        *path = make_absolute(found);
        free(found);
    }
    return *path != NULL ? 0 : fail_no_memory();
}

static int check_header(const char *path, const Elf64_Ehdr *header, size_t length)
{
    if (length == 0)
        return fail(STATUS_NOT_EXECUTABLE, "%s is empty", path);
    if (length >= 2 && memcmp(header, "#!", 2) == 0)
        return fail(STATUS_NOT_EXECUTABLE,
                    "%s is a script; run it by its interpreter: quire boot --file %s -- busybox sh "
                    "%s",
                    path, path, path);
    if (length < SELFMAG || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return fail(STATUS_NOT_EXECUTABLE, "%s is not an ELF program", path);
    if (length < sizeof(*header))
        return fail(STATUS_NOT_EXECUTABLE, "%s is a truncated ELF file", path);
    if (header->e_ident[EI_CLASS] != ELFCLASS64)
        return fail(STATUS_NOT_EXECUTABLE, "%s is a 32-bit program; only x86-64 runs here", path);
    if (header->e_machine != EM_X86_64)
        return fail(STATUS_NOT_EXECUTABLE,
                    "%s is for another machine (ELF machine %u); only x86-64 runs here", path,
                    header->e_machine);
    if ((header->e_type != ET_EXEC && header->e_type != ET_DYN) || header->e_entry == 0)
        return fail(STATUS_NOT_EXECUTABLE,
                    "%s is ELF, but no program (an object file or a library?)", path);
    if (header->e_phnum == 0 || header->e_phentsize != sizeof(Elf64_Phdr))
        return fail(STATUS_NOT_EXECUTABLE, "%s is a damaged ELF file: no program headers", path);
    return 0;
}

/* No segment may ask for a dynamic loader, and all of them must lie in the file. */
static int check_segments(const char *path, int file, const Elf64_Ehdr *header)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return fail(STATUS_NOT_EXECUTABLE, "%s: %s", path, strerror(errno));
    uint64_t size = (uint64_t)status.st_size;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t offset = (off_t)(header->e_phoff + i * sizeof(segment));
        if (offset < 0 || pread(file, &segment, sizeof(segment), offset) != sizeof(segment))
            return fail(STATUS_NOT_EXECUTABLE, "%s is a truncated ELF file", path);
        if (segment.p_type == PT_INTERP)
            return fail(STATUS_NOT_EXECUTABLE, "%s is not static: it needs a dynamic loader; %s",
                        path, HINT_STATIC);
        if (segment.p_type == PT_LOAD &&
            (segment.p_offset > size || segment.p_filesz > size - segment.p_offset))
            return fail(STATUS_NOT_EXECUTABLE, "%s is a truncated ELF file", path);
    }
    return 0;
}

int program_check(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail(STATUS_NOT_EXECUTABLE, "%s: can't read it: %s", path, strerror(errno));
    Elf64_Ehdr header = {0};
    ssize_t length = pread(file, &header, sizeof(header), 0);
    int status;
    if (length < 0)
        status = fail(STATUS_NOT_EXECUTABLE, "%s: can't read it: %s", path, strerror(errno));
    else
        status = check_header(path, &header, (size_t)length);
    if (status == 0)
        status = check_segments(path, file, &header);
    close(file);
    return status;
}

int program_size(const char *path, uint64_t *size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail(STATUS_ERROR, "%s: can't read the kernel: %s; build it with ./dev build", path,
                    strerror(errno));
    Elf64_Ehdr header;
    bool valid = pread(file, &header, sizeof(header), 0) == sizeof(header) &&
                 memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
    *size = 0;
    for (unsigned i = 0; valid && i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        off_t offset = (off_t)(header.e_phoff + i * sizeof(segment));
        valid = pread(file, &segment, sizeof(segment), offset) == sizeof(segment);
        if (valid && segment.p_type == PT_LOAD)
            *size += segment.p_memsz;
    }
    close(file);
    return valid ? 0 : fail(STATUS_ERROR, "%s is no kernel of Quire's", path);
}
