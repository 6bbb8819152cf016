/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "error.h"

/* What a figure is called in the kernel's record, and for people. NULL begins a group. */
struct line {
    const char *key;
    const char *text;
};

static const struct line screen[] = {
    {NULL, "page faults"},
    {"page_faults", "in all"},
    {"read_faults", "by reading"},
    {"write_faults", "by writing"},
    {"execute_faults", "by executing"},
    {"failed_faults", "that ended in a signal or an error"},
    {"kernel_recoveries", "of these on a program's pointer, in the kernel"},
    {NULL, "pages"},
    {"zero_fills", "cleared on first use"},
    {"copies", "copied on write"},
    {"reuses", "written in place by their last owner"},
    {"file_ins", "read from files"},
    {"file_pages_shared", "of files mapped that were there already"},
    {"mapped_around", "of these around a fault, without one of their own"},
    {NULL, "structures"},
    {"forks", "forks"},
    {"most_aspaces", "address spaces at once, at most"},
    {"most_regions", "regions at once, at most"},
    {"deepest_chain", "caches in the deepest chain"},
    {"merges", "caches merged back"},
    {NULL, "more memory than there is"},
    {"evictions", "pages that left their frame"},
    {"clean_evictions", "of these without being written"},
    {"swap_outs", "written to swap"},
    {"swap_ins", "read from swap"},
    {"page_outs", "written to files"},
    {"refaults", "that came back soon"},
    {"kept", "that were to go, but were used meanwhile"},
    {NULL, "frames"},
    {"free_before", "free before"},
    {"free_after", "free after"},
};

/* The value of `key` and its length, or NULL. */
static const char *find_value(const char *figures, const char *key, size_t *length)
{
    size_t key_length = strlen(key);
    for (const char *word = figures; *word != '\0';) {
        size_t size = strcspn(word, " ");
        if (size > key_length && word[key_length] == '=' && memcmp(word, key, key_length) == 0) {
            *length = size - key_length - 1;
            return word + key_length + 1;
        }
        word += size + (word[size] == ' ');
    }
    return NULL;
}

/* The figure `name`_`what`, grouped. */
static void get_disk_figure(const char *figures, const char *name, const char *what, char text[64])
{
    char key[64];
    size_t length;
    snprintf(key, sizeof(key), "%s_%s", name, what);
    const char *value = find_value(figures, key, &length);
    snprintf(text, 64, "0");
    if (value != NULL)
        group_digits(value, length, text, 64);
}

static void show_disk(const char *figures, const struct disk *disk)
{
    char reads[64], writes[64], bytes_read[64], bytes_written[64], errors[64];
    get_disk_figure(figures, disk->name, "reads", reads);
    get_disk_figure(figures, disk->name, "writes", writes);
    get_disk_figure(figures, disk->name, "bytes_read", bytes_read);
    get_disk_figure(figures, disk->name, "bytes_written", bytes_written);
    get_disk_figure(figures, disk->name, "errors", errors);
    fprintf(stderr, "  %12s  %s: bytes read, in %s reads; %s bytes written, in %s writes",
            bytes_read, disk->guest != NULL ? disk->guest : disk->name, reads, bytes_written,
            writes);
    fprintf(stderr, strcmp(errors, "0") == 0 ? "\n" : "; %s errors\n", errors);
}

void report_show(const char *figures, const struct disks *disks)
{
    fputs("\nWhat the virtual memory manager did\n", stderr);
    for (size_t i = 0; i < sizeof(screen) / sizeof(*screen); i++) {
        if (screen[i].key == NULL) {
            fprintf(stderr, "  %s\n", screen[i].text);
            continue;
        }
        size_t length;
        const char *value = find_value(figures, screen[i].key, &length);
        char text[64] = "?";
        if (value != NULL)
            group_digits(value, length, text, sizeof(text));
        fprintf(stderr, "  %12s  %s\n", text, screen[i].text);
    }
    if (disks->count > 0)
        fputs("  disks\n", stderr);
    for (size_t i = 0; i < disks->count; i++)
        show_disk(figures, &disks->items[i]);
}

static bool is_key(const char *word, size_t length)
{
    return length != 0 && strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789") >= length;
}

static void put_pairs(FILE *file, const char *figures)
{
    const char *separator = "\n";
    for (const char *word = figures; *word != '\0';) {
        size_t size = strcspn(word, " ");
        const char *equals = memchr(word, '=', size);
        size_t key = equals != NULL ? (size_t)(equals - word) : 0;
        size_t value = equals != NULL ? size - key - 1 : 0;
        size_t minus = value > 1 && equals[1] == '-';
        if (is_key(word, key) && value > minus &&
            strspn(equals + 1 + minus, "0123456789") >= value - minus) {
            fprintf(file, "%s  \"%.*s\": %.*s", separator, (int)key, word, (int)value, equals + 1);
            separator = ",\n";
        }
        word += size + (word[size] == ' ');
    }
}

int report_write_json(const char *figures, const char *name)
{
    FILE *file = fopen(name, "w");
    if (file == NULL)
        return fail(STATUS_ERROR, "--json %s: can't write it: %s", name, strerror(errno));
    fputs("{", file);
    put_pairs(file, figures);
    fputs("\n}\n", file);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return fail(STATUS_ERROR, "--json %s: can't write it: %s", name, strerror(errno));
    return 0;
}
