/* SPDX-License-Identifier: MIT */
/* Builds the file system from the initial archive, and takes it down. */
#include "cpio.h"
#include "device.h"
#include "fs.h"
#include "proc.h"
#include "ramfs.h"
#include <kernel/log.h>
#include <kernel/string.h>

struct vnode *fs_root;

/* A file of the archive that has several names, its data being with one of them. */
struct shared_file {
    struct shared_file *next;
    struct vnode *vnode;
    uint32_t inode, device_major, device_minor;
};

struct mount {
    struct shared_file *shared;
    const char *problem;
};

static int broken(struct mount *mount, const char *problem)
{
    mount->problem = problem;
    return -EINVAL;
}

static int no_memory(struct mount *mount)
{
    mount->problem = "there is not enough memory for it";
    return -ENOMEM;
}

/* Names `vnode`, whose reference it takes over, where nothing has that name. */
static int add(struct mount *mount, struct vnode *directory, const char *name, size_t length,
               struct vnode *vnode)
{
    if (vnode == NULL)
        return no_memory(mount);
    int error = ramfs_add(directory, name, length, vnode);
    vnode_release(vnode);
    return error != 0 ? no_memory(mount) : 0;
}

static size_t part_length(const char *name, const char *end)
{
    size_t length = 0;
    while (name + length < end && name[length] != '/')
        length++;
    return length;
}

static bool is_nothing(const char *name, size_t length)
{
    return length == 0 || (length == 1 && name[0] == '.');
}

/* The directory `name` in `directory`, made if need be; not referenced. */
static int enter(struct mount *mount, struct vnode **directory, const char *name, size_t length)
{
    struct directory_entry *entry = ramfs_find(*directory, name, length);
    if (entry == NULL) {
        int error = add(mount, *directory, name, length, ramfs_create(S_IFDIR | 0755));
        if (error != 0)
            return error;
        entry = ramfs_find(*directory, name, length);
    }
    if (entry->vnode->ops != &ramfs_directory_ops)
        return broken(mount, "an entry of it lies in something that is not a directory");
    *directory = entry->vnode;
    return 0;
}

static struct shared_file *find_shared(struct mount *mount, const struct cpio_entry *entry)
{
    struct shared_file *shared = mount->shared;
    while (shared != NULL &&
           (shared->inode != entry->inode || shared->device_major != entry->device_major ||
            shared->device_minor != entry->device_minor))
        shared = shared->next;
    return shared;
}

static struct vnode *remember_shared(struct mount *mount, const struct cpio_entry *entry)
{
    struct shared_file *shared = vm_meta_alloc(sizeof(*shared));
    struct vnode *vnode = shared != NULL ? ramfs_create(entry->mode) : NULL;
    if (vnode == NULL) {
        if (shared != NULL)
            vm_meta_free(shared, sizeof(*shared));
        return NULL;
    }
    vnode_acquire(vnode);
    *shared = (struct shared_file){mount->shared, vnode, entry->inode, entry->device_major,
                                   entry->device_minor};
    mount->shared = shared;
    return vnode;
}

static void forget_shared(struct mount *mount)
{
    while (mount->shared != NULL) {
        struct shared_file *shared = mount->shared;
        mount->shared = shared->next;
        vnode_release(shared->vnode);
        vm_meta_free(shared, sizeof(*shared));
    }
}

static struct vnode *make_regular(struct mount *mount, const struct cpio_entry *entry)
{
    struct vnode *vnode = NULL;
    if (entry->links <= 1) {
        vnode = ramfs_create(entry->mode);
    } else {
        const struct shared_file *shared = find_shared(mount, entry);
        vnode = shared != NULL ? shared->vnode : NULL;
        if (vnode != NULL)
            vnode_acquire(vnode);
        else
            vnode = remember_shared(mount, entry);
    }
    if (vnode != NULL && entry->size > 0) {
        vnode->archive = entry->data;
        vnode->archive_size = vnode->size = (off_t)entry->size;
    }
    return vnode;
}

static int make_link(struct mount *mount, const struct cpio_entry *entry, struct vnode **vnode)
{
    if (entry->size == 0 || entry->size >= PATH_MAX ||
        memchr(entry->data, '\0', entry->size) != NULL)
        return broken(mount, "a symbolic link in it is empty, too long or holds a NUL");
    *vnode = ramfs_create_link((const char *)entry->data, entry->size);
    return 0;
}

/* The vnode for an entry; NULL without an error for what this kernel has no use for. */
static int make_vnode(struct mount *mount, const struct cpio_entry *entry, struct vnode **vnode)
{
    bool known = true;
    int error = 0;
    *vnode = NULL;
    switch (entry->mode & S_IFMT) {
    case S_IFREG:
        *vnode = make_regular(mount, entry);
        break;
    case S_IFLNK:
        error = make_link(mount, entry, vnode);
        break;
    case S_IFDIR:
    case S_IFIFO:
        *vnode = ramfs_create(entry->mode & (S_IFMT | 07777));
        break;
    case S_IFCHR:
        *vnode = device_create(
            DEVICE_NUMBER(entry->special_major & 0xfff, entry->special_minor & 0xff), &known);
        break;
    default:
        return 0;
    }
    if (error == 0 && *vnode == NULL && known)
        return no_memory(mount);
    return error;
}

static void set_attributes(struct vnode *vnode, const struct cpio_entry *entry)
{
    vnode->mode = (vnode->mode & S_IFMT) | (entry->mode & 07777);
    vnode->uid = entry->uid;
    vnode->gid = entry->gid;
    vnode->accessed = vnode->modified = vnode->changed =
        (struct linux_timespec){(int64_t)entry->modified, 0};
}

/* Puts an entry in its directory. As Linux has it, a later one of the same name replaces an earlier. */
static int place(struct mount *mount, struct vnode *directory, const char *name, size_t length,
                 const struct cpio_entry *entry)
{
    struct directory_entry *old = ramfs_find(directory, name, length);
    bool is_directory = (entry->mode & S_IFMT) == S_IFDIR;
    struct vnode *vnode;
    if (old != NULL && vnode_type(old->vnode) == S_IFDIR) {
        if (!is_directory)
            return broken(mount, "an entry of it has the name of a directory");
        set_attributes(old->vnode, entry);
        return 0;
    }
    int error = make_vnode(mount, entry, &vnode);
    if (error != 0 || vnode == NULL)
        return error;
    if (old != NULL)
        ramfs_remove(old);
    vnode_acquire(vnode);
    error = add(mount, directory, name, length, vnode);
    if (error == 0)
        set_attributes(vnode, entry);
    vnode_release(vnode);
    return error;
}

static int add_entry(struct mount *mount, const struct cpio_entry *entry)
{
    struct vnode *directory = fs_root;
    const char *name = entry->name, *end = name + entry->name_length;
    for (;;) {
        size_t length = part_length(name, end);
        const char *next = name + length;
        while (next < end && *next == '/')
            next++;
        bool last = next == end;
        if (is_nothing(name, length)) {
            if (last && directory == fs_root && (entry->mode & S_IFMT) == S_IFDIR)
                set_attributes(fs_root, entry);
            if (last)
                return 0;
        } else if (last) {
            return place(mount, directory, name, length, entry);
        } else {
            int error = enter(mount, &directory, name, length);
            if (error != 0)
                return error;
        }
        name = next;
    }
}

static int add_archive(struct mount *mount, const void *archive, size_t size)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    int result, error = 0;
    if (archive == NULL || size == 0)
        return broken(mount, "there is none");
    cpio_open(&reader, archive, size);
    while (error == 0 && (result = cpio_next(&reader, &entry)) != 0)
        error = result < 0 ? broken(mount, reader.problem) : add_entry(mount, &entry);
    forget_shared(mount);
    return error;
}

static const struct {
    const char *name;
    uint64_t number;
} device_nodes[] = {
    {"null", DEVICE_NULL},
    {"zero", DEVICE_ZERO},
    {"full", DEVICE_NUMBER(1, 7)},
    {"random", DEVICE_NUMBER(1, 8)},
    {"urandom", DEVICE_NUMBER(1, 9)},
    {"tty", DEVICE_TTY},
    {"console", DEVICE_CONSOLE},
};
static const struct {
    const char *name, *text;
} device_links[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

static int add_devices(struct mount *mount)
{
    struct vnode *directory = fs_root;
    bool known;
    int error = enter(mount, &directory, "dev", 3);
    for (size_t i = 0; error == 0 && i < sizeof(device_nodes) / sizeof(device_nodes[0]); i++) {
        const char *name = device_nodes[i].name;
        if (ramfs_find(directory, name, strlen(name)) == NULL)
            error = add(mount, directory, name, strlen(name),
                        device_create(device_nodes[i].number, &known));
    }
    for (size_t i = 0; error == 0 && i < sizeof(device_links) / sizeof(device_links[0]); i++) {
        const char *name = device_links[i].name, *text = device_links[i].text;
        if (ramfs_find(directory, name, strlen(name)) == NULL)
            error =
                add(mount, directory, name, strlen(name), ramfs_create_link(text, strlen(text)));
    }
    return error;
}

/* /proc is what this kernel makes it, whatever the archive has there; /tmp is needed by everybody. */
static int add_special_directories(struct mount *mount)
{
    struct vnode *directory = fs_root;
    struct directory_entry *old = ramfs_find(fs_root, "proc", 4);
    int error = enter(mount, &directory, "tmp", 3);
    if (error != 0)
        return error;
    if (old != NULL && vnode_type(old->vnode) == S_IFDIR && !ramfs_is_empty(old->vnode))
        return broken(mount, "it has files in /proc");
    if (old != NULL)
        ramfs_remove(old);
    return add(mount, fs_root, "proc", 4, proc_create_root());
}

int fs_mount(const void *archive, size_t size, const char **problem)
{
    struct mount mount = {0};
    fs_root = ramfs_create(S_IFDIR | 0755);
    if (fs_root == NULL) {
        *problem = "there is not enough memory for it";
        return -ENOMEM;
    }
    fs_root->parent = fs_root;
    fs_root->link_count = 2;
    mutex_lock(&namespace_lock);
    int error = add_archive(&mount, archive, size);
    if (error == 0)
        error = add_devices(&mount);
    if (error == 0)
        error = add_special_directories(&mount);
    mutex_unlock(&namespace_lock);
    if (error != 0) {
        *problem = mount.problem;
        fs_unmount();
    }
    return error;
}

/* => namespace_lock held. Puts the vnode at the end of the path, for what is there. */
static int place_at(struct mount *mount, const char *path, struct vnode *vnode)
{
    struct vnode *directory = fs_root;
    const char *end = path + strlen(path);
    for (;;) {
        while (*path == '/')
            path++;
        size_t length = part_length(path, end);
        if (path[length] == '\0') {
            struct directory_entry *old = ramfs_find(directory, path, length);
            if (length == 0 || (old != NULL && vnode_type(old->vnode) == S_IFDIR))
                return broken(mount, "an entry of it has the name of a directory");
            if (old != NULL)
                ramfs_remove(old);
            vnode_acquire(vnode);
            return add(mount, directory, path, length, vnode);
        }
        int error = enter(mount, &directory, path, length);
        if (error != 0)
            return error;
        path += length;
    }
}

int fs_place(const char *path, struct vnode *vnode, const char **problem)
{
    struct mount mount = {0};
    mutex_lock(&namespace_lock);
    int error = place_at(&mount, path, vnode);
    mutex_unlock(&namespace_lock);
    *problem = mount.problem;
    return error;
}

/* => namespace_lock held. Empties the tree from its leaves on, without recursion. */
static void remove_all(void)
{
    struct vnode *directory = fs_root;
    for (;;) {
        struct directory_entry *entry = ramfs_entry_from(directory, 0);
        if (entry == NULL) {
            if (directory == fs_root)
                return;
            directory = directory->parent;
        } else if (entry->vnode->ops == &ramfs_directory_ops && !ramfs_is_empty(entry->vnode)) {
            directory = entry->vnode;
        } else {
            ramfs_remove(entry);
        }
    }
}

void fs_unmount(void)
{
    if (fs_root == NULL)
        return;
    mutex_lock(&namespace_lock);
    remove_all();
    struct vnode *root = fs_root;
    fs_root = NULL;
    root->link_count = 0;
    mutex_unlock(&namespace_lock);
    vnode_release(root);
    vnode_reap();
    if (vnode_count() != 0)
        log_printf("%u files are still in use after the last program\n", vnode_count());
}
