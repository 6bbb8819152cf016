/* SPDX-License-Identifier: MIT */
/* The initial file system. The first two bytes, less one, say how many allocations succeed; the rest is
 * an archive as it is, or, after a byte that no archive begins with, a list of entries to make one of. */
#include <stdlib.h>
#include <string.h>

#include "../kernel/archive.h"
#include "../kernel/stubs.h"
#include "fs/cpio.h"
#include "fs/fs.h"
#include "fs/ramfs.h"
#include "fuzz.h"

enum { FIELD_SIZE = 8, FIELDS = 13, MAGIC_SIZE = 6, LIST = 0xff, LARGEST_ENTRY = 512 };

/* ---- a list of entries -------------------------------------------------------------------------- */

static const char *const parts[] = {
    "a",   "b",   "dev",   ".",    "",    "..",    "proc", "tmp",
    "bin", "etc", "stdin", "null", "...", "a/b/c", "é",    "self",
};
static const unsigned types[] = {
    S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFIFO, S_IFREG, S_IFDIR, 0060000, 0140000, 0,
};
static const char *const texts[] = {
    "", "a", "/a/b", "..", "../a", "/", "b/../a", "hello", "./././b", "/dev/null", "a\0b",
};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void add_listed(struct input *input)
{
    char name[200] = "";
    unsigned depth = input_choose(input, 5);
    for (unsigned i = 0; i <= depth; i++) {
        strcat(name, i > 0 ? "/" : "");
        strcat(name, parts[input_choose(input, COUNT_OF(parts))]);
    }
    unsigned mode = types[input_choose(input, COUNT_OF(types))] | 0755;
    unsigned links = input_choose(input, 4), inode = input_choose(input, 4);
    unsigned text = input_choose(input, COUNT_OF(texts));
    archive_add_named(name, mode, texts[text], strlen(texts[text]) + (text == COUNT_OF(texts) - 1),
                      inode, links);
}

static void make_archive(struct input *input)
{
    archive_clear();
    while (input->left > 0 && used < ARCHIVE_MAX - 2 * LARGEST_ENTRY)
        add_listed(input);
    archive_end();
}

/* ---- what must hold ----------------------------------------------------------------------------- */

/* Whether the whole archive can be read; every entry lies in it. */
static bool read_all(const uint8_t *bytes, size_t size)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    int result;
    cpio_open(&reader, bytes, size);
    while ((result = cpio_next(&reader, &entry)) > 0) {
        EXPECT(entry.data >= bytes && entry.size <= size);
        EXPECT((size_t)(entry.data - bytes) <= size - entry.size);
        EXPECT(strlen(entry.name) == entry.name_length);
    }
    EXPECT((result < 0) == (reader.problem != NULL));
    return result == 0;
}

static void check_file(const struct vnode *vnode, const uint8_t *bytes, size_t size)
{
    EXPECT(vnode->size >= 0 && vnode->archive_size <= vnode->size);
    if (vnode->archive == NULL)
        return;
    EXPECT(vnode->archive >= bytes && (size_t)vnode->archive_size <= size);
    EXPECT((size_t)(vnode->archive - bytes) <= size - (size_t)vnode->archive_size);
}

/* Whatever the tree is like, a walk ends and says nothing but this. */
static bool is_walk_error(int error)
{
    return error == 0 || error == -ENOENT || error == -ENOTDIR || error == -ELOOP ||
           error == -ENAMETOOLONG || error == -ENOMEM;
}

static bool has_vnode(const struct cpio_entry *entry)
{
    unsigned type = entry->mode & S_IFMT;
    return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFIFO;
}

/* Only an entry of /proc may have gone; a slash behind the name asks for a directory. */
static bool may_be_missing(const struct cpio_entry *entry, int error)
{
    bool slash = entry->name_length > 0 && entry->name[entry->name_length - 1] == '/';
    return error == -ENAMETOOLONG || strstr(entry->name, "proc") != NULL ||
           entry->name_length == 0 || slash;
}

static void look_up_all(const uint8_t *bytes, size_t size)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    cpio_open(&reader, bytes, size);
    while (cpio_next(&reader, &entry) > 0) {
        for (int follow = 0; follow < 2; follow++) {
            struct vnode *vnode;
            int error = path_lookup(fs_root, entry.name, follow != 0, &vnode);
            EXPECT(is_walk_error(error));
            if (error == 0)
                check_file(vnode, bytes, size);
            if (error == 0)
                vnode_release(vnode);
            else if (follow == 0 && has_vnode(&entry))
                EXPECT(may_be_missing(&entry, error));
        }
    }
}

static void mount(const uint8_t *bytes, size_t size, long allocations)
{
    const char *problem = NULL;
    bool readable = read_all(bytes, size);
    allocations_left = allocations;
    int error = fs_mount(bytes, size, &problem);
    allocations_left = -1;
    EXPECT(error == 0 || error == -EINVAL || (error == -ENOMEM && allocations >= 0));
    EXPECT((error == 0) == (problem == NULL) && (error != 0 || readable));
    if (error == 0)
        look_up_all(bytes, size);
    fs_unmount();
    EXPECT(vnode_count() == 0 && bytes_in_use == 0 && log_lines == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    long allocations = (long)input_number(&input, 2);
    if (input.left > 0 && *input.next == LIST) {
        input_byte(&input);
        make_archive(&input);
        input = (struct input){archive, used};
    }
    /* A copy of exactly its size, so that a byte read behind it is noticed. */
    uint8_t *bytes = malloc(input.left > 0 ? input.left : 1);
    EXPECT(bytes != NULL);
    memcpy(bytes, input.next, input.left);
    mount(bytes, input.left, allocations - 1);
    free(bytes);
    return 0;
}

/* ---- changes that keep an archive one ----------------------------------------------------------- */

/* Where the n-th header from the front is, counting around; `size` where there is none. */
static size_t find_header(const uint8_t *data, size_t size, unsigned n)
{
    size_t found = size;
    for (size_t i = 0; i + MAGIC_SIZE + FIELDS * FIELD_SIZE <= size; i++) {
        if (memcmp(data + i, "070701", MAGIC_SIZE) != 0)
            continue;
        found = i;
        if (n-- == 0)
            break;
    }
    return found;
}

static void change_field(uint8_t *data, size_t size, size_t header, unsigned *state)
{
    const uint32_t left = (uint32_t)(size - header);
    const uint32_t values[] = {
        0,       1,       2,       3,    4,    left,       left - HEADER, 0100644,
        0040755, 0120777, 0020666, 4096, 4097, UINT32_MAX, 1u << 31,      random_next(state, 300)};
    char digits[FIELD_SIZE + 1];
    uint32_t value = values[random_next(state, COUNT_OF(values))];
    snprintf(digits, sizeof(digits), "%08x", value + random_next(state, 3) - 1);
    memcpy(data + header + MAGIC_SIZE + random_next(state, FIELDS) * FIELD_SIZE, digits,
           FIELD_SIZE);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    unsigned state = seed;
    size_t header = find_header(data, size, random_next(&state, 8));
    if (header == size || random_next(&state, 2) == 0)
        return LLVMFuzzerMutate(data, size, room);
    change_field(data, size, header, &state);
    return size;
}
