/* SPDX-License-Identifier: MIT */
/* The names in /proc. Its vnodes are made when they are looked up and go when nobody uses them. */
#include "proc.h"
#include "fs.h"
#include "user_copy.h"
#include <kernel/process.h>
#include <quire/host.h>

enum { INODE_BASE = 0x10000000, INODES_PER_PROCESS = 0x1000, FIRST_PID_POSITION = 64 };

/* What a vnode of /proc is about: data points to one. */
struct proc_node {
    int32_t pid; /* 0: the system */
    int fd;
    proc_writer write;
};

static const struct proc_file {
    const char *name;
    proc_writer write;
} system_files[] =
    {
        {"meminfo", proc_write_meminfo}, {"uptime", proc_write_uptime},
        {"mounts", proc_write_mounts},   {"version", proc_write_version},
        {"loadavg", proc_write_loadavg}, {"stat", proc_write_system_stat},
        {"vmstat", proc_write_vmstat},   {"swaps", proc_write_swaps},
},
  process_files[] = {
      {"maps", proc_write_maps},
      {"stat", proc_write_stat},
      {"statm", proc_write_statm},
      {"status", proc_write_status},
      {"comm", proc_write_name},
      {"cmdline", proc_write_command_line},
      {"mounts", proc_write_mounts},
      {"smaps", proc_write_smaps},
      {"smaps_rollup", proc_write_smaps_rollup},
};
enum {
    SYSTEM_FILES = sizeof(system_files) / sizeof(system_files[0]),
    PROCESS_FILES = sizeof(process_files) / sizeof(process_files[0]),
};

static const struct vnode_ops text_vnode_ops, self_vnode_ops, process_vnode_ops, exe_vnode_ops,
    cwd_vnode_ops, fd_directory_ops, fd_vnode_ops;

static const struct proc_node *node_of(const struct vnode *vnode)
{
    return vnode->data;
}

static void node_destroy(struct vnode *vnode)
{
    vm_meta_free(vnode->data, sizeof(struct proc_node));
}

static int make(const struct vnode_ops *ops, unsigned mode, struct proc_node node,
                struct vnode *parent, struct vnode **result)
{
    struct proc_node *data = vm_meta_alloc(sizeof(*data));
    struct vnode *vnode = data != NULL ? vnode_create(ops, mode) : NULL;
    *result = vnode;
    if (vnode == NULL) {
        if (data != NULL)
            vm_meta_free(data, sizeof(*data));
        return -ENOMEM;
    }
    *data = node;
    vnode->data = data;
    vnode->link_count = (mode & S_IFMT) == S_IFDIR ? 2 : 1;
    /* Only for "..": /proc itself stays as long as anybody looks. */
    vnode->parent = (mode & S_IFMT) == S_IFDIR ? parent : NULL;
    return 0;
}

static bool name_is(const char *name, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(name, text, length) == 0;
}

static int lookup_file(const struct proc_file *files, size_t count, int32_t pid, const char *name,
                       size_t length, struct vnode **found)
{
    for (size_t i = 0; i < count; i++) {
        if (name_is(name, length, files[i].name))
            return make(&text_vnode_ops, S_IFREG | 0444,
                        (struct proc_node){.pid = pid, .write = files[i].write}, NULL, found);
    }
    return -ENOENT;
}

/* ---- files of text --------------------------------------------------------------------------------- */

static int64_t text_read(struct file *file, void *buffer, size_t length, bool user, off_t *position)
{
    const struct proc_text *text = file->data;
    if (*position < 0 || (size_t)*position >= text->length)
        return 0;
    size_t left = text->length - (size_t)*position;
    size_t size = length < left ? length : left;
    if (copy_out(buffer, text->data + *position, size, user) != 0)
        return -EFAULT;
    *position += (off_t)size;
    return (int64_t)size;
}

static void text_close(struct file *file)
{
    proc_text_free(file->data);
    vm_meta_free(file->data, sizeof(struct proc_text));
}

static const struct file_ops text_file_ops = {
    .read = text_read, .close = text_close, .seekable = true};

/* The file says what was so when it was opened. */
static int text_open(struct file *file)
{
    const struct proc_node *node = node_of(file->vnode);
    struct process *process = node->pid != 0 ? process_find(node->pid) : NULL;
    if (node->pid != 0 && process == NULL)
        return -ESRCH;
    struct proc_text *text = vm_meta_alloc(sizeof(*text));
    int error = text == NULL ? -ENOMEM : 0;
    if (text != NULL) {
        *text = (struct proc_text){0};
        node->write(text, process);
        if (text->failed) {
            proc_text_free(text);
            vm_meta_free(text, sizeof(*text));
            error = -ENOMEM;
        }
    }
    if (process != NULL)
        process_put(process);
    file->ops = &text_file_ops;
    file->data = error == 0 ? text : NULL;
    return error;
}

static const struct vnode_ops text_vnode_ops = {.open = text_open, .destroy = node_destroy};

/* ---- /proc ------------------------------------------------------------------------------------------- */

static bool parse_pid(const char *name, size_t length, int32_t *pid)
{
    int32_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9' || value > INT32_MAX / 10 - 9)
            return false;
        value = value * 10 + (name[i] - '0');
    }
    *pid = value;
    return length > 0 && (name[0] != '0' || length == 1);
}

static int root_lookup(struct vnode *directory, const char *name, size_t length,
                       struct vnode **found)
{
    int32_t pid;
    if (name_is(name, length, "self"))
        return make(&self_vnode_ops, S_IFLNK | 0777, (struct proc_node){0}, NULL, found);
    if (!parse_pid(name, length, &pid))
        return lookup_file(system_files, SYSTEM_FILES, 0, name, length, found);
    struct process *process = process_find(pid);
    if (process == NULL)
        return -ENOENT;
    process_put(process);
    return make(&process_vnode_ops, S_IFDIR | 0555, (struct proc_node){.pid = pid}, directory,
                found);
}

/* Positions: 2 is self, then the system's files, then each process at its pid. */
static void root_iterate(struct vnode *directory, off_t position, struct directory_visit *visit)
{
    (void)directory;
    if (position <= 2 && !visit->visit(visit, "self", 4, INODE_BASE, S_IFLNK, 3))
        return;
    for (off_t i = position < 3 ? 3 : position; i < 3 + SYSTEM_FILES; i++) {
        const char *name = system_files[i - 3].name;
        if (!visit->visit(visit, name, strlen(name), (uint64_t)(INODE_BASE + i), S_IFREG, i + 1))
            return;
    }
    int32_t pid = position > FIRST_PID_POSITION ? (int32_t)(position - FIRST_PID_POSITION - 1) : 0;
    bool more = true;
    for (struct process *process; more && (process = process_next(pid)) != NULL;) {
        char name[16];
        pid = process->pid;
        int length = format_text(name, sizeof(name), "%d", pid);
        more = visit->visit(visit, name, (size_t)length,
                            INODE_BASE + (uint64_t)pid * INODES_PER_PROCESS, S_IFDIR,
                            FIRST_PID_POSITION + pid + 1);
        process_put(process);
    }
}

static int directory_open(struct file *file)
{
    file->ops = &directory_file_ops;
    return 0;
}

static const struct vnode_ops root_vnode_ops = {
    .lookup = root_lookup,
    .iterate = root_iterate,
    .open = directory_open,
};

struct vnode *proc_create_root(void)
{
    return vnode_create(&root_vnode_ops, S_IFDIR | 0555);
}

static int64_t self_read(struct vnode *vnode, char *buffer, size_t size)
{
    char name[16];
    (void)vnode;
    size_t length = (size_t)format_text(name, sizeof(name), "%d", process_current()->pid);
    length = length < size ? length : size;
    memcpy(buffer, name, length);
    return (int64_t)length;
}

static const struct vnode_ops self_vnode_ops = {.read_link = self_read, .destroy = node_destroy};

/* ---- /proc/PID ----------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const struct vnode_ops *ops;
    unsigned mode;
} process_links[] = {
    {"exe", &exe_vnode_ops, S_IFLNK | 0777},
    {"cwd", &cwd_vnode_ops, S_IFLNK | 0777},
    {"fd", &fd_directory_ops, S_IFDIR | 0500},
};
enum { PROCESS_LINKS = sizeof(process_links) / sizeof(process_links[0]) };

static int process_lookup(struct vnode *directory, const char *name, size_t length,
                          struct vnode **found)
{
    int32_t pid = node_of(directory)->pid;
    for (size_t i = 0; i < PROCESS_LINKS; i++) {
        if (name_is(name, length, process_links[i].name))
            return make(process_links[i].ops, process_links[i].mode, (struct proc_node){.pid = pid},
                        fs_root, found);
    }
    return lookup_file(process_files, PROCESS_FILES, pid, name, length, found);
}

static void process_iterate(struct vnode *directory, off_t position, struct directory_visit *visit)
{
    uint64_t inode = INODE_BASE + (uint64_t)node_of(directory)->pid * INODES_PER_PROCESS;
    for (off_t i = position < 2 ? 2 : position; i < 2 + PROCESS_FILES + PROCESS_LINKS; i++) {
        off_t link = i - 2 - PROCESS_FILES;
        const char *name = link >= 0 ? process_links[link].name : process_files[i - 2].name;
        unsigned type = link >= 0 ? process_links[link].mode & S_IFMT : S_IFREG;
        if (!visit->visit(visit, name, strlen(name), inode + (uint64_t)i, type, i + 1))
            return;
    }
}

static const struct vnode_ops process_vnode_ops = {
    .lookup = process_lookup,
    .iterate = process_iterate,
    .open = directory_open,
    .destroy = node_destroy,
};

static struct vnode *vnode_of_descriptor(struct file_state *state, int fd)
{
    struct file *file = fd_get(state, fd);
    struct vnode *vnode = file != NULL ? file->vnode : NULL;
    if (file != NULL) {
        vnode_acquire(vnode);
        file_release(file);
    }
    return vnode;
}

/* What a link of a process leads to, with a reference, or NULL. */
static struct vnode *link_target(const struct vnode *link)
{
    const struct proc_node *node = node_of(link);
    struct process *process = process_find(node->pid);
    struct vnode *target = NULL;
    if (process == NULL)
        return NULL;
    struct file_state *state = file_state_of(process);
    if (link->ops == &exe_vnode_ops) {
        target = process->executable;
        if (target != NULL)
            vnode_acquire(target);
    } else if (state != NULL && link->ops == &cwd_vnode_ops) {
        target = file_state_cwd(state);
    } else if (state != NULL) {
        target = vnode_of_descriptor(state, node->fd);
    }
    file_state_put(state);
    process_put(process);
    return target;
}

static int link_follow(struct vnode *link, struct vnode **target)
{
    *target = link_target(link);
    return *target != NULL ? 0 : -ENOENT;
}

static int64_t link_read(struct vnode *link, char *buffer, size_t size)
{
    char path[512];
    struct vnode *target = link_target(link);
    if (target == NULL)
        return -ENOENT;
    int64_t length = vnode_path_locked(target, path, sizeof(path));
    if (length < 0 && vnode_type(target) == S_IFIFO)
        length = format_text(path, sizeof(path), "pipe:[%lu]", target->inode);
    else if (length < 0 && vnode_type(target) == S_IFCHR)
        length = format_text(path, sizeof(path), "/dev/console");
    else if (length < 0)
        length = format_text(path, sizeof(path), "(deleted)");
    vnode_release(target);
    length = (size_t)length < size ? length : (int64_t)size;
    memcpy(buffer, path, (size_t)length);
    return length;
}

static const struct vnode_ops exe_vnode_ops = {
    .read_link = link_read, .follow = link_follow, .destroy = node_destroy};
static const struct vnode_ops cwd_vnode_ops = {
    .read_link = link_read, .follow = link_follow, .destroy = node_destroy};
static const struct vnode_ops fd_vnode_ops = {
    .read_link = link_read, .follow = link_follow, .destroy = node_destroy};

static int fd_lookup(struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
    struct proc_node node = {.pid = node_of(directory)->pid};
    if (!parse_pid(name, length, &node.fd))
        return -ENOENT;
    int error = make(&fd_vnode_ops, S_IFLNK | 0700, node, NULL, found);
    if (error != 0)
        return error;
    struct vnode *target = link_target(*found);
    if (target == NULL) {
        vnode_release(*found);
        *found = NULL;
        return -ENOENT;
    }
    vnode_release(target);
    return 0;
}

static void fd_iterate(struct vnode *directory, off_t position, struct directory_visit *visit)
{
    struct process *process = process_find(node_of(directory)->pid);
    struct file_state *state = process != NULL ? file_state_of(process) : NULL;
    for (off_t i = position < 2 ? 2 : position; state != NULL && i - 2 < FD_MAX; i++) {
        struct file *file = fd_get(state, (int)(i - 2));
        char name[16];
        if (file == NULL)
            continue;
        file_release(file);
        int length = format_text(name, sizeof(name), "%d", (int)(i - 2));
        if (!visit->visit(visit, name, (size_t)length, INODE_BASE + (uint64_t)i, S_IFLNK, i + 1))
            break;
    }
    file_state_put(state);
    if (process != NULL)
        process_put(process);
}

static const struct vnode_ops fd_directory_ops = {
    .lookup = fd_lookup,
    .iterate = fd_iterate,
    .open = directory_open,
    .destroy = node_destroy,
};
