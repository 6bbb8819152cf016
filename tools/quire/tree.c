/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "path.h"

static int add_path(struct archive *archive, const char *host, const char *guest);

/* Directories to be read: a list, so that depth costs no stack. */
struct pending {
    struct pending *next;
    char *host, *guest;
};

static int push_pending(struct pending **list, const char *host, const char *guest)
{
    struct pending *entry = malloc(sizeof(*entry));
    if (entry == NULL)
        return fail_no_memory();
    *entry = (struct pending){*list, strdup(host), strdup(guest)};
    *list = entry;
    return entry->host != NULL && entry->guest != NULL ? 0 : fail_no_memory();
}

static void pop_pending(struct pending **list)
{
    struct pending *entry = *list;
    *list = entry->next;
    free(entry->host);
    free(entry->guest);
    free(entry);
}

static int add_link(struct archive *archive, const char *host, const char *guest)
{
    char target[PATH_MAX];
    ssize_t length = readlink(host, target, sizeof(target) - 1);
    if (length < 0)
        return fail(STATUS_ERROR, "%s: can't read it: %s", host, strerror(errno));
    target[length] = '\0';
    return archive_add_symlink(archive, guest, target);
}

/* One entry of a directory: links stay links, directories wait in the list, what is neither a file,
 * a directory nor a link is left out. */
static int add_child(struct archive *archive, struct pending **list, const char *host,
                     const char *guest)
{
    struct stat status;
    if (lstat(host, &status) != 0)
        return fail(STATUS_ERROR, "%s: %s", host, strerror(errno));
    if (S_ISLNK(status.st_mode))
        return add_link(archive, host, guest);
    if (S_ISDIR(status.st_mode))
        return push_pending(list, host, guest);
    return S_ISREG(status.st_mode) ? add_path(archive, host, guest) : 0;
}

static int add_children(struct archive *archive, struct pending **list, const char *host,
                        const char *guest)
{
    struct dirent **entries;
    int count = scandir(host, &entries, NULL, alphasort);
    if (count < 0)
        return fail(STATUS_ERROR, "%s: can't read it: %s", host, strerror(errno));
    int status = archive_add_directory(archive, guest);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *child_host = NULL, *child_guest = NULL;
        if (status == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            if (asprintf(&child_host, "%s/%s", host, name) < 0 ||
                asprintf(&child_guest, "%s/%s", strcmp(guest, "/") == 0 ? "" : guest, name) < 0)
                status = fail_no_memory();
            else
                status = add_child(archive, list, child_host, child_guest);
        }
        free(child_host);
        free(child_guest);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static int add_directory(struct archive *archive, const char *host, const char *guest)
{
    struct pending *list = NULL;
    int status = push_pending(&list, host, guest);
    while (list != NULL) {
        struct pending *entry = list;
        list = entry->next;
        struct pending *done = entry;
        done->next = NULL;
        if (status == 0)
            status = add_children(archive, &list, entry->host, entry->guest);
        pop_pending(&done);
    }
    return status;
}

static int add_path(struct archive *archive, const char *host, const char *guest)
{
    /* Non-blocking, so that a pipe of that name can't hold us. */
    int file = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail(STATUS_ERROR, "%s: can't read it: %s", host, strerror(errno));
    struct stat status;
    int result;
    if (fstat(file, &status) != 0)
        result = fail(STATUS_ERROR, "%s: %s", host, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        result = add_directory(archive, host, guest);
    else if (S_ISREG(status.st_mode))
        result = archive_add_file(archive, guest, file, &status);
    else
        result = fail(STATUS_ERROR, "%s is neither a file nor a directory", host);
    close(file);
    return result;
}

static int add_file_option(struct archive *archive, const char *text)
{
    char *host = NULL, *guest = NULL;
    int status = path_split("--file", text, &host, &guest);
    if (status == 0 && guest == NULL && (guest = path_clean(host)) == NULL)
        status = fail_no_memory();
    if (status == 0)
        status = add_path(archive, host, guest);
    free(host);
    free(guest);
    return status;
}

/* What `busybox --list-full` says, a name on each line; NULL: it failed. The child is closed by
 * the caller. */
static FILE *list_applets(const char *program, pid_t *child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    *child = fork();
    if (*child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(program, "busybox", "--list-full", (char *)NULL);
        _exit(STATUS_NOT_EXECUTABLE);
    }
    close(ends[1]);
    FILE *list = *child > 0 ? fdopen(ends[0], "r") : NULL;
    if (list == NULL)
        close(ends[0]);
    return list;
}

/* A symbolic link to busybox for each of its names, as its own --install makes them; files that the
 * user put there win. */
static int add_applets(struct archive *archive, const char *program)
{
    pid_t child = -1;
    FILE *list = list_applets(program, &child);
    if (list == NULL)
        return fail(STATUS_ERROR, "%s: can't ask it for its applets", program);
    char line[256];
    int status = 0;
    while (status == 0 && fgets(line + 1, sizeof(line) - 1, list) != NULL) {
        line[0] = '/';
        line[strcspn(line, "\n")] = '\0';
        if (line[1] != '\0' && strstr(line, "..") == NULL && !archive_has(archive, line))
            status = archive_add_symlink(archive, line, "/bin/busybox");
    }
    fclose(list);
    int result;
    if (waitpid(child, &result, 0) == child && result != 0 && status == 0)
        status = fail(STATUS_ERROR, "%s --list-full failed", program);
    return status;
}

static int add_program(struct archive *archive, const char *program, char **guest)
{
    bool busybox = strcmp(path_base_name(program), "busybox") == 0;
    *guest = busybox ? strdup("/bin/busybox") : path_clean(program);
    if (*guest == NULL)
        return fail_no_memory();
    int status = 0;
    if (!archive_has(archive, *guest))
        status = add_path(archive, program, *guest);
    if (status == 0 && busybox)
        status = add_applets(archive, program);
    return status;
}

/* Whether `path` lies somewhere in `directory`. */
static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* What can't be a file, because something else is there. */
static int check_place(const struct archive *archive, const struct disk *disk, const char *program)
{
    static const char *const directories[] = {"/tmp", "/dev"};
    const char *guest = disk->guest;
    bool taken = false;
    for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++)
        taken |= strcmp(guest, directories[i]) == 0;
    for (size_t i = 0; i < archive->count && !taken; i++)
        taken = is_below(archive->names[i], guest);
    if (taken)
        return fail(STATUS_ERROR, "--disk %s: %s is a folder in there; write %s:%s/NAME",
                    disk->host, guest, disk->host, guest);
    if (strcmp(guest, program) == 0 || is_below(guest, program))
        return fail(STATUS_ERROR, "--disk %s: %s is where the program is; choose another place",
                    disk->host, program);
    return 0;
}

int tree_build(struct archive *archive, const struct boot_options *options,
               const struct disks *disks, const char *program, char **guest)
{
    static const char *const directories[] = {"/tmp", "/dev", "/proc"};
    int status = 0;
    *guest = NULL;
    for (size_t i = 0; i < disks->count && status == 0; i++)
        if (disks->items[i].guest != NULL)
            status = archive_reserve(archive, disks->items[i].guest);
    for (size_t i = 0; i < options->files.count && status == 0; i++)
        status = add_file_option(archive, options->files.items[i]);
    if (status == 0)
        status = add_program(archive, program, guest);
    for (size_t i = 0; i < sizeof(directories) / sizeof(*directories) && status == 0; i++)
        status = archive_add_directory(archive, directories[i]);
    for (size_t i = 0; i < disks->count && status == 0; i++)
        if (disks->items[i].guest != NULL)
            status = check_place(archive, &disks->items[i], *guest);
    return status != 0 ? status : archive_finish(archive);
}
