/* SPDX-License-Identifier: MIT */
/* What a program's memory must look like: page by page, in three windows of its address space. Pages of
 * objects hold bytes of their own or show those of a source until they are written. */
#ifndef TESTS_FUZZ_PROGRAM_MODEL_H
#define TESTS_FUZZ_PROGRAM_MODEL_H

#include <sim.h>

#define PAGE VM_PAGE_SIZE
#define WINDOWS 3
#define WINDOW_PAGES 32
/* At the bottom of user space, somewhere in it, and at its end. */
#define WINDOW_BOTTOM SIM_USER_BASE
#define WINDOW_MIDDLE ((addr_t)0x10000000)
#define WINDOW_TOP (SIM_USER_END - WINDOW_PAGES * PAGE)

struct model_page {
    struct model_page *source; /* shows through while not `present` */
    struct model_page *next;   /* of all */
    bool present;
    uint8_t bytes[VM_PAGE_SIZE];
};

/* A page of the program's. */
struct model_slot {
    struct model_page *page; /* NULL: nothing is mapped */
    bool readable, writable;
};

extern const addr_t model_windows[WINDOWS];

/* Forgets everything. */
void model_clear(void);
/* A page that shows `source`, or, with NULL, has bytes of its own: zeros. */
struct model_page *model_new_page(struct model_page *source);
/* NULL: outside the windows. */
struct model_slot *model_slot(addr_t address);

/* Whether the program could do that to this byte; the byte, for who may. */
bool model_is_readable(addr_t address);
bool model_is_writable(addr_t address);
uint8_t model_read(addr_t address);
void model_write(addr_t address, uint8_t byte);
uint8_t model_page_read(const struct model_page *page, size_t at);
void model_page_write(struct model_page *page, size_t at, uint8_t byte);
/* How many bytes of a string from `address` on can be read, with its NUL, up to `limit`. */
size_t model_string_length(addr_t address, size_t limit);
/* How many of `size` bytes from `address` on can be read, or written. */
size_t model_reach(addr_t address, size_t size, bool write);
/* Whether a write to `to` changes what is seen at `from`. */
bool model_is_alias(addr_t to, addr_t from);
bool model_page_is_alias(const struct model_page *to, const struct model_page *from);

/* Compares all of the windows with what the program sees. */
void model_compare(void);

#endif
