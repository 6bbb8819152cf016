/* SPDX-License-Identifier: MIT */
#include "program_model.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

const addr_t model_windows[WINDOWS] = {WINDOW_BOTTOM, WINDOW_MIDDLE, WINDOW_TOP};

static struct model_slot slots[WINDOWS][WINDOW_PAGES];
static struct model_page *all_pages;

void model_clear(void)
{
    memset(slots, 0, sizeof(slots));
    while (all_pages != NULL) {
        struct model_page *next = all_pages->next;
        free(all_pages);
        all_pages = next;
    }
}

struct model_page *model_new_page(struct model_page *source)
{
    struct model_page *page = calloc(1, sizeof(*page));
    EXPECT(page != NULL);
    page->source = source;
    page->present = source == NULL;
    page->next = all_pages;
    all_pages = page;
    return page;
}

struct model_slot *model_slot(addr_t address)
{
    for (unsigned i = 0; i < WINDOWS; i++)
        if (address - model_windows[i] < WINDOW_PAGES * PAGE)
            return &slots[i][(address - model_windows[i]) / PAGE];
    return NULL;
}

bool model_is_readable(addr_t address)
{
    const struct model_slot *slot = model_slot(address);
    return slot != NULL && slot->page != NULL && slot->readable;
}

bool model_is_writable(addr_t address)
{
    const struct model_slot *slot = model_slot(address);
    return slot != NULL && slot->page != NULL && slot->writable;
}

/* Where the bytes are that the page shows. */
static const struct model_page *shown(const struct model_page *page)
{
    while (!page->present)
        page = page->source;
    return page;
}

uint8_t model_page_read(const struct model_page *page, size_t at)
{
    return shown(page)->bytes[at];
}

void model_page_write(struct model_page *page, size_t at, uint8_t byte)
{
    if (!page->present) {
        memcpy(page->bytes, shown(page)->bytes, sizeof(page->bytes));
        page->present = true;
    }
    page->bytes[at] = byte;
}

uint8_t model_read(addr_t address)
{
    return model_page_read(model_slot(address)->page, address % PAGE);
}

void model_write(addr_t address, uint8_t byte)
{
    model_page_write(model_slot(address)->page, address % PAGE, byte);
}

size_t model_string_length(addr_t address, size_t limit)
{
    size_t length = 0;
    while (length < limit && model_is_readable(address + length))
        if (model_read(address + length++) == 0)
            break;
    return length;
}

size_t model_reach(addr_t address, size_t size, bool write)
{
    size_t reach = 0;
    while (reach < size &&
           (write ? model_is_writable(address + reach) : model_is_readable(address + reach)))
        reach++;
    return reach;
}

bool model_page_is_alias(const struct model_page *to, const struct model_page *from)
{
    while (from != to && !from->present)
        from = from->source;
    return from == to;
}

bool model_is_alias(addr_t to, addr_t from)
{
    const struct model_slot *a = model_slot(to), *b = model_slot(from);
    return a != NULL && b != NULL && a->page != NULL && b->page != NULL &&
           model_page_is_alias(a->page, b->page);
}

static void compare_page(addr_t address)
{
    static uint8_t bytes[VM_PAGE_SIZE];
    const struct model_slot *slot = model_slot(address);
    bool readable = slot->page != NULL && slot->readable;
    EXPECT((sim_read(address, bytes, PAGE) == VM_OK) == readable);
    if (readable)
        EXPECT(memcmp(bytes, shown(slot->page)->bytes, PAGE) == 0);
}

void model_compare(void)
{
    for (unsigned i = 0; i < WINDOWS; i++)
        for (unsigned page = 0; page < WINDOW_PAGES; page++)
            compare_page(model_windows[i] + page * PAGE);
}
