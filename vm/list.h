/* SPDX-License-Identifier: MIT */
/* Doubly linked lists with the links inside the members. */
#ifndef VM_LIST_H
#define VM_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next, *prev;
};

/* A list is a link that is not a member; empty, it points at itself. */
static inline void list_init(struct list_link *list)
{
    list->next = list->prev = list;
}

static inline bool list_is_empty(const struct list_link *list)
{
    return list->next == list;
}

static inline bool list_has_one(const struct list_link *list)
{
    return list->next != list && list->next->next == list;
}

static inline void list_add_head(struct list_link *list, struct list_link *link)
{
    link->next = list->next;
    link->prev = list;
    list->next->prev = link;
    list->next = link;
}

static inline void list_remove(struct list_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = link;
}

#define list_member(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

#define list_for_each(link, list)                                                                  \
    for (struct list_link *link = (list)->next; link != (list); link = link->next)

#endif
