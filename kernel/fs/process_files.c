/* SPDX-License-Identifier: MIT */
/* What kernel/process asks of the files, as kernel/process.h declares it. */
#include "device.h"
#include "disk_file.h"
#include "fs.h"
#include <kernel/log.h>
#include <kernel/process.h>
#include <quire/host.h>

int fs_init(addr_t archive, size_t size)
{
    const char *problem;
    int error = fs_mount(size != 0 ? host_frame_ptr(archive) : NULL, size, &problem);
    if (error != 0) {
        log_printf("the initial file system can't be used: %s\n", problem);
        return error;
    }
    error = disk_files_start();
    if (error == 0)
        error = console_start();
    if (error != 0) {
        (void)disk_files_end();
        fs_unmount();
    }
    return error;
}

int fs_release_files(void)
{
    console_stop();
    int error = disk_files_end();
    fs_unmount();
    return error;
}

int fs_start(struct process *process)
{
    process->files = file_state_create();
    return process->files != NULL ? 0 : -ENOMEM;
}

int fs_fork(struct process *parent, struct process *child)
{
    child->files = file_state_copy(parent->files);
    return child->files != NULL ? 0 : -ENOMEM;
}

void fs_exec(struct process *process)
{
    file_state_close_on_exec(process->files);
}

void fs_exit(struct process *process)
{
    file_state_leave(process);
    vnode_reap();
}

int fs_open_executable(const char *path, void **vnode)
{
    struct vnode *found;
    int error = path_lookup_executable(file_state_current(), path, &found);
    *vnode = found;
    return error;
}

int fs_vnode_path(void *vnode, char *path, size_t size)
{
    int64_t length = vnode_path(vnode, path, size);
    return length < 0 ? (int)length : 0;
}

bool vnode_is_executing(const struct vnode *vnode)
{
    bool found = false;
    int32_t pid = 0;
    if (vnode_type(vnode) != S_IFREG || (vnode->mode & 0111) == 0)
        return false;
    for (struct process *process; !found && (process = process_next(pid)) != NULL;) {
        pid = process->pid;
        found = process->executable == vnode;
        process_put(process);
    }
    return found;
}
