/* SPDX-License-Identifier: MIT */
/* A disk has REQUESTS requests, each with descriptors of its own in the queue; a thread takes one, gives
 * it to the device and sleeps until the interrupt says that it is done. What the device says is
 * believed only as far as it can be checked: one that breaks the rules is stopped, and everything asked
 * of it is an error from then on. */
#include "device/virtio_block.h"
#include "device/virtio_pci.h"
#include <kernel/errno.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <kernel/thread.h>
#include <quire/host.h>
#include <quire/vm.h>

#define VENDOR_VIRTIO 0x1af4
#define ID_BLOCK 0x1042
#define ID_BLOCK_TRANSITIONAL 0x1001

#define FEATURE_READ_ONLY ((uint64_t)1 << 5)
#define FEATURE_FLUSH ((uint64_t)1 << 9)

#define QUEUE_SIZE 128
#define DESCRIPTORS (BLOCK_PIECE + 2) /* of a request: header, frames, status */
#define REQUESTS (QUEUE_SIZE / DESCRIPTORS)
#define STATUS_NONE 0xff

void interrupt_enable_line(unsigned line);

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
#define DESCRIPTOR_NEXT 1u
#define DESCRIPTOR_WRITE 2u /* the device writes there */

struct used_element {
    uint32_t id, length;
};

/* What the device sees: sections 2.6 and 5.2.6, in one frame. */
struct queue {
    struct descriptor descriptors[QUEUE_SIZE];
    struct {
        uint16_t flags, index, ring[QUEUE_SIZE], used_event;
    } available;
    struct {
        uint16_t flags, index;
        struct used_element ring[QUEUE_SIZE];
        uint16_t available_event;
    } used;
    struct request_memory {
        uint32_t type, reserved;
        uint64_t sector;
        uint8_t status;
    } requests[REQUESTS];
    char name[BLOCK_NAME_LENGTH];
};
_Static_assert(sizeof(struct queue) <= VM_PAGE_SIZE, "one frame");

enum request_state { REQUEST_FREE, REQUEST_TAKEN, REQUEST_SENT, REQUEST_DONE };

struct request {
    uint32_t state; /* its thread waits here while it is sent */
    int result;
};

struct virtio_block {
    struct block_device device; /* first: the one is found from the other */
    struct virtio_pci virtio;
    uint64_t features;
    volatile uint16_t *notify;
    unsigned line;
    struct event request_freed;
    struct spinlock lock; /* guards all below */
    bool broken;
    struct request requests[REQUESTS];
    struct queue *queue;
    addr_t queue_physical;
    uint16_t used_seen;
};

static struct virtio_block disks[BLOCK_MAX_DEVICES];
static unsigned disk_count;

bool virtio_block_is(const struct pci_device *device)
{
    return device->vendor == VENDOR_VIRTIO &&
           (device->id == ID_BLOCK || device->id == ID_BLOCK_TRANSITIONAL);
}

bool virtio_block_has_flush(const struct block_device *device)
{
    return (((const struct virtio_block *)device)->features & FEATURE_FLUSH) != 0;
}

/* ---- a request --------------------------------------------------------------------------------- */

static struct request *find_free(struct virtio_block *disk)
{
    for (unsigned i = 0; i < REQUESTS; i++)
        if (disk->requests[i].state == REQUEST_FREE)
            return &disk->requests[i];
    return NULL;
}

static struct request *take_request(struct virtio_block *disk)
{
    for (;;) {
        uint32_t seen = event_read(&disk->request_freed);
        spin_lock(&disk->lock);
        struct request *request = find_free(disk);
        if (request != NULL)
            request->state = REQUEST_TAKEN;
        spin_unlock(&disk->lock);
        if (request != NULL)
            return request;
        event_wait(&disk->request_freed, seen, VM_NO_DEADLINE, WAIT_ALWAYS);
    }
}

static void give_back(struct virtio_block *disk, struct request *request)
{
    spin_lock(&disk->lock);
    request->state = REQUEST_FREE;
    spin_unlock(&disk->lock);
    event_signal(&disk->request_freed);
}

/* Fills the descriptors of request `index`. */
static void describe(struct virtio_block *disk, unsigned index, enum virtio_block_type type,
                     const addr_t *frames, size_t bytes)
{
    struct descriptor *next = &disk->queue->descriptors[index * DESCRIPTORS];
    addr_t memory = disk->queue_physical + offsetof(struct queue, requests) +
                    index * sizeof(struct request_memory);
    bool device_writes = type == VIRTIO_BLOCK_READ || type == VIRTIO_BLOCK_GET_NAME;
    uint16_t at = (uint16_t)(index * DESCRIPTORS);
    *next++ =
        (struct descriptor){memory, offsetof(struct request_memory, status), DESCRIPTOR_NEXT, ++at};
    for (; bytes > 0; frames++) {
        uint32_t length = (uint32_t)(bytes < VM_PAGE_SIZE ? bytes : VM_PAGE_SIZE);
        uint16_t flags = device_writes ? DESCRIPTOR_NEXT | DESCRIPTOR_WRITE : DESCRIPTOR_NEXT;
        *next++ = (struct descriptor){*frames, length, flags, ++at};
        bytes -= length;
    }
    *next = (struct descriptor){memory + offsetof(struct request_memory, status), 1,
                                DESCRIPTOR_WRITE, 0};
}

/* => disk locked. */
static void send(struct virtio_block *disk, unsigned index)
{
    struct queue *queue = disk->queue;
    uint16_t at = queue->available.index;
    queue->available.ring[at % QUEUE_SIZE] = (uint16_t)(index * DESCRIPTORS);
    __atomic_store_n(&queue->available.index, (uint16_t)(at + 1), __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *disk->notify = 0;
}

static int wait_for(struct request *request)
{
    while (__atomic_load_n(&request->state, __ATOMIC_ACQUIRE) == REQUEST_SENT)
        thread_wait(&request->state, REQUEST_SENT, VM_NO_DEADLINE, WAIT_ALWAYS);
    return request->result;
}

int virtio_block_request(struct block_device *device, enum virtio_block_type type, uint64_t sector,
                         const addr_t *frames, size_t bytes)
{
    struct virtio_block *disk = (struct virtio_block *)device;
    struct request *request = take_request(disk);
    unsigned index = (unsigned)(request - disk->requests);
    disk->queue->requests[index] =
        (struct request_memory){.type = type, .sector = sector, .status = STATUS_NONE};
    describe(disk, index, type, frames, bytes);
    spin_lock(&disk->lock);
    request->result = ERR_IO;
    if (!disk->broken) {
        request->state = REQUEST_SENT;
        send(disk, index);
    }
    spin_unlock(&disk->lock);
    int error = wait_for(request);
    give_back(disk, request);
    return error;
}

/* ---- its end ----------------------------------------------------------------------------------- */

/* => disk locked. */
static void end_request(struct request *request, int result)
{
    request->result = result;
    __atomic_store_n(&request->state, REQUEST_DONE, __ATOMIC_RELEASE);
    thread_wake(&request->state, 1);
}

/* => disk locked. Once the device is reset it no longer touches the frames. */
static void give_up(struct virtio_block *disk)
{
    log_printf(
        "the disk %s says that it has done what it wasn't asked for: it is not used any more\n",
        disk->device.name);
    disk->broken = true;
    virtio_pci_reset(&disk->virtio);
    for (unsigned i = 0; i < REQUESTS; i++)
        if (disk->requests[i].state == REQUEST_SENT)
            end_request(&disk->requests[i], ERR_IO);
}

/* => disk locked. What the device says is done; false if that can't be. */
static bool take_used(struct virtio_block *disk, uint32_t id)
{
    uint32_t index = id / DESCRIPTORS;
    if (id % DESCRIPTORS != 0 || index >= REQUESTS || disk->requests[index].state != REQUEST_SENT)
        return false;
    uint8_t status = __atomic_load_n(&disk->queue->requests[index].status, __ATOMIC_RELAXED);
    end_request(&disk->requests[index], status == 0 ? VM_OK : ERR_IO);
    return true;
}

/* => disk locked. */
static void take_all_used(struct virtio_block *disk)
{
    const struct queue *queue = disk->queue;
    while (!disk->broken &&
           disk->used_seen != __atomic_load_n(&queue->used.index, __ATOMIC_ACQUIRE)) {
        uint32_t id =
            __atomic_load_n(&queue->used.ring[disk->used_seen % QUEUE_SIZE].id, __ATOMIC_RELAXED);
        disk->used_seen++;
        if (!take_used(disk, id))
            give_up(disk);
    }
}

void virtio_block_interrupt(unsigned line)
{
    for (unsigned i = 0; i < disk_count; i++) {
        struct virtio_block *disk = &disks[i];
        if (disk->line != line)
            continue;
        (void)*disk->virtio.interrupt_status;
        spin_lock(&disk->lock);
        take_all_used(disk);
        spin_unlock(&disk->lock);
    }
}

/* ---- its beginning ----------------------------------------------------------------------------- */

static bool start_queue(struct virtio_block *disk)
{
    if (vm_allocate_frames(1, true, &disk->queue_physical) != VM_OK)
        return false;
    disk->queue = host_frame_ptr(disk->queue_physical);
    addr_t base = disk->queue_physical;
    disk->notify = virtio_pci_set_queue(&disk->virtio, QUEUE_SIZE, base,
                                        base + offsetof(struct queue, available),
                                        base + offsetof(struct queue, used));
    if (disk->notify == NULL)
        vm_free_frames(disk->queue_physical, 1);
    return disk->notify != NULL;
}

/* Without a name a disk is of no use, but no harm either. */
static void read_name(struct virtio_block *disk)
{
    addr_t name = disk->queue_physical + offsetof(struct queue, name);
    if (virtio_block_request(&disk->device, VIRTIO_BLOCK_GET_NAME, 0, &name, BLOCK_NAME_LENGTH) ==
        VM_OK)
        memcpy(disk->device.name, disk->queue->name, BLOCK_NAME_LENGTH);
}

static uint64_t read_sectors(const struct virtio_pci *virtio)
{
    const volatile uint32_t *config = (const volatile void *)virtio->config;
    uint64_t sectors = (uint64_t)config[1] << 32 | config[0];
    return sectors < UINT64_MAX / BLOCK_SECTOR ? sectors : 0;
}

struct block_device *virtio_block_open(const struct pci_device *device)
{
    struct virtio_block *disk = &disks[disk_count];
    *disk = (struct virtio_block){.line = pci_interrupt_line(device)};
    if (disk->line >= 16 || !virtio_pci_open(&disk->virtio, device))
        return NULL;
    disk->features = virtio_pci_negotiate(&disk->virtio, FEATURE_READ_ONLY | FEATURE_FLUSH);
    if (disk->features == 0 || !start_queue(disk))
        return NULL;
    disk->device.sectors = read_sectors(&disk->virtio);
    disk->device.read_only = (disk->features & FEATURE_READ_ONLY) != 0;
    disk_count++;
    interrupt_enable_line(disk->line);
    virtio_pci_start(&disk->virtio);
    read_name(disk);
    return &disk->device;
}
