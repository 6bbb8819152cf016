/* SPDX-License-Identifier: MIT */
#include "cpio.h"
#include <stdbool.h>

enum { HEADER_SIZE = 110, MAGIC_LENGTH = 6, FIELD_LENGTH = 8, NAME_LIMIT = 4096, PART_LIMIT = 255 };

/* The fields behind the magic, in their order. */
enum {
    FIELD_INODE,
    FIELD_MODE,
    FIELD_UID,
    FIELD_GID,
    FIELD_LINKS,
    FIELD_MODIFIED,
    FIELD_SIZE,
    FIELD_DEVICE_MAJOR,
    FIELD_DEVICE_MINOR,
    FIELD_SPECIAL_MAJOR,
    FIELD_SPECIAL_MINOR,
    FIELD_NAME_SIZE,
    FIELD_CHECK,
    FIELD_COUNT
};

void cpio_open(struct cpio_reader *reader, const void *archive, size_t size)
{
    reader->next = archive;
    reader->left = size;
    reader->problem = NULL;
}

static int broken(struct cpio_reader *reader, const char *problem)
{
    reader->problem = problem;
    return -1;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_fields(const uint8_t *text, uint32_t *fields)
{
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        uint32_t value = 0;
        for (unsigned j = 0; j < FIELD_LENGTH; j++) {
            int digit = hex_digit(*text++);
            if (digit < 0)
                return false;
            value = value << 4 | (uint32_t)digit;
        }
        fields[i] = value;
    }
    return true;
}

static bool is_magic(const uint8_t *text)
{
    static const char magic[] = "07070";
    for (unsigned i = 0; i < MAGIC_LENGTH - 1; i++) {
        if (text[i] != (uint8_t)magic[i])
            return false;
    }
    return text[MAGIC_LENGTH - 1] == '1' || text[MAGIC_LENGTH - 1] == '2';
}

/* Moves `size` bytes on and to the next multiple of four; the padding behind the last entry may be
 * missing. All parts of an entry start at a multiple of four from the first header. */
static void advance(struct cpio_reader *reader, size_t size)
{
    size_t padded = (size + 3) & ~(size_t)3;
    if (padded > reader->left)
        padded = reader->left;
    reader->next += padded;
    reader->left -= padded;
}

/* What is wrong with a name, or NULL. */
static const char *name_problem(const char *name, size_t length)
{
    size_t part = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && name[i] == '\0')
            return "a name in it holds a NUL";
        if (i < length && name[i] != '/') {
            part++;
            continue;
        }
        if (part == 2 && name[i - 1] == '.' && name[i - 2] == '.')
            return "a name in it leads out of it (..)";
        if (part > PART_LIMIT)
            return "a part of a name in it is longer than 255 bytes";
        part = 0;
    }
    return NULL;
}

static bool is_trailer(const char *name, size_t length)
{
    static const char trailer[] = "TRAILER!!!";
    if (length != sizeof(trailer) - 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] != trailer[i])
            return false;
    }
    return true;
}

/* The header's name, which ends in the only NUL it has. */
static int read_name(struct cpio_reader *reader, size_t size, struct cpio_entry *entry)
{
    if (size < 2 || size > NAME_LIMIT)
        return broken(reader, "a name in it is empty or longer than 4095 bytes");
    const uint8_t *name = reader->next + HEADER_SIZE;
    if (name[size - 1] != '\0')
        return broken(reader, "a name in it has no end");
    entry->name = (const char *)name;
    entry->name_length = size - 1;
    const char *problem = name_problem(entry->name, entry->name_length);
    if (problem != NULL)
        return broken(reader, problem);
    while (*entry->name == '/') {
        entry->name++;
        entry->name_length--;
    }
    return 0;
}

static void fill_entry(struct cpio_entry *entry, const uint32_t *fields)
{
    entry->mode = fields[FIELD_MODE];
    entry->uid = fields[FIELD_UID];
    entry->gid = fields[FIELD_GID];
    entry->modified = fields[FIELD_MODIFIED];
    entry->links = fields[FIELD_LINKS];
    entry->inode = fields[FIELD_INODE];
    entry->device_major = fields[FIELD_DEVICE_MAJOR];
    entry->device_minor = fields[FIELD_DEVICE_MINOR];
    entry->special_major = fields[FIELD_SPECIAL_MAJOR];
    entry->special_minor = fields[FIELD_SPECIAL_MINOR];
    entry->size = fields[FIELD_SIZE];
}

int cpio_next(struct cpio_reader *reader, struct cpio_entry *entry)
{
    uint32_t fields[FIELD_COUNT];
    if (reader->left < HEADER_SIZE)
        return broken(reader, "it ends without a trailer");
    if (!is_magic(reader->next))
        return broken(reader, "it is not in the newc format of cpio");
    if (!read_fields(reader->next + MAGIC_LENGTH, fields))
        return broken(reader, "a header in it holds something that is not a number");
    size_t name_size = fields[FIELD_NAME_SIZE];
    if (name_size > reader->left - HEADER_SIZE)
        return broken(reader, "it ends in the middle of a name");
    int error = read_name(reader, name_size, entry);
    if (error != 0)
        return error;
    if (is_trailer(entry->name, entry->name_length))
        return 0;
    advance(reader, HEADER_SIZE + name_size);
    fill_entry(entry, fields);
    if (entry->size > reader->left)
        return broken(reader, "it ends in the middle of a file");
    entry->data = reader->next;
    advance(reader, entry->size);
    return 1;
}
