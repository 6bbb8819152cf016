/* SPDX-License-Identifier: MIT */
#include "support.h"

static uint8_t *window(struct capref frame, size_t page)
{
    addr_t at;
    assert_int_equal(vm_get_physical_page(frame.base + PAGES(page), &at, PHYSICAL_PAGE_CAN_WAIT),
                     VM_OK);
    return (uint8_t *)at;
}

void assert_ok(errval_t error, const char *call, const char *file, int line)
{
    if (err_is_ok(error))
        return;
    print_error("%s:%d: %s:", file, line, call);
    for (; error != SYS_ERR_OK; error = err_pop(error))
        print_error(" %s", err_getcode(error));
    fail_msg("it should have worked");
}

void assert_fails(enum err_code code, errval_t error, const char *call, const char *file, int line)
{
    if (err_no(error) == code)
        return;
    print_error("%s:%d: %s: %s, not %s\n", file, line, call, err_getcode(error), err_getcode(code));
    fail_msg("another error was expected");
}

void run_bare(void **state)
{
    const struct vspace_test *test = *state;
    machine_start();
    size_t frames = machine_free_frames();
    test->function();
    machine_check();
    assert_int_equal(machine_free_frames(), frames);
    machine_stop();
}

void run_in_program(void **state)
{
    const struct vspace_test *test = *state;
    machine_start();
    size_t frames = machine_free_frames();
    OK(vspace_current_init(true));
    test->function();
    machine_check();
    OK(vspace_destroy(CURRENT));
    assert_null(CURRENT);
    assert_int_equal(machine_free_frames(), frames);
    machine_stop();
}

struct capref new_frame(size_t pages, uint8_t first)
{
    struct capref frame;
    OK(frame_alloc(&frame, PAGES(pages), NULL));
    for (size_t i = 0; i < pages; i++)
        *window(frame, i) = (uint8_t)(first + i);
    return frame;
}

uint8_t frame_byte(struct capref frame, size_t page)
{
    return *window(frame, page);
}

void assert_numbered(addr_t address, size_t pages, uint8_t first)
{
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(machine_read(address + PAGES(i)), (uint8_t)(first + i));
}

void assert_nothing(addr_t address, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(machine_read(address + PAGES(i)), ERR_NOT_FOUND);
}

void assert_list(const struct vspace *vspace, size_t count, ...)
{
    va_list list;
    const struct vregion *vregion = vspace->head, *prev = NULL;
    va_start(list, count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(vregion, va_arg(list, struct vregion *));
        assert_ptr_equal(vregion->prev, prev);
        prev = vregion;
        vregion = vregion->next;
    }
    va_end(list);
    assert_null(vregion);
    assert_ptr_equal(vspace->tail, prev);
}
