/* SPDX-License-Identifier: MIT */
/* The words that every public header shares: addresses, identifiers, errors. */
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A virtual or physical address, or a size in bytes. */
typedef uintptr_t addr_t;
/* An offset in bytes into a cache or a file. The same type as POSIX's on every LP64 system, so that
 * both may be declared; a host whose off_t differs defines QUIRE_HAS_OFF_T and includes its own. */
#ifndef QUIRE_HAS_OFF_T
typedef int64_t off_t;
#endif

/* Identifiers are positive and are not used again; a negative value is an error. */
typedef int64_t aspace_id;
typedef int64_t region_id;

#define VM_PAGE_SHIFT 12
#define VM_PAGE_SIZE ((addr_t)1 << VM_PAGE_SHIFT)
#define VM_PAGE_MASK (VM_PAGE_SIZE - 1)

/* Every function that can fail returns one of these; what a function may return is said with it.
 * The first eleven are NewOS's. vm_error_text() has a sentence for each. */
enum vm_error {
    VM_OK = 0,
    ERR_VM_GENERAL = -4096,
    ERR_VM_INVALID_ASPACE = -4097,   /* no address space has this id, or it is being deleted */
    ERR_VM_INVALID_REGION = -4098,   /* no region has this id in this address space */
    ERR_VM_BAD_ADDRESS = -4099,      /* outside the address space, wraps, or not page aligned */
    ERR_VM_PF_FATAL = -4100,         /* a fault that nothing may resolve (null region, guard) */
    ERR_VM_PF_BAD_ADDRESS = -4101,   /* a fault where no region is */
    ERR_VM_PF_BAD_PERM = -4102,      /* a fault that the region's protection forbids */
    ERR_VM_PAGE_NOT_PRESENT = -4103, /* nothing is mapped there */
    ERR_VM_NO_REGION_SLOT = -4104,   /* the range is taken, or no hole is large enough */
    ERR_VM_WOULD_OVERCOMMIT = -4105, /* more memory would be promised than there is */
    ERR_VM_BAD_USER_MEMORY = -4106,  /* a pointer from a user program can't be used */
    ERR_VM_PF_PAST_END = -4107,      /* a fault beyond the end of the mapped object */
    ERR_NO_MEMORY = -4108,           /* no frame left now */
    ERR_INVALID_ARGS = -4109,
    ERR_NOT_FOUND = -4110,
    ERR_IO = -4111, /* a store failed */
    ERR_TIMED_OUT = -4112,
    ERR_INTERRUPTED = -4113, /* the waiting thread was killed */
    ERR_PERMISSION_DENIED = -4114,
    ERR_UNSUPPORTED = -4115, /* this store can't do that */
};

/* A sentence for an error, without a full stop; never NULL. */
const char *vm_error_text(int error);

/* What an access does. */
#define VM_ACCESS_READ 0x1u
#define VM_ACCESS_WRITE 0x2u
#define VM_ACCESS_EXECUTE 0x4u
#define VM_ACCESS_USER 0x8u
/* A store may be asked for the pages behind this one, too, and what is in memory around it mapped, whatever the
 * region's advice. */
#define VM_ACCESS_CLUSTER 0x10u

struct vm_address_space;
struct vm_region;
struct vm_cache;
struct vm_cache_ref;
struct vm_store;
struct vm_page;
struct vm_tmap_format;
struct vm_policy;
typedef struct vm_address_space vm_address_space;
typedef struct vm_region vm_region;
typedef struct vm_cache vm_cache;
typedef struct vm_cache_ref vm_cache_ref;
typedef struct vm_store vm_store;
typedef struct vm_page vm_page;

#endif
