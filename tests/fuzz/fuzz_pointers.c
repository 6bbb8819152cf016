/* SPDX-License-Identifier: MIT */
/* Programs' pointers: copies, strings, copies through a file's cache and the user_vm_* calls, at the edges
 * of user space and of pages, against a model that knows every byte. Where a region may grow by itself, or
 * memory is made to run out, the model is given up: errors, the checker and what is left still count. */
#include <string.h>

#include "fuzz.h"
#include "program_model.h"

#define MEMORY ((size_t)2 << 20)
#define FEW_FRAMES 64 /* where a page fault may find none */
#define MAX_OPERATIONS 40
#define MAX_REGIONS 40
#define KERNEL_SIZE (4 * PAGE)
#define FILE_PAGES 6
#define FILE_SIZE (5 * PAGE + 700) /* the last page has a part of the file */
#define FILES 2
/* What is mapped at first: at both ends of user space and in the middle. */
#define FIRST_PAGES 2
#define FIRST_MIDDLE (WINDOW_MIDDLE + 15 * PAGE)
#define LONGEST_STRING (3 * PAGE)

/* The kernel's side of copies, and what it must hold. */
static uint8_t kernel[KERNEL_SIZE], expected[KERNEL_SIZE];
static const char *const paths[FILES] = {"/f", "/r"}; /* the second can't be written */
static sim_file *files[FILES];
static vm_cache_ref *caches[FILES];
static struct model_page *file_pages[FILES][FILE_PAGES];
static region_id regions[MAX_REGIONS];
static const addr_t first_pages[WINDOWS] = {SIM_USER_BASE, FIRST_MIDDLE,
                                            SIM_USER_END - FIRST_PAGES *PAGE};
static unsigned region_count;
static aspace_id program;
static bool loose; /* the model has been given up */

/* ---- choices ------------------------------------------------------------------------------------ */

/* In a page that was there at first, or near an edge of any page in a window; never so far up that what is
 * used leaves the window. */
static addr_t choose_address(struct input *input)
{
    unsigned how = input_byte(input);
    addr_t window = model_windows[how % WINDOWS];
    if (how < 64)
        return first_pages[how % WINDOWS] + FIRST_PAGES * PAGE - input_byte(input);
    if (how < 128)
        return first_pages[how % WINDOWS] + input_choose(input, FIRST_PAGES * PAGE);
    /* Below and above the window in the middle is memory that the model doesn't know. */
    unsigned first = window == WINDOW_BOTTOM ? 0 : window == WINDOW_TOP ? WINDOW_PAGES - 20 : 2;
    addr_t address = window + (first + input_choose(input, 20)) * PAGE;
    int offset = (int8_t)input_byte(input);
    return how < 224 ? address + (addr_t)offset : address + (addr_t)offset * 37;
}

/* Rarely also what no program has. */
static addr_t choose_any_address(struct input *input)
{
    static const addr_t edges[] = {0,
                                   PAGE,
                                   SIM_USER_BASE,
                                   SIM_USER_END,
                                   (addr_t)1 << 47,
                                   (addr_t)0 - ((addr_t)1 << 47),
                                   SIM_KERNEL_BASE,
                                   SIM_BOOT_BASE,
                                   UINTPTR_MAX};
    unsigned how = input_byte(input);
    if (how < 160)
        return FIRST_MIDDLE + how * 16;
    if (how < 240)
        return choose_address(input);
    return edges[how % (sizeof(edges) / sizeof(edges[0]))] + (addr_t)(int8_t)input_byte(input);
}

static size_t choose_length(struct input *input)
{
    unsigned how = input_byte(input);
    if (how < 64)
        return how;
    if (how < 250)
        return input_choose(input, 2 * PAGE + 64);
    return SIZE_MAX - (how - 250) * input_choose(input, 256);
}

static addr_t choose_size(struct input *input)
{
    unsigned how = input_byte(input);
    if (how < 240)
        return how % 13 * PAGE + (how % 16 == 0 ? 1 : 0);
    return how < 248 ? (addr_t)1 << (how % 8 + 20) : SIZE_MAX - (how - 248) * PAGE;
}

static region_id choose_region(struct input *input)
{
    unsigned how = input_byte(input);
    if (region_count > 0 && how < 240)
        return regions[how % region_count];
    if (how == 250)
        return vm_find_region_by_name(vm_get_kernel_aspace_id(), "boot image");
    return how < 245 ? (region_id)how * 3 : -(region_id)how;
}

/* ---- what a copy must do ------------------------------------------------------------------------ */

/* Where the bytes of one side are: a program's address, or a place in the kernel's buffer. */
struct side {
    bool user;
    addr_t at;
};

static void *pointer(struct side side)
{
    return side.user ? (void *)side.at : kernel + side.at;
}

static bool is_user_range(addr_t address, size_t size)
{
    return address - SIM_USER_BASE < SIM_USER_END - SIM_USER_BASE && size <= SIM_USER_END - address;
}

/* Copies in the model, byte by byte, and says how it ends. */
static int model_copy(struct side to, struct side from, size_t size, bool string)
{
    for (size_t i = 0; i < size; i++) {
        if (from.user && !model_is_readable(from.at + i))
            return ERR_VM_BAD_USER_MEMORY;
        uint8_t byte = from.user ? model_read(from.at + i) : expected[from.at + i];
        if (to.user && !model_is_writable(to.at + i))
            return ERR_VM_BAD_USER_MEMORY;
        if (to.user)
            model_write(to.at + i, byte);
        else
            expected[to.at + i] = byte;
        if (string && byte == 0)
            return VM_OK;
    }
    return VM_OK;
}

/* Copies whose sides are partly the same memory have no defined result. */
static bool overlaps(struct side to, struct side from, size_t size)
{
    if (!to.user || !from.user)
        return !to.user && !from.user;
    for (size_t a = 0; a < size + PAGE; a += PAGE)
        for (size_t b = 0; b < size + PAGE; b += PAGE)
            if (model_is_alias(to.at + a, from.at + b))
                return true;
    return false;
}

static void check_kernel(void)
{
    EXPECT(memcmp(kernel, expected, KERNEL_SIZE) == 0);
}

static void forget_kernel(void)
{
    memcpy(expected, kernel, KERNEL_SIZE);
}

static bool is_copy_error(int error)
{
    return error == VM_OK || error == ERR_VM_BAD_USER_MEMORY;
}

static struct side choose_side(struct input *input, bool user)
{
    if (!user)
        return (struct side){false, input_choose(input, 64) + PAGE};
    struct side side = {true, choose_address(input)};
    /* From the end of user space on an address is taken to be the kernel's. */
    if (side.at >= SIM_USER_END)
        side.at = SIM_USER_END - 1;
    return side;
}

/* ---- copies ------------------------------------------------------------------------------------- */

enum { TO_USER = 1, FROM_USER = 2 };

/* What the range check says before anything is copied. */
static bool passes(struct side side, size_t size)
{
    return !side.user || is_user_range(side.at, size) || (side.at < SIM_USER_BASE && size == 0);
}

static void do_memcpy(struct input *input)
{
    unsigned direction = 1 + input_choose(input, 3);
    struct side to = choose_side(input, direction & TO_USER);
    struct side from = choose_side(input, direction & FROM_USER);
    size_t size = choose_length(input);
    bool good = passes(to, size) && passes(from, size);
    if (good && (overlaps(to, from, size) || size > KERNEL_SIZE - 2 * PAGE))
        return;
    if (!good && direction != (TO_USER | FROM_USER) && size > SIZE_MAX / 2)
        direction = 0; /* the kernel's side is fine all the same */
    int result =
        loose ? VM_OK : (good ? model_copy(to, from, size, false) : ERR_VM_BAD_USER_MEMORY);
    int error = user_memcpy(pointer(to), pointer(from), size);
    EXPECT(is_copy_error(error) && (loose || error == result));
}

static void do_memset(struct input *input)
{
    struct side to = choose_side(input, true);
    size_t size = choose_length(input);
    uint8_t byte = (uint8_t)input_byte(input);
    int result = passes(to, size) ? VM_OK : ERR_VM_BAD_USER_MEMORY;
    for (size_t i = 0; result == VM_OK && !loose && i < size; i++) {
        if (model_is_writable(to.at + i))
            model_write(to.at + i, byte);
        else
            result = ERR_VM_BAD_USER_MEMORY;
    }
    int error = user_memset(pointer(to), (char)byte, size);
    EXPECT(is_copy_error(error) && (loose || error == result));
}

/* How much of a string is looked at, at most: no further than it goes, or than it can be read. */
static size_t string_length(struct side from, size_t limit)
{
    if (from.user)
        return model_string_length(from.at, limit);
    size_t length = strnlen((const char *)expected + from.at, limit);
    return length < limit ? length + 1 : limit;
}

static void do_strings(struct input *input)
{
    unsigned direction = 1 + input_choose(input, 3);
    bool limited = input_byte(input) % 2 != 0;
    struct side to = choose_side(input, direction & TO_USER);
    struct side from = choose_side(input, direction & FROM_USER);
    size_t size = limited ? choose_length(input) : SIZE_MAX;
    size_t length = string_length(from, LONGEST_STRING);
    size_t most = size < length ? size : length;
    if (loose || (most == LONGEST_STRING && size > most) || overlaps(to, from, most) ||
        (!to.user && most > KERNEL_SIZE - 2 * PAGE))
        return;
    bool good = passes(to, 1) && passes(from, 1);
    int result = ERR_VM_BAD_USER_MEMORY, error;
    if (good)
        result = model_copy(to, from, size, true);
    if (limited)
        error = user_strncpy(pointer(to), pointer(from), size);
    else
        error = user_strcpy(pointer(to), pointer(from));
    EXPECT(error == result);
}

/* ---- through a file's cache --------------------------------------------------------------------- */

static bool page_overlaps(const struct model_page *page, addr_t user, size_t size, bool write)
{
    for (size_t i = 0; i < size + PAGE; i += PAGE) {
        const struct model_slot *slot = model_slot(user + i);
        if (slot != NULL && slot->page != NULL &&
            (write ? model_page_is_alias(page, slot->page) : model_page_is_alias(slot->page, page)))
            return true;
    }
    return false;
}

static bool file_overlaps(unsigned file, addr_t user, size_t size, bool write)
{
    for (unsigned i = 0; i < FILE_PAGES; i++)
        if (page_overlaps(file_pages[file][i], user, size, write))
            return true;
    return false;
}

/* What the copy must come to: *done counts only pages of the file that were copied to their end. */
static int model_file_copy(unsigned file, size_t position, addr_t user, size_t size, bool write,
                           size_t *done)
{
    *done = 0;
    for (size_t i = 0; i < size; i++) {
        struct model_page *page = file_pages[file][(position + i) / PAGE];
        size_t at = (position + i) % PAGE;
        if (at == 0)
            *done = i;
        if (!(write ? model_is_readable(user + i) : model_is_writable(user + i)))
            return ERR_VM_BAD_USER_MEMORY;
        if (write)
            model_page_write(page, at, model_read(user + i));
        else
            model_write(user + i, model_page_read(page, at));
    }
    *done = size;
    return VM_OK;
}

static off_t choose_position(struct input *input)
{
    unsigned how = input_byte(input);
    if (how < 240)
        return (off_t)(how % FILE_PAGES * PAGE + input_choose(input, PAGE));
    return how < 248 ? -(off_t)how : INT64_MAX - (off_t)how;
}

static void do_cache(struct input *input)
{
    unsigned file = input_choose(input, FILES);
    bool write = input_byte(input) % 2 != 0;
    addr_t user = choose_any_address(input);
    size_t size = choose_length(input), done = 1, reach = 0;
    off_t position = choose_position(input);
    int result = VM_OK;
    if (position < 0 || size > (size_t)INT64_MAX - (size_t)position)
        result = ERR_INVALID_ARGS;
    else if (!is_user_range(user, size))
        result = ERR_VM_BAD_USER_MEMORY;
    else if (size > FILE_PAGES * PAGE || (size_t)position > FILE_PAGES * PAGE - size)
        return;
    if (result == VM_OK && !loose && file_overlaps(file, user, size, write))
        return;
    if (result == VM_OK && !loose)
        result = model_file_copy(file, (size_t)position, user, size, write, &reach);
    int error = write ? vm_cache_write(caches[file], position, (void *)user, size, true, &done)
                      : vm_cache_read(caches[file], position, (void *)user, size, true, &done);
    EXPECT(done <= size && (error != VM_OK || done == size));
    EXPECT(loose || (error == result && done == reach));
    EXPECT(is_copy_error(error) || error == ERR_INVALID_ARGS || error == ERR_NO_MEMORY ||
           error == ERR_IO);
}

/* ---- regions ------------------------------------------------------------------------------------ */

static void unmap(addr_t base, addr_t size)
{
    for (unsigned i = 0; i < WINDOWS; i++)
        for (unsigned page = 0; page < WINDOW_PAGES; page++) {
            addr_t address = model_windows[i] + page * PAGE;
            if (address - base < size)
                *model_slot(address) = (struct model_slot){0};
        }
}

/* What shows in a page of a region; NULL: nothing that can be touched. */
typedef struct model_page *contents(void *of, addr_t offset, int mapping);

static struct model_page *anonymous_contents(void *of, addr_t offset, int mapping)
{
    (void)of, (void)offset, (void)mapping;
    return model_new_page(NULL);
}

struct file_part {
    unsigned file;
    off_t offset;
};

static struct model_page *file_contents(void *of, addr_t offset, int mapping)
{
    const struct file_part *part = of;
    uint64_t page = ((uint64_t)part->offset + offset) / PAGE;
    if (page >= FILE_PAGES)
        return NULL;
    return mapping == REGION_PRIVATE_MAP ? model_new_page(file_pages[part->file][page])
                                         : file_pages[part->file][page];
}

static struct model_page *clone_contents(void *of, addr_t offset, int mapping)
{
    const vm_region_info *source = of;
    const struct model_slot *slot = model_slot(source->base + offset);
    if (slot == NULL)
        loose = true; /* nobody knows what is there */
    if (slot == NULL || slot->page == NULL)
        return NULL;
    /* A read through the clone settles what its source shows (`pull` in docs/design.md), and when the
     * core reads is its own affair. */
    if (mapping == REGION_PRIVATE_MAP && !slot->page->present)
        loose = true;
    return mapping == REGION_PRIVATE_MAP ? model_new_page(slot->page) : slot->page;
}

static void map(const vm_region_info *info, contents *contents, void *of)
{
    struct model_page *pages[WINDOWS * WINDOW_PAGES];
    addr_t offsets[WINDOWS * WINDOW_PAGES];
    unsigned count = 0;
    for (unsigned i = 0; i < WINDOWS; i++)
        for (unsigned page = 0; page < WINDOW_PAGES; page++) {
            addr_t offset = model_windows[i] + page * PAGE - info->base;
            if (offset < info->size) {
                offsets[count] = offset;
                pages[count++] = contents(of, offset, info->mapping);
            }
        }
    for (unsigned i = 0; i < count; i++)
        *model_slot(info->base + offsets[i]) = (struct model_slot){
            pages[i], !(info->lock & LOCK_NO_READ), (info->lock & LOCK_RW) != 0};
}

static bool is_mapped(addr_t base, addr_t size)
{
    for (unsigned i = 0; i < WINDOWS; i++)
        for (unsigned page = 0; page < WINDOW_PAGES; page++) {
            addr_t address = model_windows[i] + page * PAGE;
            if (address - base < size && model_slot(address)->page != NULL)
                return true;
        }
    return false;
}

/* ---- user_vm_* ---------------------------------------------------------------------------------- */

/* Arguments that all three creators have. */
struct creation {
    addr_t name, where;
    int addr_type;
    addr_t wanted; /* the address at `where` */
    bool readable; /* name and where can be read */
    int64_t committed;
    size_t region_total;
};

static bool is_call_error(int64_t result)
{
    return result > 0 || (result >= ERR_UNSUPPORTED && result <= ERR_VM_GENERAL);
}

/* What the core has written at a program's address, as far as it could, becomes known. */
static void learn(addr_t address, size_t size)
{
    size_t reach = is_user_range(address, size) ? model_reach(address, size, true) : 0;
    uint8_t bytes[sizeof(vm_info) + sizeof(vm_region_info)];
    EXPECT(size <= sizeof(bytes));
    if (loose || sim_read(address, bytes, reach) != VM_OK)
        return;
    for (size_t i = 0; i < reach; i++)
        model_write(address + i, bytes[i]);
}

/* As the program itself would write: the model, too. */
static void poke(addr_t address, const void *bytes, size_t size)
{
    size_t reach = loose ? 0 : model_reach(address, size, true);
    for (size_t i = 0; i < reach; i++)
        model_write(address + i, ((const uint8_t *)bytes)[i]);
    if (address - SIM_USER_BASE < SIM_USER_END - SIM_USER_BASE)
        EXPECT((sim_write(address, bytes, size) == VM_OK) == (reach == size) || loose);
}

static void read_figures(struct creation *creation)
{
    vm_info info;
    vm_get_info(&info);
    creation->committed = info.committed;
    creation->region_total = info.regions;
}

static addr_t peek(addr_t address)
{
    addr_t value = 0;
    for (unsigned i = 0; i < sizeof(value); i++)
        value |= (addr_t)model_read(address + i) << 8 * i;
    return value;
}

static bool can_read_string(addr_t address, size_t limit)
{
    if (!is_user_range(address, 1))
        return false;
    size_t length = model_string_length(address, limit);
    return length == limit || (length > 0 && model_read(address + length - 1) == 0);
}

static struct creation begin_creation(struct input *input)
{
    struct creation c = {.name = choose_any_address(input), .where = choose_any_address(input)};
    c.addr_type = (int)input_choose(input, 6);
    addr_t wanted = input_byte(input) < 200 ? choose_address(input) : choose_any_address(input);
    if (input_byte(input) < 230)
        wanted &= ~VM_PAGE_MASK;
    if (is_user_range(c.where, sizeof(wanted)))
        poke(c.where, &wanted, sizeof(wanted));
    if (!loose) {
        c.readable = can_read_string(c.name, VM_NAME_LENGTH - 1) &&
                     is_user_range(c.where, sizeof(wanted)) &&
                     model_reach(c.where, sizeof(wanted), false) == sizeof(wanted);
        c.wanted = c.readable ? peek(c.where) : 0;
    }
    read_figures(&c);
    return c;
}

/* An error changes nothing, but for one case: what made room for a region that could then not be
 * told about stays unmapped. */
static void end_failed(const struct creation *c, int error, addr_t size)
{
    struct creation now;
    read_figures(&now);
    EXPECT(error != ERR_VM_BAD_USER_MEMORY || loose || !c->readable || is_user_range(c->where, 8));
    bool told_in_vain = !loose && c->readable && error == ERR_VM_BAD_USER_MEMORY;
    if (!loose && !c->readable)
        EXPECT(error == ERR_VM_BAD_USER_MEMORY || error == ERR_PERMISSION_DENIED);
    if (told_in_vain && c->addr_type == REGION_ADDR_REPLACE)
        unmap(c->wanted, (size + VM_PAGE_MASK) & ~VM_PAGE_MASK);
    else if (!loose)
        EXPECT(now.committed == c->committed && now.region_total == c->region_total);
    if (told_in_vain)
        learn(c->where, sizeof(addr_t));
}

/* True with the region's description where there is one now. */
static bool end_creation(const struct creation *c, region_id id, addr_t size, vm_region_info *info)
{
    EXPECT(is_call_error(id) && id != 0);
    if (id < 0)
        end_failed(c, (int)id, size);
    if (id < 0)
        return false;
    EXPECT(vm_get_region_info(id, info) == VM_OK);
    EXPECT(info->base >= SIM_USER_BASE && is_user_range(info->base, info->size));
    EXPECT(loose || c->readable);
    EXPECT(loose || c->addr_type == REGION_ADDR_REPLACE || !is_mapped(info->base, info->size));
    EXPECT(!(info->lock & LOCK_KERNEL));
    if (region_count < MAX_REGIONS)
        regions[region_count++] = id;
    if (info->lock & REGION_GROWS_DOWN)
        loose = true;
    return true;
}

/* The address has been told, in memory that may be the new region's own. */
static void check_told(const struct creation *c, const vm_region_info *info)
{
    addr_t told = 0;
    learn(c->where, sizeof(told));
    if (loose)
        return;
    EXPECT(model_reach(c->where, sizeof(told), false) == sizeof(told));
    EXPECT(peek(c->where) == info->base);
}

static unsigned choose_lock(struct input *input)
{
    unsigned how = input_byte(input);
    return how < 160   ? LOCK_RW
           : how < 250 ? how & (LOCK_MASK | REGION_SHARED | REGION_OVERCOMMIT)
                       : (unsigned)input_number(input, 4);
}

static void do_create(struct input *input)
{
    struct creation c = begin_creation(input);
    addr_t size = choose_size(input);
    unsigned how = input_byte(input), lock = choose_lock(input);
    int wiring = how < 200 ? REGION_WIRING_LAZY : (int)(how % 6) - 1;
    vm_region_info info;
    region_id id = user_vm_create_anonymous_region((char *)c.name, (void **)c.where, c.addr_type,
                                                   size, wiring, lock);
    if (!end_creation(&c, id, size, &info))
        return;
    EXPECT(info.size == ((size + VM_PAGE_MASK) & ~VM_PAGE_MASK));
    map(&info, anonymous_contents, NULL);
    check_told(&c, &info);
}

/* Which file has the path at this address; FILES: none, or it can't be read. */
static unsigned file_at(addr_t address)
{
    for (unsigned i = 0; i < FILES; i++) {
        bool same = true;
        for (size_t at = 0; same && at <= strlen(paths[i]); at++)
            same = model_is_readable(address + at) &&
                   model_read(address + at) == (uint8_t)paths[i][at];
        if (same)
            return i;
    }
    return FILES;
}

static void do_map_file(struct input *input)
{
    addr_t path = choose_any_address(input), size = choose_size(input);
    const char *text = paths[input_choose(input, FILES)];
    if (is_user_range(path, strlen(text) + 1))
        poke(path, text, strlen(text) + 1);
    struct creation c = begin_creation(input);
    struct file_part part = {loose ? FILES : file_at(path), choose_position(input)};
    unsigned lock = choose_lock(input);
    int mapping = (int)input_choose(input, 3);
    vm_region_info info;
    if (!loose)
        c.readable = c.readable && can_read_string(path, 1024);
    region_id id = user_vm_map_file((char *)c.name, (void **)c.where, c.addr_type, size, lock,
                                    mapping, (const char *)path, part.offset);
    if (!end_creation(&c, id, size, &info))
        return;
    EXPECT(loose || part.file < FILES);
    part.offset = info.cache_offset;
    if (!loose)
        EXPECT(part.file == 0 || info.mapping == REGION_PRIVATE_MAP || !(info.lock & LOCK_RW));
    if (!loose)
        map(&info, file_contents, &part);
    check_told(&c, &info);
}

static void do_clone(struct input *input)
{
    struct creation c = begin_creation(input);
    region_id source = choose_region(input);
    vm_region_info of = {0}, info;
    unsigned lock = choose_lock(input);
    int mapping = (int)input_choose(input, 3);
    int known = vm_get_region_info(source, &of);
    region_id id =
        user_vm_clone_region((char *)c.name, (void **)c.where, c.addr_type, source, mapping, lock);
    /* A source that shares memory from now on is promised memory. */
    if (!end_creation(&c, id, of.size, &info))
        return;
    EXPECT(known == VM_OK && info.size == of.size && !(of.lock & LOCK_KERNEL));
    map(&info, clone_contents, &of);
    check_told(&c, &info);
}

static void do_delete(struct input *input)
{
    region_id id = choose_region(input);
    vm_region_info info;
    bool own = vm_get_region_info(id, &info) == VM_OK && !(info.lock & LOCK_KERNEL);
    EXPECT(user_vm_delete_region(id) == (own ? VM_OK : ERR_VM_INVALID_REGION));
    if (own)
        unmap(info.base, info.size);
}

static void do_get_info(struct input *input)
{
    region_id id = choose_region(input);
    addr_t to = choose_any_address(input);
    bool of_region = input_byte(input) % 2 != 0;
    size_t size = of_region ? sizeof(vm_region_info) : sizeof(vm_info);
    vm_region_info info;
    bool own = vm_get_region_info(id, &info) == VM_OK && !(info.lock & LOCK_KERNEL);
    int error = of_region ? user_vm_get_region_info(id, (vm_region_info *)to)
                          : user_vm_get_vm_info((vm_info *)to);
    if (loose) {
        EXPECT(is_copy_error(error) || error == ERR_VM_INVALID_REGION);
        return;
    }
    bool good = is_user_range(to, size) && model_reach(to, size, true) == size;
    if (of_region && !own)
        EXPECT(error == ERR_VM_INVALID_REGION || !is_user_range(to, 1));
    else
        EXPECT(error == (good ? VM_OK : ERR_VM_BAD_USER_MEMORY));
    if (error != ERR_VM_INVALID_REGION)
        learn(to, size);
}

/* From here on a request fails, one time or for good. */
static void do_fail(struct input *input)
{
    unsigned class = input_choose(input, SIM_FAIL_THREAD), n = input_byte(input);
    if (n < 128)
        return;
    loose = true;
    sim_fail_at((enum sim_failure) class, n, n % 2 != 0);
}

/* ---- the target --------------------------------------------------------------------------------- */

static void (*const operations[])(struct input *) = {
    do_memcpy, do_memcpy,   do_memset, do_strings, do_strings,  do_cache,
    do_create, do_map_file, do_clone,  do_delete,  do_get_info, do_fail,
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void make_files(void)
{
    for (unsigned i = 0; i < FILES; i++) {
        static uint8_t bytes[FILE_SIZE];
        for (size_t at = 0; at < FILE_SIZE; at++)
            bytes[at] = (uint8_t)(at % 251 + at / PAGE * (i + 3));
        files[i] = sim_file_create(paths[i], bytes, FILE_SIZE,
                                   VM_ACCESS_READ | (i == 0 ? VM_ACCESS_WRITE : 0u));
        EXPECT(vm_get_vnode_cache(files[i], &caches[i]) == VM_OK);
        for (unsigned page = 0; page < FILE_PAGES; page++) {
            size_t start = page * PAGE, size = FILE_SIZE - start < PAGE ? FILE_SIZE - start : PAGE;
            file_pages[i][page] = model_new_page(NULL);
            memcpy(file_pages[i][page]->bytes, bytes + start, size);
        }
    }
}

/* What was written through mappings and caches has reached the files. */
static void check_files(void)
{
    for (unsigned i = 0; i < FILES && !loose; i++)
        for (size_t at = 0; at < FILE_SIZE; at++)
            EXPECT(sim_file_data(files[i])[at] ==
                   model_page_read(file_pages[i][at / PAGE], at % PAGE));
}

/* A page that can be written in each window, so that most calls find room for their arguments. */
static void make_first_pages(void)
{
    for (unsigned i = 0; i < WINDOWS; i++) {
        void *address = (void *)first_pages[i];
        vm_region_info info;
        region_id id =
            vm_create_anonymous_region(program, "first", &address, REGION_ADDR_EXACT_ADDRESS,
                                       FIRST_PAGES * PAGE, REGION_WIRING_LAZY, LOCK_RW);
        EXPECT(id > 0 && vm_get_region_info(id, &info) == VM_OK);
        regions[region_count++] = id;
        map(&info, anonymous_contents, NULL);
    }
}

static void begin(void)
{
    static const struct sim_config config = {.memory = MEMORY};
    EXPECT(sim_start(&config) == VM_OK);
    program = sim_new_aspace();
    EXPECT(program > 0);
    loose = false;
    region_count = 0;
    for (size_t i = 0; i < KERNEL_SIZE; i++)
        kernel[i] = (uint8_t)(i % 253);
    forget_kernel();
    make_files();
    make_first_pages();
}

static void end(void)
{
    for (unsigned class = 0; class < SIM_FAIL_THREAD; class ++)
        sim_fail_at((enum sim_failure) class, 0, false);
    SIM_CHECK();
    if (!loose)
        model_compare();
    SIM_CHECK();
    EXPECT(sim_delete_aspace(program) == VM_OK);
    for (unsigned i = 0; i < FILES; i++)
        vm_put_cache(caches[i]);
    check_files();
    sim_end();
    model_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    begin();
    for (unsigned i = 0; i < MAX_OPERATIONS && input.left > 0; i++) {
        operations[input_choose(&input, OPERATIONS)](&input);
        loose = loose || sim_free_frames() < FEW_FRAMES;
        if (loose)
            forget_kernel();
        check_kernel();
    }
    end();
    return 0;
}
