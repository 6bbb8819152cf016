/* SPDX-License-Identifier: MIT */
/* Barrelfish's errors: a value is a stack of codes, the outermost in the low bits, so that it says what
 * failed and why. 0 is success. Below the codes of the layer stands the core's reason, where it has one. */
#ifndef QUIRE_ERRVAL_H
#define QUIRE_ERRVAL_H

#include <quire/types.h>

typedef uintptr_t errval_t;

#define ERR_CODE_BITS 10
#define ERR_CODE_MASK (((errval_t)1 << ERR_CODE_BITS) - 1)
/* Codes that a value has room for; what is pushed further loses the innermost. */
#define ERR_MAX_DEPTH ((unsigned)(sizeof(errval_t) * 8 / ERR_CODE_BITS))

/* Each code with its sentence. Names are Barrelfish's, HANDER included; QUIRE_ERR_* are the core's. */
#define ERRVAL_CODES(CODE)                                                                         \
    CODE(LIB_ERR_NOT_IMPLEMENTED, "this object has no such operation")                             \
    CODE(LIB_ERR_MALLOC_FAIL, "no memory for a structure")                                         \
    CODE(LIB_ERR_INVALID_ARGS, "an argument is no such thing, or out of range")                    \
    CODE(LIB_ERR_FRAME_ALLOC, "no frame")                                                          \
    CODE(LIB_ERR_FRAME_CREATE, "the frame could not be made")                                      \
    CODE(LIB_ERR_FRAME_CREATE_MS_CONSTRAINTS, "no frame that large: a smaller one may be had")     \
    CODE(LIB_ERR_FRAME_IDENTIFY, "the capability is of no frame")                                  \
    CODE(LIB_ERR_CAP_DESTROY, "the capability could not be destroyed")                             \
    CODE(LIB_ERR_SLAB_REFILL, "no memory for more blocks")                                         \
    CODE(LIB_ERR_SERIALISE_BUFOVERFLOW, "the buffer is too small")                                 \
    CODE(LIB_ERR_DESERIALISE, "the buffer holds no serialised translations")                       \
    CODE(LIB_ERR_VSPACE_CURRENT_INIT, "the current vspace could not be set up")                    \
    CODE(LIB_ERR_VSPACE_INIT, "the vspace could not be set up")                                    \
    CODE(LIB_ERR_VSPACE_LAYOUT_INIT, "the layout could not be set up")                             \
    CODE(LIB_ERR_VSPACE_DESTROY, "the vspace could not be destroyed")                              \
    CODE(LIB_ERR_VSPACE_REGION_OVERLAP, "the vregion overlaps what is there")                      \
    CODE(LIB_ERR_VSPACE_ADD_REGION, "the vregion could not be added")                              \
    CODE(LIB_ERR_VSPACE_REMOVE_REGION, "the vregion could not be removed")                         \
    CODE(LIB_ERR_VSPACE_PAGEFAULT_HANDER, "the vspace did not resolve the fault")                  \
    CODE(LIB_ERR_VSPACE_VREGION_NOT_FOUND, "no such vregion in this vspace")                       \
    CODE(LIB_ERR_VSPACE_PAGEFAULT_ADDR_NOT_FOUND, "a fault where no vregion is")                   \
    CODE(LIB_ERR_VSPACE_PINNED_INIT, "pinned memory could not be set up")                          \
    CODE(LIB_ERR_VSPACE_PINNED_ALLOC, "no pinned memory")                                          \
    CODE(LIB_ERR_VSPACE_PINNED_INVALID_TYPE, "no such type of pinned memory")                      \
    CODE(LIB_ERR_VSPACE_MAP, "the object could not be mapped")                                     \
    CODE(LIB_ERR_VSPACE_MMU_AWARE_INIT, "the growing region could not be set up")                  \
    CODE(LIB_ERR_VSPACE_MMU_AWARE_MAP, "the growing region could not grow")                        \
    CODE(LIB_ERR_VSPACE_MMU_AWARE_NO_SPACE, "the growing region is full")                          \
    CODE(LIB_ERR_VREGION_MAP, "the vregion could not be mapped")                                   \
    CODE(LIB_ERR_VREGION_MAP_FIXED, "the vregion could not be mapped there")                       \
    CODE(LIB_ERR_VREGION_NOT_FOUND, "no such vregion")                                             \
    CODE(LIB_ERR_VREGION_DESTROY, "the vregion could not be destroyed")                            \
    CODE(LIB_ERR_VREGION_PAGEFAULT_HANDLER, "the vregion did not resolve the fault")               \
    CODE(LIB_ERR_VREGION_BAD_ALIGNMENT, "an address, offset or alignment is not of whole pages")   \
    CODE(LIB_ERR_MEMOBJ_CREATE_ANON, "no anonymous object")                                        \
    CODE(LIB_ERR_MEMOBJ_CREATE_ONE_FRAME, "no object of one frame")                                \
    CODE(LIB_ERR_MEMOBJ_CREATE_ONE_FRAME_ONE_MAP, "no object of one frame, mapped once")           \
    CODE(LIB_ERR_MEMOBJ_CREATE_PINNED, "no pinned object")                                         \
    CODE(LIB_ERR_MEMOBJ_CREATE_VFS, "no object of a file")                                         \
    CODE(LIB_ERR_MEMOBJ_MAP_REGION, "the object does not go into this vregion")                    \
    CODE(LIB_ERR_MEMOBJ_UNMAP_REGION, "the object could not be taken off the vregion")             \
    CODE(LIB_ERR_MEMOBJ_PIN_REGION, "the range could not be pinned, or is pinned")                 \
    CODE(LIB_ERR_MEMOBJ_UNPIN_REGION, "no such range was pinned")                                  \
    CODE(LIB_ERR_MEMOBJ_FILL, "the object could not be filled so")                                 \
    CODE(LIB_ERR_MEMOBJ_PAGEFAULT_HANDLER, "the object did not resolve the fault")                 \
    CODE(LIB_ERR_MEMOBJ_PAGER_FREE, "the object can not free as much")                             \
    CODE(LIB_ERR_MEMOBJ_WRONG_OFFSET, "no frame is at this offset, or none goes there")            \
    CODE(LIB_ERR_MEMOBJ_FRAME_ALLOC, "no frame for the object")                                    \
    CODE(LIB_ERR_MEMOBJ_VREGION_ALREADY_MAPPED, "the object is mapped already")                    \
    CODE(LIB_ERR_MEMOBJ_UNFILL_TOO_HIGH_OFFSET, "no frame is at or above this offset")             \
    CODE(LIB_ERR_MEMOBJ_PROTECT, "the protection could not be set")                                \
    CODE(LIB_ERR_MEMOBJ_DUPLICATE_FILL, "a frame is there already")                                \
    CODE(LIB_ERR_PMAP_INIT, "the pmap could not be set up")                                        \
    CODE(LIB_ERR_PMAP_CURRENT_INIT, "the current pmap could not be set up")                        \
    CODE(LIB_ERR_PMAP_DETERMINE_ADDR, "no address was found")                                      \
    CODE(LIB_ERR_PMAP_DO_MAP, "the frame could not be mapped so")                                  \
    CODE(LIB_ERR_PMAP_MAP, "the pmap could not map")                                               \
    CODE(LIB_ERR_PMAP_DO_SINGLE_MAP, "a page could not be mapped")                                 \
    CODE(LIB_ERR_PMAP_UNMAP, "the pmap could not unmap")                                           \
    CODE(LIB_ERR_PMAP_DO_SINGLE_UNMAP, "a page could not be unmapped")                             \
    CODE(LIB_ERR_PMAP_MODIFY_FLAGS, "the pmap could not set the flags")                            \
    CODE(LIB_ERR_PMAP_GET_PTABLE, "no page table")                                                 \
    CODE(LIB_ERR_PMAP_ALLOC_VNODE, "no memory for a page table")                                   \
    CODE(LIB_ERR_PMAP_CLONE_VNODE, "a page table could not be copied")                             \
    CODE(LIB_ERR_PMAP_ADDR_NOT_FREE, "the address is not free")                                    \
    CODE(LIB_ERR_PMAP_FIND_VNODE, "nothing is mapped at this address")                             \
    CODE(LIB_ERR_PMAP_EXISTING_MAPPING, "something is mapped there already")                       \
    CODE(LIB_ERR_PMAP_FRAME_SIZE, "the frame is smaller than that")                                \
    CODE(LIB_ERR_PMAP_FRAME_IDENTIFY, "the capability is of no frame")                             \
    CODE(LIB_ERR_PMAP_NOT_MAPPED, "nothing is mapped there")                                       \
    CODE(LIB_ERR_PMAP_ALLOC_CNODE, "no slots for capabilities")                                    \
    CODE(LIB_ERR_OUT_OF_VIRTUAL_ADDR, "no addresses are left")                                     \
    CODE(QUIRE_ERR_GENERAL, "the core failed")                                                     \
    CODE(QUIRE_ERR_INVALID_ASPACE, "no such address space")                                        \
    CODE(QUIRE_ERR_INVALID_REGION, "no such region")                                               \
    CODE(QUIRE_ERR_BAD_ADDRESS, "an address is bad")                                               \
    CODE(QUIRE_ERR_PF_FATAL, "a fault that nothing may resolve")                                   \
    CODE(QUIRE_ERR_PF_BAD_ADDRESS, "a fault where no region is")                                   \
    CODE(QUIRE_ERR_PF_BAD_PERM, "a fault that the protection forbids")                             \
    CODE(QUIRE_ERR_PAGE_NOT_PRESENT, "nothing is mapped there")                                    \
    CODE(QUIRE_ERR_NO_REGION_SLOT, "the range is taken, or no hole is large enough")               \
    CODE(QUIRE_ERR_WOULD_OVERCOMMIT, "more memory would be promised than there is")                \
    CODE(QUIRE_ERR_BAD_USER_MEMORY, "a program's pointer can't be used")                           \
    CODE(QUIRE_ERR_PF_PAST_END, "a fault beyond the end of the object")                            \
    CODE(QUIRE_ERR_NO_MEMORY, "no memory")                                                         \
    CODE(QUIRE_ERR_INVALID_ARGS, "an argument is bad")                                             \
    CODE(QUIRE_ERR_NOT_FOUND, "not found")                                                         \
    CODE(QUIRE_ERR_IO, "reading or writing failed")                                                \
    CODE(QUIRE_ERR_TIMED_OUT, "it took too long")                                                  \
    CODE(QUIRE_ERR_INTERRUPTED, "the waiting thread was killed")                                   \
    CODE(QUIRE_ERR_PERMISSION_DENIED, "that is not allowed")                                       \
    CODE(QUIRE_ERR_UNSUPPORTED, "that can't be done")

enum err_code {
    SYS_ERR_OK = 0,
#define ERRVAL_NAME(name, text) name,
    ERRVAL_CODES(ERRVAL_NAME)
#undef ERRVAL_NAME
        ERR_CODES /* how many there are, success included */
};

/* The outermost code. */
enum err_code err_no(errval_t error);
bool err_is_ok(errval_t error);
bool err_is_fail(errval_t error);
/* `code` around what failed further in. */
errval_t err_push(errval_t error, enum err_code code);
/* Without the outermost code: SYS_ERR_OK after the last. */
errval_t err_pop(errval_t error);
/* Whether the code is in the stack, anywhere. */
bool err_has(errval_t error, enum err_code code);
/* The outermost code's sentence, and its name: never NULL. */
const char *err_getstring(errval_t error);
const char *err_getcode(errval_t error);
/* The core's error as a code, and back (ERR_VM_GENERAL for codes that aren't the core's). */
errval_t err_from_vm(int error);
int err_to_vm(errval_t error);

#endif
