/* SPDX-License-Identifier: MIT */
/* NewOS's calls for programs: the core checks everything itself. */
#include "calls.h"
#include <quire/vm.h>

int64_t sys_user_vm_create_anonymous_region(struct trap_frame *frame)
{
    return user_vm_create_anonymous_region(POINTER(0), POINTER(1), INTEGER(2), ARGUMENT(3),
                                           INTEGER(4), UNSIGNED(5));
}

int64_t sys_user_vm_clone_region(struct trap_frame *frame)
{
    return user_vm_clone_region(POINTER(0), POINTER(1), INTEGER(2), (region_id)ARGUMENT(3),
                                INTEGER(4), UNSIGNED(5));
}

/* Eight arguments: the last three are in a structure of the program's that the sixth points to. */
int64_t sys_user_vm_map_file(struct trap_frame *frame)
{
    struct {
        const char *path;
        off_t offset;
        int64_t mapping;
    } more;
    const void *user = POINTER(5);
    if (ARGUMENT(5) < USER_BASE || ARGUMENT(5) > USER_TOP - sizeof(more) ||
        user_memcpy(&more, user, sizeof(more)) != VM_OK)
        return ERR_VM_BAD_USER_MEMORY;
    return user_vm_map_file(POINTER(0), POINTER(1), INTEGER(2), ARGUMENT(3), UNSIGNED(4),
                            (int)more.mapping, more.path, more.offset);
}

int64_t sys_user_vm_delete_region(struct trap_frame *frame)
{
    return user_vm_delete_region((region_id)ARGUMENT(0));
}

int64_t sys_user_vm_get_region_info(struct trap_frame *frame)
{
    return user_vm_get_region_info((region_id)ARGUMENT(0), POINTER(1));
}

int64_t sys_user_vm_get_vm_info(struct trap_frame *frame)
{
    return user_vm_get_vm_info(POINTER(0));
}
