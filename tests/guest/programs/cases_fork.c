/* SPDX-License-Identifier: MIT */
/* What fork copies, and when. */
#include "cases.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Parent and child take turns: each waits for a byte from the other. */
struct turns {
    int to_child[2], to_parent[2];
};

static void make_turns(struct turns *turns)
{
    must(pipe(turns->to_child) == 0 && pipe(turns->to_parent) == 0, "pipe");
}

static void give(const int ends[2])
{
    must(write(ends[1], "x", 1) == 1, "write");
}

static void take(const int ends[2])
{
    char byte;
    must(read(ends[0], &byte, 1) == 1, "read");
}

static pid_t start_child(void)
{
    pid_t child = fork();
    must(child >= 0, "fork");
    return child;
}

static void end_child(const char *step, pid_t child)
{
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    say_wait_status(step, status);
}

static void write_all(void *argument)
{
    fill_pages(argument, 4, 40);
    say_pages("the child's", argument, 4);
}

static void child_writes(void)
{
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    in_child("child", write_all, memory);
    say_pages("the parent's", memory, 4);
}

static void parent_writes(void)
{
    struct turns turns;
    make_turns(&turns);
    uint8_t *memory = map_pages(4);
    fill_pages(memory, 4, 1);
    pid_t child = start_child();
    if (child == 0) {
        take(turns.to_child);
        say_pages("the child's", memory, 4);
        give(turns.to_parent);
        take(turns.to_child);
        fill_pages(memory, 4, 60);
        say_pages("the child's, written", memory, 4);
        _exit(0);
    }
    fill_pages(memory, 4, 30);
    give(turns.to_child);
    take(turns.to_parent);
    say_pages("the parent's", memory, 4);
    give(turns.to_child);
    end_child("child", child);
    say_pages("the parent's", memory, 4);
}

static void untouched_pages(void)
{
    uint8_t *memory = map_pages(4);
    memory[PAGE] = 5;
    in_child("child", write_all, memory);
    say_pages("the parent's", memory, 4);
    memory[2 * PAGE] = 6;
    say_pages("the parent's", memory, 4);
}

static void shared_memory(void)
{
    uint8_t *memory = map_shared_pages(4);
    memory[0] = 1;
    in_child("child", write_all, memory);
    say_pages("the parent's", memory, 4);
}

static void change_mappings(void *argument)
{
    uint8_t *memory = argument;
    CALL("the child unmaps", munmap(memory, PAGE));
    CALL("the child protects", mprotect(memory + PAGE, PAGE, PROT_NONE));
    READ("unmapped", memory);
    READ("protected", memory + PAGE);
}

static void mappings_are_the_childs_own(void)
{
    uint8_t *memory = map_pages(3);
    fill_pages(memory, 3, 1);
    in_child("child", change_mappings, memory);
    WRITE("the parent's, first", memory);
    WRITE("the parent's, second", memory + PAGE);
    say_pages("the parent's", memory, 3);
}

static void protections_are_copied(void)
{
    uint8_t *memory = map_pages(3);
    mprotect(memory, PAGE, PROT_READ);
    mprotect(memory + PAGE, PAGE, PROT_NONE);
    pid_t child = start_child();
    if (child == 0) {
        WRITE("the child, read-only", memory);
        READ("the child, none", memory + PAGE);
        WRITE("the child, writable", memory + 2 * PAGE);
        _exit(0);
    }
    end_child("child", child);
}

/* Three generations with two children each; every process writes its own number to every page, and
 * looks whether it stays. */
enum { TREE_PAGES = 32, TREE_DEPTH = 3 };

/* In memory that they all share: one count on each page. */
static uint8_t *tree_counts;

static void count_on_each_page(void)
{
    for (size_t i = 0; i < TREE_PAGES; i++)
        __atomic_add_fetch(&tree_counts[i * PAGE], 1, __ATOMIC_RELAXED);
}

static bool write_and_check(uint8_t *memory, uint8_t value)
{
    for (size_t i = 0; i < TREE_PAGES; i++)
        memset(memory + i * PAGE, value, PAGE);
    for (size_t i = 0; i < TREE_PAGES * PAGE; i++)
        if (memory[i] != value)
            return false;
    return true;
}

/* The number of processes below and with this one that saw only their own writes. */
static int grow_tree(uint8_t *memory, unsigned depth, unsigned number)
{
    int good = 0;
    bool inherited = memory[7] == (uint8_t)(number / 2);
    pid_t children[2] = {0, 0};
    for (unsigned i = 0; i < 2 && depth < TREE_DEPTH; i++) {
        memory[7] = (uint8_t)number;
        children[i] = fork();
        must(children[i] >= 0, "fork");
        if (children[i] == 0)
            _exit(grow_tree(memory, depth + 1, 2 * number + i));
    }
    count_on_each_page();
    bool own = write_and_check(memory, (uint8_t)(number + 100));
    for (unsigned i = 0; i < 2 && depth < TREE_DEPTH; i++) {
        int status = 0;
        must(waitpid(children[i], &status, 0) == children[i], "waitpid");
        good += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    own = own && memory[8 * PAGE] == (uint8_t)(number + 100);
    return good + (inherited && own);
}

static void tree(void)
{
    uint8_t *memory = map_pages(TREE_PAGES);
    tree_counts = map_shared_pages(TREE_PAGES);
    say("processes that saw only their own: %d", grow_tree(memory, 0, 1));
    say_pages("processes that counted, on each shared page", tree_counts, TREE_PAGES);
}

/* A chain of caches as deep as the processes, while each generation dies. */
static void chain(void)
{
    uint8_t *memory = map_pages(8);
    fill_pages(memory, 8, 1);
    for (int i = 0; i < 40; i++) {
        pid_t child = start_child();
        if (child != 0) {
            int status = 0;
            must(waitpid(child, &status, 0) == child, "waitpid");
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 97);
        }
        memory[(size_t)(i % 8) * PAGE] = (uint8_t)(i + 100);
    }
    say_pages("the 40th generation's", memory, 8);
    _exit(7);
}

static void many(void)
{
    uint8_t *memory = map_pages(16);
    fill_pages(memory, 16, 1);
    unsigned sum = 0;
    for (int i = 0; i < 200; i++) {
        pid_t child = start_child();
        if (child == 0) {
            memory[(size_t)(i % 16) * PAGE] = (uint8_t)i;
            _exit(memory[(size_t)(i % 16) * PAGE] & 127);
        }
        memory[(size_t)((i + 1) % 16) * PAGE] ^= 0;
        int status = 0;
        must(waitpid(child, &status, 0) == child, "waitpid");
        sum += (unsigned)WEXITSTATUS(status);
    }
    say("200 children, sum %u", sum);
    say_pages("the parent's", memory, 16);
}

static void many_at_once(void)
{
    enum { COUNT = 24 };
    uint8_t *memory = map_pages(8);
    struct turns turns;
    make_turns(&turns);
    fill_pages(memory, 8, 1);
    for (int i = 0; i < COUNT; i++)
        if (start_child() == 0) {
            take(turns.to_child);
            memset(memory, i, 8 * PAGE);
            _exit(memory[5 * PAGE + 77] == i ? 1 : 0);
        }
    for (int i = 0; i < COUNT; i++)
        give(turns.to_child);
    int good = 0, status;
    while (wait(&status) > 0)
        good += WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    say("children with their own pages: %d", good);
    say_pages("the parent's", memory, 8);
}

static void vfork_and_exit(void)
{
    volatile uint8_t *memory = map_shared_pages(1);
    pid_t child = vfork();
    if (child == 0) {
        memory[0] = 5;
        _exit(3);
    }
    say("when vfork is back: %d", memory[0]);
    end_child("child", child);
}

static void calls_on_copied_buffers(void)
{
    struct turns turns;
    make_turns(&turns);
    uint8_t *memory = map_pages(2);
    fill_pages(memory, 2, 1);
    pid_t child = start_child();
    if (child == 0) {
        take(turns.to_child);
        say_pages("the child's", memory, 2);
        _exit(0);
    }
    int ends[2];
    must(pipe(ends) == 0, "pipe");
    must(write(ends[1], "abc", 3) == 3, "write");
    CALL("the kernel writes to a page still shared", read(ends[0], memory, 3));
    give(turns.to_child);
    end_child("child", child);
    say_pages("the parent's", memory, 2);
}

const struct guest_case fork_cases[] = {
    {"fork.child_writes", child_writes},
    {"fork.parent_writes", parent_writes},
    {"fork.untouched_pages", untouched_pages},
    {"fork.shared_memory", shared_memory},
    {"fork.mappings_are_the_childs_own", mappings_are_the_childs_own},
    {"fork.protections_are_copied", protections_are_copied},
    {"fork.tree", tree},
    {"fork.chain", chain},
    {"fork.many", many},
    {"fork.many_at_once", many_at_once},
    {"fork.vfork_and_exit", vfork_and_exit},
    {"fork.calls_on_copied_buffers", calls_on_copied_buffers},
    {NULL, NULL},
};
