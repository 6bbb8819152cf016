/* SPDX-License-Identifier: MIT */
/* What the user asked `quire boot` for. */
#ifndef QUIRE_TOOL_OPTIONS_H
#define QUIRE_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_list {
    const char **items;
    size_t count;
};

#define MAX_SWAPS 8

struct boot_options {
    uint64_t memory; /* bytes */
    unsigned cpus;
    struct string_list files;  /* HOST[:GUEST] */
    struct string_list disks;  /* FILE[:GUEST][:ro] */
    struct string_list debug;  /* commands */
    uint64_t swaps[MAX_SWAPS]; /* bytes */
    size_t swap_count;
    bool icount;
    bool stats;
    bool help;
    unsigned timeout;    /* seconds; 0: none */
    const char *json;    /* where the figures go as JSON, or NULL */
    const char *kernel;  /* NULL: the one beside this program */
    const char *program; /* NULL: a shell */
    char **arguments;    /* the program's, NULL-terminated, without its name */
};

/* 0, or a status; the message has been printed. `argv[0]` is "boot". */
int options_parse(struct boot_options *options, int argc, char **argv);
void options_free(struct boot_options *options);

/* 64M, 1G, 512K or bytes; false: no size. */
bool parse_size(const char *text, uint64_t *size);

#endif
