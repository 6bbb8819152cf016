/* SPDX-License-Identifier: MIT */
/* The core's atomic operations: the compiler's, each of which is a step in test builds, a place where
 * a simulated machine may let another CPU go on. A step comes before its operation. Whatever else is
 * a step (waiting, waking, flushing) is a call of the host's. */
#ifndef VM_ATOMIC_H
#define VM_ATOMIC_H

#if defined(VM_TEST)
void host_step(void);
#define VM_STEP() host_step()
#else
#define VM_STEP() ((void)0)
#endif

#define vm_atomic_load(...) (VM_STEP(), __atomic_load_n(__VA_ARGS__))
#define vm_atomic_store(...) (VM_STEP(), __atomic_store_n(__VA_ARGS__))
#define vm_atomic_exchange(...) (VM_STEP(), __atomic_exchange_n(__VA_ARGS__))
#define vm_atomic_compare_exchange(...) (VM_STEP(), __atomic_compare_exchange_n(__VA_ARGS__))
#define vm_atomic_fetch_add(...) (VM_STEP(), __atomic_fetch_add(__VA_ARGS__))
#define vm_atomic_fetch_sub(...) (VM_STEP(), __atomic_fetch_sub(__VA_ARGS__))
#define vm_atomic_sub_fetch(...) (VM_STEP(), __atomic_sub_fetch(__VA_ARGS__))
#define vm_atomic_fetch_or(...) (VM_STEP(), __atomic_fetch_or(__VA_ARGS__))
#define vm_atomic_fetch_and(...) (VM_STEP(), __atomic_fetch_and(__VA_ARGS__))

/* A figure that nothing is decided by: no step. */
#define vm_atomic_count(figure, n) ((void)__atomic_fetch_add((figure), (n), __ATOMIC_RELAXED))

#endif
