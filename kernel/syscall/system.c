/* SPDX-License-Identifier: MIT */
/* What the system says about itself, limits, users, random numbers. */
#include "arguments.h"
#include "fs/device.h"
#include <kernel/process.h>

int64_t sys_uname(struct trap_frame *frame)
{
    enum { FIELD = 65 };
    struct {
        char system[FIELD], node[FIELD], release[FIELD], version[FIELD], machine[FIELD],
            domain[FIELD];
    } name = {"Linux", "quire", "6.1.0-quire", "Quire reference kernel", "x86_64", "(none)"};
    return copy_to_user(POINTER(0), &name, sizeof(name));
}

int64_t sys_sysinfo(struct trap_frame *frame)
{
    struct {
        int64_t uptime;
        uint64_t loads[3], total, unused, shared, buffers, swap_total, swap_unused;
        uint16_t processes, padding;
        uint32_t padding2;
        uint64_t high_total, high_unused;
        uint32_t unit, padding3;
    } result;
    vm_info info;
    vm_get_info(&info);
    memset(&result, 0, sizeof(result));
    result.uptime = (int64_t)(time_monotonic() / NS_PER_SECOND);
    result.total = info.physical_pages * VM_PAGE_SIZE;
    result.unused = (info.free_pages + info.clear_pages) * VM_PAGE_SIZE;
    result.buffers = info.file_pages * VM_PAGE_SIZE;
    result.swap_total = info.swap_slots * VM_PAGE_SIZE;
    result.swap_unused = info.free_swap_slots * VM_PAGE_SIZE;
    result.processes = (uint16_t)process_count();
    result.unit = 1;
    return copy_to_user(POINTER(0), &result, sizeof(result));
}

int64_t sys_getrandom(struct trap_frame *frame)
{
    enum { GRND_ALL = 7 };
    uint8_t *user = POINTER(0);
    size_t length = SIZE(1) < INT32_MAX ? SIZE(1) : INT32_MAX, done = 0;
    uint8_t part[64];
    if ((UNSIGNED(2) & ~(unsigned)GRND_ALL) != 0)
        return -EINVAL;
    while (done < length) {
        size_t size = length - done < sizeof(part) ? length - done : sizeof(part);
        random_bytes(part, size);
        size_t copied = copy_some_to_user(user + done, part, size);
        done += copied;
        if (copied < size)
            return done > 0 ? (int64_t)done : -EFAULT;
        if (thread_should_stop(WAIT_KILLABLE))
            break;
    }
    return (int64_t)done;
}

/* ---- limits: they are what they are ------------------------------------------------------------------- */

struct linux_rlimit {
    uint64_t current, maximum;
};
enum { RLIMIT_STACK = 3, RLIMIT_CORE = 4, RLIMIT_NOFILE = 7, RLIMIT_COUNT = 16 };

static struct linux_rlimit limit_of(unsigned resource)
{
    switch (resource) {
    case RLIMIT_STACK:
        return (struct linux_rlimit){STACK_LIMIT, UINT64_MAX};
    case RLIMIT_CORE:
        return (struct linux_rlimit){0, UINT64_MAX};
    case RLIMIT_NOFILE:
        return (struct linux_rlimit){FD_MAX, FD_MAX};
    default:
        return (struct linux_rlimit){UINT64_MAX, UINT64_MAX};
    }
}

static int64_t put_limit(unsigned resource, void *user)
{
    struct linux_rlimit limit = limit_of(resource);
    return copy_to_user(user, &limit, sizeof(limit));
}

/* A limit can't be changed here; asking for one that is no lower than it is costs nobody anything. */
static int64_t set_limit(unsigned resource, const void *user)
{
    struct linux_rlimit wanted, limit = limit_of(resource);
    if (copy_from_user(&wanted, user, sizeof(wanted)) != 0)
        return -EFAULT;
    if (wanted.current > wanted.maximum)
        return -EINVAL;
    return wanted.maximum > limit.maximum ? -EPERM : 0;
}

int64_t sys_getrlimit(struct trap_frame *frame)
{
    return UNSIGNED(0) >= RLIMIT_COUNT ? -EINVAL : put_limit(UNSIGNED(0), POINTER(1));
}

int64_t sys_setrlimit(struct trap_frame *frame)
{
    return UNSIGNED(0) >= RLIMIT_COUNT ? -EINVAL : set_limit(UNSIGNED(0), POINTER(1));
}

int64_t sys_prlimit64(struct trap_frame *frame)
{
    int64_t result = 0;
    if (UNSIGNED(1) >= RLIMIT_COUNT)
        return -EINVAL;
    if (INTEGER(0) != 0 && INTEGER(0) != process_current()->pid) {
        struct process *process = process_find(INTEGER(0));
        if (process == NULL)
            return -ESRCH;
        process_put(process);
    }
    if (POINTER(2) != NULL)
        result = set_limit(UNSIGNED(1), POINTER(2));
    if (result == 0 && POINTER(3) != NULL)
        result = put_limit(UNSIGNED(1), POINTER(3));
    return result;
}

/* ---- users: everybody is root, and stays it --------------------------------------------------------------- */

static int64_t stay_root(uint64_t id)
{
    return (uint32_t)id == 0 || (uint32_t)id == UINT32_MAX ? 0 : -EPERM;
}

static int64_t put_ids(struct trap_frame *frame)
{
    uint32_t root = 0;
    if (copy_to_user(POINTER(0), &root, sizeof(root)) != 0 ||
        copy_to_user(POINTER(1), &root, sizeof(root)) != 0)
        return -EFAULT;
    return copy_to_user(POINTER(2), &root, sizeof(root));
}

#define ROOT_ID(name)                                                                              \
    int64_t sys_##name(struct trap_frame *frame)                                                   \
    {                                                                                              \
        (void)frame;                                                                               \
        return 0;                                                                                  \
    }
ROOT_ID(getuid)
ROOT_ID(getgid)
ROOT_ID(geteuid)
ROOT_ID(getegid)
ROOT_ID(getgroups)
ROOT_ID(setgroups)

int64_t sys_setuid(struct trap_frame *frame)
{
    return stay_root(ARGUMENT(0));
}

int64_t sys_setgid(struct trap_frame *frame)
{
    return stay_root(ARGUMENT(0));
}

int64_t sys_setreuid(struct trap_frame *frame)
{
    int64_t error = stay_root(ARGUMENT(0));
    return error != 0 ? error : stay_root(ARGUMENT(1));
}

int64_t sys_setregid(struct trap_frame *frame)
{
    return sys_setreuid(frame);
}

int64_t sys_setresuid(struct trap_frame *frame)
{
    int64_t error = sys_setreuid(frame);
    return error != 0 ? error : stay_root(ARGUMENT(2));
}

int64_t sys_setresgid(struct trap_frame *frame)
{
    return sys_setresuid(frame);
}

int64_t sys_getresuid(struct trap_frame *frame)
{
    return put_ids(frame);
}

int64_t sys_getresgid(struct trap_frame *frame)
{
    return put_ids(frame);
}
