/* SPDX-License-Identifier: MIT */
/* The driver of virtio disks against a device that is a function of this file: it does what it is told,
 * or what no device may. A thread that waits lets the device run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <kernel/log.h>
#include <kernel/thread.h>
#include <quire/host.h>
#include <quire/vm.h>
#include "device/virtio_block.h"
#include "device/virtio_pci.h"

#define SECTORS 83 /* ends in the middle of a page */
#define LINE 11

/* ---- the device ---- */

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static uint8_t contents[SECTORS * 512];
static uint64_t features;
static uint16_t queue_size, seen, notify;
static struct descriptor *descriptors;
static uint16_t *available, *used; /* flags, index, ring */
static unsigned resets, requests, log_lines;
static uint8_t answer;             /* the status of the next requests */
static void (*lie)(uint16_t head); /* instead of an answer */
static struct {
    uint32_t type, reserved;
    uint64_t sector;
} last; /* the header of the last request */

static void put_used(uint32_t id, uint32_t length)
{
    uint32_t *ring = (uint32_t *)(used + 2);
    ring[used[1] % queue_size * 2] = id;
    ring[used[1] % queue_size * 2 + 1] = length;
    used[1]++;
}

static void move_bytes(const struct descriptor *part, uint8_t *bytes, bool to_device)
{
    assert_true(bytes + part->length <= contents + sizeof(contents));
    if (to_device)
        memcpy(bytes, (void *)part->address, part->length);
    else
        memcpy((void *)part->address, bytes, part->length);
}

/* Does one request and gives its head back. */
static void serve(uint16_t head)
{
    static char name[20] = "twenty-letters-long!";
    const struct descriptor *part = &descriptors[head];
    assert_int_equal(part->length, 16);
    memcpy(&last, (void *)part->address, sizeof(last));
    uint8_t *bytes = contents + last.sector * 512;
    for (part = &descriptors[part->next]; (part->flags & 1) != 0; part = &descriptors[part->next]) {
        assert_int_equal(part->flags & 2, last.type == VIRTIO_BLOCK_WRITE ? 0 : 2);
        if (last.type == VIRTIO_BLOCK_GET_NAME)
            memcpy((void *)part->address, name, part->length);
        else
            move_bytes(part, bytes, last.type == VIRTIO_BLOCK_WRITE);
        bytes += part->length;
    }
    assert_int_equal(part->length, 1);
    *(uint8_t *)part->address = answer;
    requests++;
}

static void run_device(void)
{
    while (seen != available[1]) {
        uint16_t head = available[2 + seen++ % queue_size];
        if (lie != NULL) {
            lie(head);
            continue;
        }
        serve(head);
        put_used(head, 1);
    }
    virtio_block_interrupt(LINE);
}

/* ---- what the driver uses ---- */

bool virtio_pci_open(struct virtio_pci *virtio, const struct pci_device *device)
{
    static uint32_t config[2] = {SECTORS, 0};
    static uint8_t status;
    (void)device;
    *virtio = (struct virtio_pci){
        .interrupt_status = &status, .config = (uint8_t *)config, .config_length = sizeof(config)};
    return true;
}

uint64_t virtio_pci_negotiate(struct virtio_pci *virtio, uint64_t wanted)
{
    (void)virtio;
    return VIRTIO_VERSION_1 | (wanted & features);
}

volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *virtio, uint16_t size, addr_t table,
                                        addr_t driver, addr_t device)
{
    (void)virtio;
    queue_size = size;
    seen = 0;
    descriptors = (void *)table;
    available = (void *)driver;
    used = (void *)device;
    return &notify;
}

void virtio_pci_start(struct virtio_pci *virtio)
{
    (void)virtio;
}

void virtio_pci_reset(struct virtio_pci *virtio)
{
    (void)virtio;
    resets++;
}

unsigned pci_interrupt_line(const struct pci_device *device)
{
    (void)device;
    return LINE;
}

void pci_visit(void (*visit)(const struct pci_device *device))
{
    static const struct pci_device other = {.vendor = 0x1af4, .id = 0x1000},
                                   disk = {.vendor = 0x1af4, .id = 0x1042};
    visit(&other);
    visit(&disk);
}

void interrupt_enable_line(unsigned line)
{
    assert_int_equal(line, LINE);
}

int vm_allocate_frames(size_t count, bool clear, addr_t *physical)
{
    assert_true(clear);
    *physical = (addr_t)aligned_alloc(VM_PAGE_SIZE, count * VM_PAGE_SIZE);
    memset((void *)*physical, 0, count * VM_PAGE_SIZE);
    return VM_OK;
}

void vm_free_frames(addr_t physical, size_t count)
{
    (void)count;
    free((void *)physical);
}

void *host_frame_ptr(addr_t physical)
{
    return (void *)physical;
}

void spin_lock(struct spinlock *lock)
{
    assert_int_equal(lock->held, 0);
    lock->held = 1;
}

void spin_unlock(struct spinlock *lock)
{
    lock->held = 0;
}

int thread_wait(uint32_t *address, uint32_t expected, uint64_t deadline, int mode)
{
    (void)address, (void)expected, (void)deadline, (void)mode;
    run_device();
    return 0;
}

void thread_wake(uint32_t *address, uint32_t count)
{
    (void)address, (void)count;
}

int event_wait(struct event *event, uint32_t seen_count, uint64_t deadline, int mode)
{
    (void)seen_count;
    return thread_wait(&event->count, 0, deadline, mode);
}

void event_signal(struct event *event)
{
    event->count++;
}

void log_printf(const char *format, ...)
{
    (void)format;
    log_lines++;
}

/* ---- the tests ---- */

static struct block_device *disk;
static addr_t frames[40];

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(contents); i++)
        contents[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < 40 && frames[i] == 0; i++)
        frames[i] = (addr_t)malloc(VM_PAGE_SIZE);
    for (size_t i = 0; i < 40; i++)
        memset((void *)frames[i], 0xee, VM_PAGE_SIZE);
    answer = 0;
    lie = NULL;
    features = (uint64_t)1 << 9;
    unsigned before = block_count();
    block_init();
    assert_int_equal(block_count(), before + 1);
    disk = block_at(before);
    requests = resets = log_lines = 0;
    return 0;
}

static uint8_t byte_of(size_t at)
{
    return ((uint8_t *)frames[at / VM_PAGE_SIZE])[at % VM_PAGE_SIZE];
}

static void test_read_to_the_end(void **state)
{
    (void)state;
    assert_string_equal(disk->name, "twenty-letters-long!");
    assert_int_equal(disk->sectors, SECTORS);
    assert_int_equal(block_read(disk, 0, frames, 11), VM_OK);
    for (size_t i = 0; i < 11 * VM_PAGE_SIZE; i++)
        assert_int_equal(byte_of(i), i < sizeof(contents) ? i % 251 : 0xee);
    assert_int_equal(requests, 1);
    assert_int_equal(disk->bytes_read, sizeof(contents));
    assert_int_equal(block_read(disk, SECTORS * 512 + 512, frames, 1), VM_OK);
    assert_int_equal(requests, 1);
    assert_int_equal(block_read(disk, 100, frames, 1), ERR_IO);
}

static void test_write(void **state)
{
    (void)state;
    assert_int_equal(block_write(disk, 10 * VM_PAGE_SIZE, frames, 2), VM_OK);
    assert_int_equal(contents[10 * VM_PAGE_SIZE - 1], (10 * VM_PAGE_SIZE - 1) % 251);
    assert_int_equal(contents[10 * VM_PAGE_SIZE], 0xee);
    assert_int_equal(contents[sizeof(contents) - 1], 0xee);
    assert_int_equal(disk->bytes_written, 3 * 512);
    assert_int_equal(block_flush(disk), VM_OK);
    assert_int_equal(last.type, VIRTIO_BLOCK_FLUSH);
}

static void test_many_requests(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 70000; i++)
        assert_int_equal(block_read(disk, i % SECTORS * 512, frames, 1), VM_OK);
    assert_int_equal(requests, 70000);
}

static void test_read_only(void **state)
{
    (void)state;
    features |= 1 << 5;
    block_init();
    disk = block_at(block_count() - 1);
    requests = 0;
    assert_true(disk->read_only);
    assert_int_equal(block_write(disk, 0, frames, 1), ERR_IO);
    assert_int_equal(block_flush(disk), VM_OK);
    assert_int_equal(requests, 0);
}

static void test_errors(void **state)
{
    (void)state;
    for (unsigned status = 1; status < 256; status += 127) {
        answer = (uint8_t)status;
        assert_int_equal(block_read(disk, 0, frames, 1), ERR_IO);
        assert_int_equal(block_flush(disk), ERR_IO);
    }
    answer = 0;
    assert_int_equal(block_read(disk, 0, frames, 1), VM_OK);
    assert_int_equal(disk->bytes_read, VM_PAGE_SIZE);
    assert_true(disk->errors > 0);
}

static void say_another(uint16_t head)
{
    put_used(head + 18u, 1); /* the next request's: not sent */
}

static void say_middle(uint16_t head)
{
    put_used(head + 1u, 1);
}

static void say_far(uint16_t head)
{
    (void)head;
    put_used(UINT32_MAX, 1);
}

static void say_behind_the_last(uint16_t head)
{
    (void)head;
    put_used(7 * 18, 1);
}

static void say_twice(uint16_t head)
{
    serve(head);
    put_used(head, 1);
    put_used(head, 1);
}

static void say_thousands(uint16_t head)
{
    serve(head);
    put_used(head, 1);
    used[1] = (uint16_t)(used[1] + 30000);
}

static void say_nothing_of_the_status(uint16_t head)
{
    put_used(head, UINT32_MAX);
}

static void test_lies(void **state)
{
    static void (*const lies[])(uint16_t) = {say_another,         say_middle, say_far,
                                             say_behind_the_last, say_twice,  say_thousands};
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        start(state);
        lie = lies[i];
        (void)block_read(disk, 0, frames, 1);
        assert_int_equal(resets, 1);
        assert_int_equal(log_lines, 1);
        lie = NULL;
        assert_int_equal(block_read(disk, 0, frames, 1), ERR_IO);
        assert_int_equal(block_flush(disk), ERR_IO);
        assert_int_equal(log_lines, 1);
    }
}

static void test_no_status(void **state)
{
    (void)state;
    lie = say_nothing_of_the_status;
    assert_int_equal(block_read(disk, 0, frames, 1), ERR_IO);
    assert_int_equal(resets, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_read_to_the_end, start),
        cmocka_unit_test_setup(test_write, start),
        cmocka_unit_test_setup(test_many_requests, start),
        cmocka_unit_test_setup(test_read_only, start),
        cmocka_unit_test_setup(test_errors, start),
        cmocka_unit_test(test_lies),
        cmocka_unit_test_setup(test_no_status, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
