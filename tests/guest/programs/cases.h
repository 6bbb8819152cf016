/* SPDX-License-Identifier: MIT */
/* Cases that run alike on Linux and in the reference kernel, and say what they saw in words that
 * must be the same on both: no addresses, no process ids, no times.
 *
 * Each case runs in a process of its own, so what it breaks stays broken only there. */
#ifndef QUIRE_GUEST_CASES_H
#define QUIRE_GUEST_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define KERNEL_ADDRESS ((void *)0xffff800000001000)
#define NON_CANONICAL ((void *)0x8000000000000000)

struct guest_case {
    const char *name;
    void (*run)(void);
};

/* Each file's cases end with a NULL name. */
extern const struct guest_case mmap_cases[];
extern const struct guest_case fixed_cases[];
extern const struct guest_case unmap_cases[];
extern const struct guest_case protect_cases[];
extern const struct guest_case remap_cases[];
extern const struct guest_case advise_cases[];
extern const struct guest_case lock_cases[];
extern const struct guest_case brk_cases[];
extern const struct guest_case figures_cases[];
extern const struct guest_case file_cases[];
extern const struct guest_case truncate_cases[];
extern const struct guest_case fork_cases[];
extern const struct guest_case process_cases[];
extern const struct guest_case signal_cases[];
extern const struct guest_case fault_cases[];
extern const struct guest_case stack_cases[];
extern const struct guest_case pointer_cases[];
extern const struct guest_case descriptor_cases[];
extern const struct guest_case exec_cases[];
extern const struct guest_case hostile_cases[];
extern const struct guest_case random_cases[];

/* ---- what a case says: a line each, "CASE: ..." ---- */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "step = 0", or "step = -1 EINVAL" by errno. */
void say_result(const char *step, long result);
/* "step = mapped", or the error. */
void say_mapped(const char *step, const void *result);
/* "step: yes" or "step: no". */
void say_whether(const char *step, bool value);
const char *error_name(int error);
const char *signal_name(int number);
/* "exit 3", "killed by SIGSEGV". */
void say_wait_status(const char *step, int status);

#define CALL(step, call) say_result(step, (long)(call))

/* ---- accesses that may fault ---- */

enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_CALL };

/* "step: ok", or the signal, its code, and whether the address that came with it is right. A write
 * adds 1 to the byte. */
void say_access(const char *step, enum access_kind kind, void *address);
#define READ(step, address) say_access(step, ACCESS_READ, address)
#define WRITE(step, address) say_access(step, ACCESS_WRITE, address)

/* ---- what most cases need; they end the process when it fails ---- */

/* Private, readable, writable. */
uint8_t *map_pages(size_t pages);
uint8_t *map_shared_pages(size_t pages);
/* Fills each page with its number + first. */
void fill_pages(uint8_t *memory, size_t pages, int first);
/* "step: 1 2 3": the first byte of each page. */
void say_pages(const char *step, const uint8_t *memory, size_t pages);
/* A new file of `size` bytes (each page holds its number + 1), open for reading and writing. */
int make_file(const char *path, size_t size);
void must(bool condition, const char *what);
/* Runs it in a child process, and says how that ended. */
void in_child(const char *step, void (*function)(void *), void *argument);

/* The path of this program, for cases that run it again. */
extern const char *own_path;
/* What `own_path --again` does. */
int again(int argc, char **argv);

#endif
