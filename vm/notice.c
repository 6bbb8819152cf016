/* SPDX-License-Identifier: MIT */
/* How memory is, for those who want to know: they may give some back. */
#include "reclaim.h"
#include "system.h"

#define RECLAIM (&vm_system.reclaim)

static enum vm_memory_level level_now(bool critical)
{
    const struct vm_page_pool *pool = &vm_system.pages;
    size_t free = pool->count[VM_PAGE_FREE] + pool->count[VM_PAGE_CLEAR];
    if (critical)
        return VM_MEMORY_CRITICAL;
    return free < pool->reserve.low ? VM_MEMORY_LOW : VM_MEMORY_NORMAL;
}

/* The lock is a sleeping one that is held over the calls, so a notice never comes after its subscription
 * has ended. */
void reclaim_tell(bool critical)
{
    enum vm_memory_level level = level_now(critical);
    if (vm_atomic_load(&RECLAIM->level, __ATOMIC_RELAXED) == level)
        return;
    vm_mutex_lock(&RECLAIM->notice_lock, VM_RANK_NOTICE);
    bool changed = vm_atomic_exchange(&RECLAIM->level, level, __ATOMIC_RELAXED) != level;
    for (struct list_link *link = RECLAIM->notices.next; changed && link != &RECLAIM->notices;
         link = link->next) {
        struct vm_memory_notice *notice = list_member(link, struct vm_memory_notice, link);
        notice->notify(notice, level);
    }
    vm_mutex_unlock(&RECLAIM->notice_lock);
}

int vm_memory_subscribe(struct vm_memory_notice *notice)
{
    if (!notice || !notice->notify)
        return ERR_INVALID_ARGS;
    vm_mutex_lock(&RECLAIM->notice_lock, VM_RANK_NOTICE);
    list_add_head(&RECLAIM->notices, (struct list_link *)(void *)&notice->link);
    vm_mutex_unlock(&RECLAIM->notice_lock);
    return VM_OK;
}

void vm_memory_unsubscribe(struct vm_memory_notice *notice)
{
    vm_mutex_lock(&RECLAIM->notice_lock, VM_RANK_NOTICE);
    list_remove((struct list_link *)(void *)&notice->link);
    vm_mutex_unlock(&RECLAIM->notice_lock);
}
