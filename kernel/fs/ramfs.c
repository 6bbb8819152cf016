/* SPDX-License-Identifier: MIT */
/* A directory is a list of entries in the order in which they came, so that a walk with getdents64
 * goes on where it was, whatever came and went meanwhile. */
#include "ramfs.h"
#include "pipe.h"
#include <kernel/string.h>

struct ramfs_directory {
    struct directory_entry *first, *last;
    off_t next_position;
};

struct ramfs_link {
    size_t length;
    char text[];
};

static struct ramfs_directory *directory_of(struct vnode *vnode)
{
    return vnode->data;
}

struct directory_entry *ramfs_find(struct vnode *directory, const char *name, size_t length)
{
    struct directory_entry *entry = directory_of(directory)->first;
    while (entry != NULL && (entry->length != length || memcmp(entry->name, name, length) != 0))
        entry = entry->next;
    return entry;
}

struct directory_entry *ramfs_entry_from(struct vnode *directory, off_t position)
{
    struct directory_entry *entry = directory_of(directory)->first;
    while (entry != NULL && entry->position < position)
        entry = entry->next;
    return entry;
}

bool ramfs_is_empty(struct vnode *directory)
{
    return directory_of(directory)->first == NULL;
}

static int directory_lookup(struct vnode *directory, const char *name, size_t length,
                            struct vnode **found)
{
    struct directory_entry *entry = ramfs_find(directory, name, length);
    if (entry == NULL)
        return -ENOENT;
    vnode_acquire(entry->vnode);
    *found = entry->vnode;
    return 0;
}

static void directory_iterate(struct vnode *directory, off_t position,
                              struct directory_visit *visit)
{
    struct directory_entry *entry = ramfs_entry_from(directory, position);
    while (entry != NULL && visit->visit(visit, entry->name, entry->length, entry->vnode->inode,
                                         vnode_type(entry->vnode), entry->position + 1))
        entry = entry->next;
}

static int directory_open(struct file *file)
{
    file->ops = &directory_file_ops;
    return 0;
}

/* Nobody can reach it any more, and it is empty. */
static void directory_destroy(struct vnode *vnode)
{
    vm_meta_free(vnode->data, sizeof(struct ramfs_directory));
}

const struct vnode_ops ramfs_directory_ops = {
    .lookup = directory_lookup,
    .iterate = directory_iterate,
    .open = directory_open,
    .destroy = directory_destroy,
};

int regular_open(struct file *file)
{
    file->ops = &regular_file_ops;
    return 0;
}

const struct vnode_ops ramfs_file_ops = {.open = regular_open, .data = &ram_data_ops};

static int64_t link_read(struct vnode *vnode, char *buffer, size_t size)
{
    const struct ramfs_link *link = vnode->data;
    size_t length = link->length < size ? link->length : size;
    memcpy(buffer, link->text, length);
    return (int64_t)length;
}

static void link_destroy(struct vnode *vnode)
{
    struct ramfs_link *link = vnode->data;
    vm_meta_free(link, sizeof(*link) + link->length);
}

const struct vnode_ops ramfs_link_ops = {.read_link = link_read, .destroy = link_destroy};

static struct vnode *create_directory(unsigned mode)
{
    struct ramfs_directory *directory = vm_meta_alloc(sizeof(*directory));
    if (directory == NULL)
        return NULL;
    *directory = (struct ramfs_directory){.next_position = 2}; /* behind "." and ".." */
    struct vnode *vnode = vnode_create(&ramfs_directory_ops, mode);
    if (vnode == NULL)
        vm_meta_free(directory, sizeof(*directory));
    else
        vnode->data = directory;
    return vnode;
}

struct vnode *ramfs_create(unsigned mode)
{
    if ((mode & S_IFMT) == S_IFDIR)
        return create_directory(mode);
    if ((mode & S_IFMT) == S_IFIFO)
        return vnode_create(&fifo_vnode_ops, mode);
    return vnode_create(&ramfs_file_ops, mode);
}

struct vnode *ramfs_create_link(const char *text, size_t length)
{
    struct ramfs_link *link = vm_meta_alloc(sizeof(*link) + length);
    if (link == NULL)
        return NULL;
    link->length = length;
    memcpy(link->text, text, length);
    struct vnode *vnode = vnode_create(&ramfs_link_ops, S_IFLNK | 0777);
    if (vnode == NULL) {
        vm_meta_free(link, sizeof(*link) + length);
        return NULL;
    }
    vnode->data = link;
    vnode->size = (off_t)length;
    return vnode;
}

static struct directory_entry *create_entry(const char *name, size_t length)
{
    struct directory_entry *entry = vm_meta_alloc(sizeof(*entry) + length);
    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof(*entry));
    entry->length = length;
    memcpy(entry->name, name, length);
    return entry;
}

static void append_entry(struct ramfs_directory *directory, struct directory_entry *entry)
{
    entry->position = directory->next_position++;
    entry->previous = directory->last;
    if (directory->last != NULL)
        directory->last->next = entry;
    else
        directory->first = entry;
    directory->last = entry;
}

/* A directory counts its own "." and its subdirectories' ".."; others count their names. */
static void count_name(struct vnode *directory, struct vnode *vnode)
{
    if (vnode_type(vnode) == S_IFDIR) {
        vnode->parent = directory;
        vnode->link_count += 2;
        directory->link_count++;
    } else {
        vnode->link_count++;
    }
}

static void uncount_name(struct vnode *directory, struct vnode *vnode)
{
    uint32_t names = 1;
    if (vnode_type(vnode) == S_IFDIR) {
        vnode->parent = NULL;
        directory->link_count--;
        names = 2;
    }
    __atomic_sub_fetch(&vnode->link_count, names, __ATOMIC_RELEASE);
}

int ramfs_add(struct vnode *directory, const char *name, size_t length, struct vnode *vnode)
{
    if (directory->ops != &ramfs_directory_ops)
        return -EPERM;
    if (directory->parent == NULL)
        return -ENOENT;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    struct directory_entry *entry = create_entry(name, length);
    if (entry == NULL)
        return -ENOMEM;
    vnode_acquire(vnode);
    entry->vnode = vnode;
    entry->directory = directory;
    entry->next_link = vnode->links;
    vnode->links = entry;
    append_entry(directory_of(directory), entry);
    count_name(directory, vnode);
    vnode_modified(directory);
    return 0;
}

static void unlink_entry(struct ramfs_directory *directory, struct directory_entry *entry)
{
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        directory->first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    else
        directory->last = entry->previous;
}

void ramfs_remove(struct directory_entry *entry)
{
    struct vnode *vnode = entry->vnode, *directory = entry->directory;
    struct directory_entry **link = &vnode->links;
    unlink_entry(directory_of(directory), entry);
    while (*link != entry)
        link = &(*link)->next_link;
    *link = entry->next_link;
    uncount_name(directory, vnode);
    vnode_modified(directory);
    vnode_changed(vnode);
    vnode_release(vnode);
    vm_meta_free(entry, sizeof(*entry) + entry->length);
}

bool ramfs_is_above(const struct vnode *vnode, const struct vnode *directory)
{
    while (directory != NULL && directory != vnode && directory != directory->parent)
        directory = directory->parent;
    return directory == vnode;
}
