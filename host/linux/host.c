/* SPDX-License-Identifier: MIT */
/* The rest of the core's hooks. The process is one CPU and one address space; vnode.c has files. */
#include "linux.h"

unsigned host_cpu_id(void)
{
    return 0;
}

/* Only where the program may have a vspace there. */
vm_address_space *host_current_aspace(void)
{
    return process.mode == QUIRE_MODE_VSPACE ? process.aspace : NULL;
}

addr_t host_fault_handler(addr_t ip)
{
    (void)ip;
    return 0;
}

int host_user_memcpy(void *to, const void *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_user_strcpy(char *to, const char *from)
{
    (void)to, (void)from;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_user_strncpy(char *to, const char *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return ERR_VM_BAD_USER_MEMORY;
}

int host_user_memset(void *to, char c, size_t size)
{
    (void)to, (void)c, (void)size;
    return ERR_VM_BAD_USER_MEMORY;
}
