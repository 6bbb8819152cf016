/* SPDX-License-Identifier: MIT */
/* Whether a process can page itself here, and how. */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../host/linux/memory_limit.h"
#include "../../host/linux/uapi.h"
#include "error.h"
#include "help.h"

struct findings {
    struct utsname system;
    bool any, full; /* userfaultfd of user mode; of the kernel's accesses, too */
    int any_error, full_error;
    int device_error;
    bool device; /* /dev/userfaultfd gave one */
    uint64_t features;
    int sysctl;      /* vm.unprivileged_userfaultfd; below 0: can't be read */
    int seccomp;     /* 0: none, 1: strict, 2: a filter */
    bool drops_many; /* process_madvise, on this process itself */
    struct doctor_costs costs;
    struct memory_limit memory;
};

static const struct {
    uint64_t bit;
    const char *name, *use;
} features[] = {
    {QU_FEATURE_WP, "write protection", "needed: dirty pages (Linux 5.7)"},
    {QU_FEATURE_SIGBUS, "SIGBUS", "needed for signal mode (Linux 4.14)"},
    {QU_FEATURE_EXACT_ADDRESS, "exact address", "errors say the byte (Linux 5.18)"},
    {QU_FEATURE_POISON, "poison", "errors in handler mode are SIGBUS (Linux 6.6)"},
};
#define FEATURES (sizeof features / sizeof features[0])

/* ---- looking ------------------------------------------------------------------------------------ */

static uint64_t ask_features(int fd)
{
    struct qu_api api = {QU_API, 0, 0};
    return ioctl(fd, QU_IOC_API, &api) == 0 ? api.features : 0;
}

static bool try_open(int flags, int *error, uint64_t *found)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
    *error = fd < 0 ? errno : 0;
    if (fd < 0)
        return false;
    *found = ask_features(fd);
    close(fd);
    return true;
}

static bool try_device(int *error, uint64_t *found)
{
    int fd = doctor_open_device(error);
    if (fd < 0)
        return false;
    *found = ask_features(fd);
    close(fd);
    return true;
}

/* The number behind `label` in a file, or the first; `none`, if that can't be read. */
static int number_in(const char *path, const char *label, int none)
{
    char line[256];
    int value = none;
    FILE *file = fopen(path, "re");
    while (file && value == none && fgets(line, sizeof line, file))
        if (strncmp(line, label, strlen(label)) == 0)
            value = atoi(line + strlen(label));
    if (file)
        fclose(file);
    return value;
}

static bool try_madvise(void)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec range = {page, 4096};
    bool works = self >= 0 && page != MAP_FAILED &&
                 syscall(SYS_process_madvise, self, &range, 1, MADV_DONTNEED, 0) == 4096;
    if (self >= 0)
        close(self);
    if (page != MAP_FAILED)
        munmap(page, 4096);
    return works;
}

/* Who may have one for all faults may have it for those of programs, too. */
static bool has_any(const struct findings *f)
{
    return f->any || f->full || f->device;
}

static bool signal_works(const struct findings *f)
{
    uint64_t needed = QU_FEATURE_WP | QU_FEATURE_SIGBUS;
    return has_any(f) && (f->features & needed) == needed;
}

static bool handler_works(const struct findings *f)
{
    return (f->full || f->device) && (f->features & QU_FEATURE_WP);
}

static bool vspace_works(const struct findings *f)
{
    return f->costs.vspace >= 0;
}

static void look(struct findings *f)
{
    uname(&f->system);
    f->device = try_device(&f->device_error, &f->features);
    f->full = try_open(0, &f->full_error, &f->features);
    f->any = try_open(QU_USER_MODE_ONLY, &f->any_error, &f->features);
    f->sysctl = number_in("/proc/sys/vm/unprivileged_userfaultfd", "", -1);
    f->seccomp = number_in("/proc/self/status", "Seccomp:", 0);
    f->drops_many = try_madvise();
    memory_limit_read("/proc/self/cgroup", "/proc/self/mountinfo", &f->memory);
    doctor_measure(&f->costs, signal_works(f), has_any(f));
}

/* ---- what to do --------------------------------------------------------------------------------- */

/* The kernel has it, whatever the call says. */
static bool is_built_in(const struct findings *f)
{
    return f->sysctl >= 0 || f->device_error != ENOENT;
}

static const char *advice_for_any(const struct findings *f)
{
    if (f->seccomp == 2 && (f->any_error == EPERM || (f->any_error == ENOSYS && is_built_in(f))))
        return "a seccomp filter forbids userfaultfd: let it allow that call (docker run "
               "--security-opt "
               "seccomp=FILE, a profile that has it), or let this user open /dev/userfaultfd (as "
               "root: chmod o+rw "
               "/dev/userfaultfd; docker run --device=/dev/userfaultfd; Linux 6.1)";
    if (f->any_error == ENOSYS)
        return "this kernel has no userfaultfd: it needs CONFIG_USERFAULTFD=y";
    if (f->any_error == EINVAL)
        return "this kernel is older than 5.11: as root, sysctl -w vm.unprivileged_userfaultfd=1";
    return "this kernel lets this user have no userfaultfd, for the reason above";
}

/* The next piece of advice, from *at = 0 on; NULL: there is no more. */
static const char *advice(const struct findings *f, unsigned *at)
{
    while (*at < 5)
        switch ((*at)++) {
        case 0:
            if (!has_any(f))
                return advice_for_any(f);
            break;
        case 1:
            if (has_any(f) && !signal_works(f))
                return "this kernel's userfaultfd lacks write protection or SIGBUS: Linux 5.7 or "
                       "newer has them";
            break;
        case 2:
            if (has_any(f) && !handler_works(f))
                return "for system calls on pages that are not in memory (handler mode), one of "
                       "these, as root: "
                       "sysctl -w vm.unprivileged_userfaultfd=1; or chmod o+rw /dev/userfaultfd "
                       "(Linux 6.1); or, for "
                       "one program, setcap cap_sys_ptrace+ep FILE";
            break;
        case 3:
            if (f->memory.max != MEMORY_UNLIMITED)
                return "a memory cgroup limits this process: give quire_start a budget that, with "
                       "the program's own "
                       "memory, stays below the figure above, or, as root, raise memory.max "
                       "(version 1: "
                       "memory.limit_in_bytes); beyond it Linux swaps or ends the process";
            break;
        default:
            if (signal_works(f) && !f->drops_many)
                return "Linux 6.13 and newer drop many pages with one call, which makes eviction "
                       "cheaper";
        }
    return NULL;
}

/* ---- saying it ---------------------------------------------------------------------------------- */

static const char *because(int error)
{
    return error == 0 ? "works" : strerror(error);
}

static void say_cost(const char *what, double cost)
{
    if (cost >= 0)
        printf("  %-46s %8.2f us\n", what, cost);
}

static void say_limit(const char *what, uint64_t bytes)
{
    if (bytes == MEMORY_UNLIMITED)
        printf("  %-46s no limit\n", what);
    else
        printf("  %-46s %.1f MiB\n", what, (double)bytes / (1 << 20));
}

static const char *yes(bool value)
{
    return value ? "yes" : "no";
}

static void say_userfaultfd(const struct findings *f)
{
    printf("Linux %s, user %u\n", f->system.release, (unsigned)geteuid());
    printf("  userfaultfd, faults of programs                %s\n", because(f->any_error));
    printf("  userfaultfd, faults of system calls, too       %s\n", because(f->full_error));
    printf("  /dev/userfaultfd                               %s\n", because(f->device_error));
    if (f->sysctl >= 0)
        printf("  vm.unprivileged_userfaultfd                    %d\n", f->sysctl);
    printf("  seccomp                                        %s\n", f->seccomp == 2   ? "a filter"
                                                                    : f->seccomp == 1 ? "strict"
                                                                                      : "none");
    for (size_t i = 0; i < FEATURES; i++)
        printf("  %-18s %-27s %s\n", features[i].name,
               !has_any(f)                     ? "not known"
               : f->features & features[i].bit ? "there"
                                               : "missing",
               features[i].use);
    printf("  many pages dropped at once                     %s\n", yes(f->drops_many));
    say_limit("memory of this cgroup, at most", f->memory.max);
    say_limit("memory beyond which Linux slows it down", f->memory.high);
}

static void say(const struct findings *f)
{
    const char *text;
    say_userfaultfd(f);
    printf("A fault costs here\n");
    say_cost("Linux's own, fresh memory", f->costs.plain);
    say_cost("by signal, in the thread (signal mode)", f->costs.signal);
    say_cost("by message, to another thread (handler mode)", f->costs.handler);
    say_cost("by mapping, in the thread (vspace mode)", f->costs.vspace);
    printf("Quire works here in signal mode: %s; in handler mode: %s; in vspace mode: %s\n",
           yes(signal_works(f)), yes(handler_works(f)), yes(vspace_works(f)));
    if (signal_works(f))
        printf("A program that asks for no mode gets signal mode, which needs SIGBUS for itself: "
               "quire_check() says whether the program leaves it\n");
    else
        printf("A program that asks for no mode asks for signal mode: quire_start() fails\n");
    for (unsigned at = 0; (text = advice(f, &at)) != NULL;)
        printf("To do: %s\n", text);
}

static const char *json_bool(bool value)
{
    return value ? "true" : "false";
}

static void json_cost(const char *name, double cost, const char *end)
{
    if (cost >= 0)
        printf("\"%s\": %.2f%s", name, cost, end);
    else
        printf("\"%s\": null%s", name, end);
}

static void json_limit(const char *name, uint64_t bytes, const char *end)
{
    if (bytes != MEMORY_UNLIMITED)
        printf("\"%s\": %llu%s", name, (unsigned long long)bytes, end);
    else
        printf("\"%s\": null%s", name, end);
}

/* No text here has a character that JSON would have written another way. */
static void say_json(const struct findings *f)
{
    const char *text, *comma = "";
    printf("{\"kernel\": \"%s\", \"user\": %u, \"userfaultfd\": {\"programs\": %s, "
           "\"system_calls\": %s, \"device\": %s, \"sysctl\": %d, \"seccomp\": %d, \"features\": "
           "%llu, "
           "\"drops_many\": %s}, ",
           f->system.release, (unsigned)geteuid(), json_bool(f->any), json_bool(f->full),
           json_bool(f->device), f->sysctl, f->seccomp, (unsigned long long)f->features,
           json_bool(f->drops_many));
    printf("\"memory\": {");
    json_limit("max", f->memory.max, ", ");
    json_limit("high", f->memory.high, "}, ");
    printf("\"modes\": {\"signal\": %s, \"handler\": %s, \"vspace\": %s}, \"costs\": {",
           json_bool(signal_works(f)), json_bool(handler_works(f)), json_bool(vspace_works(f)));
    json_cost("plain", f->costs.plain, ", ");
    json_cost("signal", f->costs.signal, ", ");
    json_cost("handler", f->costs.handler, ", ");
    json_cost("vspace", f->costs.vspace, "}, \"advice\": [");
    for (unsigned at = 0; (text = advice(f, &at)) != NULL; comma = ", ")
        printf("%s\"%s\"", comma, text);
    printf("]}\n");
}

int command_doctor(int argc, char **argv)
{
    static struct findings findings;
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help_doctor, stdout);
        return 0;
    }
    if (argc > 1 && !json)
        return fail(STATUS_ERROR, "%s: no such option of doctor; see quire help doctor", argv[1]);
    look(&findings);
    (json ? say_json : say)(&findings);
    return signal_works(&findings) ? 0 : 1;
}
