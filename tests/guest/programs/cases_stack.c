/* SPDX-License-Identifier: MIT */
/* The first stack: how far it grows, and what is below it. */
#include "cases.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static __attribute__((noinline)) unsigned descend(unsigned depth)
{
    volatile uint8_t frame[1024];
    frame[depth % sizeof(frame)] = (uint8_t)depth;
    unsigned below = depth == 0 ? 0 : descend(depth - 1);
    return below + frame[depth % sizeof(frame)];
}

static void grows(void)
{
    say("1 MiB deep: %u", descend(1000));
    say("and again: %u", descend(1000));
}

/* A program may touch its stack anywhere above the limit, not only page by page. */
static void far_below(void)
{
    uint8_t *here = __builtin_frame_address(0);
    WRITE("64 KiB below", here - (64 << 10));
    WRITE("1 MiB below", here - (1 << 20));
    WRITE("4 MiB below", here - (4 << 20));
    READ("between", here - (2 << 20));
    READ("32 MiB below", here - (32 << 20));
}

static sigjmp_buf recovery;
static volatile int caught, caught_code;
static volatile uintptr_t caught_address;
static volatile bool on_other_stack;
static uint8_t *other_stack;

static void overflow_handler(int number, siginfo_t *information, void *context)
{
    (void)context;
    uint8_t *here = __builtin_frame_address(0);
    on_other_stack = here >= other_stack && here < other_stack + 16 * PAGE;
    caught = number;
    caught_code = information->si_code;
    caught_address = (uintptr_t)information->si_addr;
    siglongjmp(recovery, 1);
}

static void use_other_stack(void)
{
    other_stack = map_pages(16);
    stack_t stack = {.ss_sp = other_stack, .ss_size = 16 * PAGE};
    CALL("sigaltstack", sigaltstack(&stack, NULL));
    struct sigaction action = {.sa_sigaction = overflow_handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CALL("sigaction", sigaction(SIGSEGV, &action, NULL));
}

static void overflow(void)
{
    use_other_stack();
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (sigsetjmp(recovery, 1) == 0)
        say("no end: %u", descend(64 << 20));
    say("%s, code %d", signal_name(caught), caught_code);
    say_whether("on the other stack", on_other_stack);
    size_t deep = here - caught_address;
    say_whether("after 7 to 8 MiB", deep > 7 << 20 && deep <= 8 << 20);
    say("and it still works: %u", descend(1000));
}

static void descend_for_ever(void *argument)
{
    (void)argument;
    say("no end: %u", descend(64 << 20));
}

static void overflow_without_a_handler(void)
{
    in_child("child", descend_for_ever, NULL);
}

/* Without another stack there is nowhere for the handler to run. */
static void overflow_on_the_same_stack(void *argument)
{
    struct sigaction action = {.sa_sigaction = overflow_handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    descend_for_ever(argument);
}

static void overflow_without_another_stack(void)
{
    in_child("child", overflow_on_the_same_stack, NULL);
}

static void copied(void *argument)
{
    uint8_t *array = argument;
    array[5000] = 9;
    say("the child's: %d %d, deep: %u", array[0], array[5000], descend(500));
}

static void in_a_child(void)
{
    uint8_t array[3 * PAGE];
    memset(array, 3, sizeof(array));
    in_child("child", copied, array);
    say("the parent's: %d %d", array[0], array[5000]);
}

static void something_in_its_way(void)
{
    uint8_t *here = __builtin_frame_address(0);
    uint8_t *wall = (uint8_t *)((uintptr_t)here & ~(PAGE - 1)) - (3 << 20);
    void *there =
        mmap(wall, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    say_whether("a mapping 3 MiB below", there == wall);
    use_other_stack();
    if (sigsetjmp(recovery, 1) == 0)
        say("no end: %u", descend(64 << 20));
    say("%s", signal_name(caught));
    say_whether("with a gap of a MiB above it", caught_address - (uintptr_t)wall > 1 << 20);
    say("the mapping's first byte: %d", wall[0]);
}

static void *map_hinted(uint8_t *hint)
{
    return mmap(hint, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A hint is taken, but not in the gap below something that grows down. */
static void hints_below(void)
{
    uint8_t *stack = (uint8_t *)0x300000000;
    void *there = mmap(stack, 4 * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    say_whether("a stack", there == stack);
    for (unsigned pages = 1; pages < 300; pages += 51) {
        uint8_t *hint = stack - pages * PAGE;
        say("%u pages below it: %s", pages, map_hinted(hint) == hint ? "there" : "elsewhere");
    }
    say_whether("behind it", map_hinted(stack + 4 * PAGE) == stack + 4 * PAGE);
    WRITE("it grows", stack - 1);
}

static void facts(void)
{
    say("page size %lu", getauxval(AT_PAGESZ));
    say_whether("program headers", getauxval(AT_PHDR) != 0 && getauxval(AT_PHNUM) != 0);
    say_whether("random bytes", getauxval(AT_RANDOM) != 0);
    say_whether("entry", getauxval(AT_ENTRY) != 0);
    struct rlimit limit;
    CALL("limit", getrlimit(RLIMIT_STACK, &limit));
    say("of %lu KiB", (unsigned long)limit.rlim_cur / 1024);
    say_whether("the stack is aligned", (uintptr_t)__builtin_frame_address(0) % 16 == 0);
    uint8_t *here = __builtin_frame_address(0);
    say_access("the stack isn't code", ACCESS_CALL, here);
}

const struct guest_case stack_cases[] = {
    {"stack.grows", grows},
    {"stack.far_below", far_below},
    {"stack.overflow", overflow},
    {"stack.overflow_without_a_handler", overflow_without_a_handler},
    {"stack.overflow_without_another_stack", overflow_without_another_stack},
    {"stack.in_a_child", in_a_child},
    {"stack.something_in_its_way", something_in_its_way},
    {"stack.hints_below", hints_below},
    {"stack.facts", facts},
    {NULL, NULL},
};
