/* SPDX-License-Identifier: MIT */
#include <quire/errval.h>

_Static_assert(ERR_CODES <= ERR_CODE_MASK, "a code must fit into its bits");

struct description {
    const char *name, *text;
};

static const struct description descriptions[ERR_CODES] = {{"SYS_ERR_OK", "success"},
#define DESCRIBE(name, text) {#name, text},
                                                           ERRVAL_CODES(DESCRIBE)
#undef DESCRIBE
};

static const struct description unknown = {"unknown", "an unknown error"};

enum err_code err_no(errval_t error)
{
    return (enum err_code)(error & ERR_CODE_MASK);
}

bool err_is_ok(errval_t error)
{
    return err_no(error) == SYS_ERR_OK;
}

bool err_is_fail(errval_t error)
{
    return !err_is_ok(error);
}

errval_t err_push(errval_t error, enum err_code code)
{
    return (error << ERR_CODE_BITS) | (errval_t)code;
}

errval_t err_pop(errval_t error)
{
    return error >> ERR_CODE_BITS;
}

static const struct description *describe(errval_t error)
{
    return err_no(error) < ERR_CODES ? &descriptions[err_no(error)] : &unknown;
}

const char *err_getstring(errval_t error)
{
    return describe(error)->text;
}

const char *err_getcode(errval_t error)
{
    return describe(error)->name;
}

bool err_has(errval_t error, enum err_code code)
{
    for (; error != SYS_ERR_OK; error = err_pop(error))
        if (err_no(error) == code)
            return true;
    return false;
}

/* The core's errors count down from ERR_VM_GENERAL, in the order of the codes. */
#define CORE_ERRORS (ERR_CODES - QUIRE_ERR_GENERAL)
_Static_assert(ERR_VM_GENERAL - ERR_UNSUPPORTED == CORE_ERRORS - 1,
               "each error of the core's has a code");

errval_t err_from_vm(int error)
{
    if (error >= VM_OK)
        return SYS_ERR_OK;
    int index = ERR_VM_GENERAL - error;
    return index >= 0 && index < CORE_ERRORS ? (errval_t)(QUIRE_ERR_GENERAL + index)
                                             : (errval_t)QUIRE_ERR_GENERAL;
}

int err_to_vm(errval_t error)
{
    if (err_is_ok(error))
        return VM_OK;
    int index = (int)err_no(error) - QUIRE_ERR_GENERAL;
    return index >= 0 && index < CORE_ERRORS ? ERR_VM_GENERAL - index : ERR_VM_GENERAL;
}
