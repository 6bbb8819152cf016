/* SPDX-License-Identifier: MIT */
/* What the tests of vspace/ need of a machine: one implementation for each that the core runs on. */
#ifndef QUIRE_TESTS_MACHINE_H
#define QUIRE_TESTS_MACHINE_H

#include <quire/vm.h>

/* A machine that has just been started, with a program whose thread runs this. */
void machine_start(void);
/* Ends the program and the machine. What is left over fails the test. */
void machine_stop(void);
/* The core's checker finds nothing. */
void machine_check(void);

/* Addresses that programs may use. */
addr_t machine_user_base(void);
addr_t machine_user_size(void);

/* The thread's access to a byte: what it read (0 for a write), or the negative error of the fault that was
 * not resolved. */
int machine_read(addr_t address);
int machine_write(addr_t address, uint8_t byte);
int machine_execute(addr_t address);
/* Who is called by the faulting thread for a fault that is not resolved: true tries the access again. NULL:
 * nobody. */
typedef bool machine_handler(addr_t address, unsigned access);
void machine_set_handler(machine_handler *handler);
/* Faults so far. */
uint64_t machine_faults(void);

/* The running program; another, into whose address space the thread goes; and away with one. */
aspace_id machine_program(void);
aspace_id machine_new_program(void);
void machine_enter(aspace_id aid);
void machine_end_program(aspace_id aid);
/* The thread is in no program until it enters one. */
void machine_leave(void);

/* A file with these bytes; what it has now. Its data can be written to. */
void *machine_file(const void *bytes, size_t size);
const uint8_t *machine_file_data(void *file);
/* Reads of it fail from here on, or no longer. */
void machine_fail_reads(void *file, bool fail);
/* The physical address of a device with two pages or more: of nothing, where the machine has none. */
addr_t machine_device(void);
/* Whether a program can touch it: else an access is ERR_UNSUPPORTED. */
bool machine_has_devices(void);

size_t machine_free_frames(void);
size_t machine_metadata_bytes(void);

/* The n-th request of a class fails from now on, once (0: none). Whether it has. */
unsigned machine_failure_classes(void);
void machine_fail_at(unsigned class, unsigned n);
bool machine_has_failed(unsigned class);

/* Threads of the program: they begin, and end, in machine_join. */
void machine_spawn(int (*function)(void *), void *argument);
void machine_join(void);
void machine_yield(void);
/* Runs `test` once for each of `count` schedules. */
void machine_with_schedules(unsigned count, void (*test)(void));

#endif
