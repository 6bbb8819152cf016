/* SPDX-License-Identifier: MIT */
/* Files: the one cache of each vnode. The interface is in <quire/vm.h>. */
#ifndef VM_FILE_H
#define VM_FILE_H

#include <quire/vm.h>

region_id _vm_map_file(aspace_id aid, const char *name, void **address, int addr_type, addr_t size,
                       unsigned lock, int mapping, const char *path, off_t offset, bool kernel);

#endif
