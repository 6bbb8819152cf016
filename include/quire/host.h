/* SPDX-License-Identifier: MIT */
/* What the core asks of the machine it runs on: its only way out.
 *
 * These are plain functions that the host defines and the linker finds. Each says whether it may
 * sleep and whether it may fail; none is called with interrupts off or from an interrupt. They come
 * in stages, so that a port can start small:
 *   to map       host_log, host_panic, host_frame_ptr
 *   to protect   host_tlb_flush, host_cpu_id
 *   to sleep     host_wait, host_wake, host_time_ns, host_thread_create
 *   programs     host_current_aspace, host_fault_handler, host_user_*
 *   files        host_vnode_*
 * A host without programs or files returns the error that the contract names. */
#ifndef QUIRE_HOST_H
#define QUIRE_HOST_H

#include <quire/types.h>

/* ---- to map ---------------------------------------------------------------------------------- */

/* Writes `length` bytes of text, as they are, wherever the host's log or debugger goes. May not
 * sleep; failures are the host's to hide. */
void host_log(const char *text, size_t length);

/* An invariant of the core is broken: nothing is safe any more. Doesn't return. */
void host_panic(const char *text) __attribute__((noreturn));

/* The address at which the core can read and write the frame at `physical` (which need not be
 * aligned). Linear over each range of kernel_args.physical_memory_range, and always there: a direct
 * map, or an arena. Doesn't sleep, can't fail. */
void *host_frame_ptr(addr_t physical);

/* ---- to protect ------------------------------------------------------------------------------ */

/* The running CPU, below kernel_args.num_cpus. The caller may move at once; it is a hint. */
unsigned host_cpu_id(void);

/* Drop what the TLBs hold for `count` pages from `start` on, translated by the table at `root`, on
 * each CPU whose bit is set in `cpus`; returns when all of them have. `start` is page aligned. A
 * range in the kernel half is translated by every root. A count of VM_TLB_ALL means the whole
 * address space. Called with the core's locks held, so: it may spin, not sleep; it can't fail. */
#define VM_TLB_ALL SIZE_MAX
void host_tlb_flush(addr_t root, uint64_t cpus, addr_t start, size_t count);

/* ---- to sleep -------------------------------------------------------------------------------- */

#define VM_NO_DEADLINE UINT64_MAX

/* Sleeps while *address is `expected`, until woken through host_wake or until host_time_ns()
 * reaches `deadline`. It may return early for no reason. The test and the sleep are one step for
 * wakers. VM_OK; ERR_TIMED_OUT; ERR_INTERRUPTED where `killable` and the thread is to die. */
int host_wait(uint32_t *address, uint32_t expected, uint64_t deadline, bool killable);

/* Wakes up to `count` threads that wait at `address` (UINT32_MAX: all). Doesn't sleep. */
void host_wake(uint32_t *address, uint32_t count);

/* Nanoseconds that never go back. */
uint64_t host_time_ns(void);

/* Starts a kernel thread. VM_OK or ERR_NO_MEMORY. Called from vm_init_postthread on. */
int host_thread_create(const char *name, int (*function)(void *), void *argument);

/* ---- programs -------------------------------------------------------------------------------- */

/* The address space of the running thread's program, of which the thread has a reference as long as it
 * runs there, or NULL where it has none. Doesn't sleep. */
vm_address_space *host_current_aspace(void);

/* Where the running thread goes on when the kernel instruction at `ip` faults on an address that
 * can't be resolved: the recovery of a host_user_* copy. 0: there is none. */
addr_t host_fault_handler(addr_t ip);

/* Copies that may touch a user program's memory: they fault as the program would and give back
 * ERR_VM_BAD_USER_MEMORY at the first byte that can't be reached, having touched nothing behind it.
 * The core has checked that the user side lies in user space. They may sleep. The string copies stop
 * behind the first NUL; strncpy writes at most `size` bytes and doesn't pad. */
int host_user_memcpy(void *to, const void *from, size_t size);
int host_user_strcpy(char *to, const char *from);
int host_user_strncpy(char *to, const char *from, size_t size);
int host_user_memset(void *to, char c, size_t size);

/* ---- files ----------------------------------------------------------------------------------- */
/* A vnode is the host's; the core sees only its address. */

/* The regular file at `path`, with a reference; `access` is what the mapping may do with it
 * (VM_ACCESS_*; a private mapping only reads), `kernel` whether the kernel itself asks.
 * ERR_NOT_FOUND, ERR_PERMISSION_DENIED, ERR_INVALID_ARGS (no regular file), ERR_NO_MEMORY. May sleep. */
int host_vnode_from_path(const char *path, bool kernel, unsigned access, void **vnode);
/* Called under locks of the core's, too: it must not sleep. */
void host_vnode_acquire(void *vnode);
/* May sleep only with the last reference: others are given back under locks of the core's. */
void host_vnode_release(void *vnode);

/* The one cache of this vnode. `host_vnode_set_cache` installs `cache` where none is and says
 * whether it did: a compare-and-swap from NULL. `host_vnode_clear_cache` takes out `cache`, if it
 * is still the one. The vnode doesn't count a reference for it. They don't sleep. */
vm_cache_ref *host_vnode_get_cache(void *vnode);
bool host_vnode_set_cache(void *vnode, vm_cache_ref *cache);
void host_vnode_clear_cache(void *vnode, vm_cache_ref *cache);

/* The file's length in bytes. */
off_t host_vnode_size(void *vnode);

/* Reads `count` pages from `offset` on into the frames. Bytes past the end of the file are left
 * alone: the core clears them. *done counts the bytes. ERR_IO and others; may sleep; no lock of the
 * core is held. */
int host_vnode_read(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done);

/* Writes pages back, never past the end of the file; less than that must be an error. Any fault, copy or
 * call that needs memory may write any file, to free frames: what it needs may not be held by who calls the
 * core. ERR_UNSUPPORTED where the file has no other
 * place than its cache (a ram file system). May sleep. */
int host_vnode_write(void *vnode, off_t offset, const addr_t *frames, size_t count, size_t *done);

#endif
