/* SPDX-License-Identifier: MIT */
/* What a program's own mistakes become. */
#include "cases.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void touch(void *address)
{
    *(volatile uint8_t *)address = 1;
}

static void jump(void *address)
{
    void (*function)(void);
    memcpy(&function, &address, sizeof(function));
    function();
}

static void killed(void)
{
    in_child("write to NULL", touch, NULL);
    in_child("write to page 0", touch, (void *)100);
    in_child("write to the kernel", touch, KERNEL_ADDRESS);
    in_child("write to no canonical address", touch, NON_CANONICAL);
    in_child("write to the program's text", touch, (void *)(uintptr_t)touch);
    in_child("jump to NULL", jump, NULL);
    in_child("jump to the kernel", jump, KERNEL_ADDRESS);
    in_child("jump to data", jump, map_pages(1));
}

static void addresses(void)
{
    READ("read NULL", NULL);
    READ("read 8", (void *)8);
    WRITE("write NULL", NULL);
    READ("read the kernel", KERNEL_ADDRESS);
    READ("read its image", (void *)0xffffffff80000000);
    READ("read the last byte", (void *)-1);
    WRITE("write the kernel", KERNEL_ADDRESS);
    READ("read no canonical address", NON_CANONICAL);
    WRITE("write no canonical address", NON_CANONICAL);
    READ("read the end of user space", (void *)0x7ffffffff000);
    say_access("jump to the kernel", ACCESS_CALL, KERNEL_ADDRESS);
    say_access("jump to 16", ACCESS_CALL, (void *)16);
}

static void privileged(void *argument)
{
    switch ((uintptr_t)argument) {
    case 0:
        __asm__ volatile("hlt");
        break;
    case 1:
        __asm__ volatile("cli");
        break;
    case 2:
        __asm__ volatile("outb %%al, $0x80" ::"a"(0));
        break;
    case 3:
        __asm__ volatile("mov %%cr3, %%rax" ::: "rax");
        break;
    case 4:
        __asm__ volatile("ud2");
        break;
    case 5:
        __asm__ volatile("int3");
        break;
    case 6:
        __asm__ volatile("xor %%edx, %%edx\n\tmov $1, %%eax\n\txor %%ecx, %%ecx\n\tdiv %%ecx" ::
                             : "eax", "ecx", "edx");
        break;
    case 7:
        __asm__ volatile("int $0x0e");
        break;
    case 8:
        __asm__ volatile("int $0x20");
        break;
    case 9:
        __asm__ volatile("mov $-16, %%rax\n\tmovq $0x8000000000000000, %%rcx\n\tpush "
                         "%%rcx\n\tpopfq\n\tlgdt (%%rax)" ::
                             : "rax", "rcx", "memory", "cc");
        break;
    }
}

static void instructions(void)
{
    static const char *const names[] = {"hlt",  "cli", "outb",   "mov from cr3", "ud2",
                                        "int3", "div", "int 14", "int 0x20",     "lgdt"};
    for (uintptr_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        in_child(names[i], privileged, (void *)i);
}

static sigjmp_buf recovery;
static volatile int caught, caught_code;

static void catch (int number, siginfo_t *information, void *context)
{
    (void)context;
    caught = number;
    caught_code = information->si_code;
    siglongjmp(recovery, 1);
}

static void codes(void)
{
    static const int signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    static const uintptr_t numbers[] = {6, 4, 0, 5};
    struct sigaction action = {.sa_sigaction = catch, .sa_flags = SA_SIGINFO};
    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &action, NULL);
    for (int i = 0; i < 4; i++) {
        if (sigsetjmp(recovery, 1) == 0)
            privileged((void *)numbers[i]);
        say("%s, code %d", signal_name(caught), caught_code);
    }
}

/* The handler lifts the protection, and the instruction works when it is tried again. */
static uint8_t *protected_memory;
static volatile int lifted;

static void lift(int number, siginfo_t *information, void *context)
{
    (void)number;
    (void)context;
    uintptr_t page = (uintptr_t)information->si_addr & ~(PAGE - 1);
    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
    lifted++;
}

static void lifted_by_a_handler(void)
{
    struct sigaction action = {.sa_sigaction = lift, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    protected_memory = map_pages(50);
    fill_pages(protected_memory, 50, 1);
    mprotect(protected_memory, 50 * PAGE, PROT_NONE);
    unsigned sum = 0;
    for (size_t i = 0; i < 50 * PAGE; i += 64)
        sum += protected_memory[i];
    say("sum %u, faults %d", sum, lifted);
}

static void ignored_or_blocked(void *argument)
{
    if (argument != NULL) {
        signal(SIGSEGV, SIG_IGN);
    } else {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        sigprocmask(SIG_BLOCK, &set, NULL);
    }
    touch(NULL);
}

static void cant_be_ignored(void)
{
    in_child("ignored", ignored_or_blocked, &recovery);
    in_child("blocked", ignored_or_blocked, NULL);
}

static void fault_again(int number)
{
    (void)number;
    touch((void *)8);
}

static void handler_that_faults(void *argument)
{
    (void)argument;
    signal(SIGSEGV, fault_again);
    touch(NULL);
}

static void no_handler_stack(void *argument)
{
    (void)argument;
    signal(SIGSEGV, fault_again);
    __asm__ volatile("mov $16, %%rsp\n\tmovb $0, (%%rsp)" ::: "memory");
}

static void lost_handlers(void)
{
    in_child("a handler that faults", handler_that_faults, NULL);
    in_child("no stack for a handler", no_handler_stack, NULL);
}

const struct guest_case fault_cases[] = {
    {"fault.killed", killed},
    {"fault.addresses", addresses},
    {"fault.instructions", instructions},
    {"fault.codes", codes},
    {"fault.lifted_by_a_handler", lifted_by_a_handler},
    {"fault.cant_be_ignored", cant_be_ignored},
    {"fault.lost_handlers", lost_handlers},
    {NULL, NULL},
};
