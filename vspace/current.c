/* SPDX-License-Identifier: MIT */
/* The vspace of the running thread's program: the owner of the core's address space. */
#include "layer.h"

struct domain {
    struct vspace vspace;
    struct pmap pmap;
    struct vspace_reserve reserve;
};

/* Before there is a malloc there is one domain. */
static struct domain first_domain;
static bool first_is_taken;
static struct vspace_lock domains_lock; /* guards who is whose */

static struct domain *take_domain(void)
{
    if (first_is_taken)
        return layer_pinned_alloc(sizeof(struct domain));
    first_is_taken = true;
    layer_clear(&first_domain, sizeof first_domain);
    return &first_domain;
}

static void give_domain(struct domain *domain)
{
    if (domain == &first_domain)
        first_is_taken = false;
    else
        layer_pinned_free(domain, sizeof *domain);
}

static struct domain *get_domain(void)
{
    vm_address_space *aspace = vm_get_current_user_aspace();
    if (!aspace)
        return NULL;
    struct domain *domain = vm_aspace_owner(aspace);
    vm_put_aspace(aspace);
    return domain;
}

static errval_t begin_domain(struct domain *domain)
{
    errval_t error = pmap_current_init(&domain->pmap, &domain->vspace);
    if (err_is_ok(error))
        error = vspace_init(&domain->vspace, &domain->pmap);
    if (err_is_fail(error))
        return error;
    domain->vspace.is_current = true;
    (void)vm_set_aspace_owner(domain->pmap.aid, domain);
    error = vspace_pinned_init();
    if (err_is_fail(error)) {
        (void)vm_set_aspace_owner(domain->pmap.aid, NULL);
        vspace_reserve_end(&domain->reserve);
    }
    return error;
}

/* => domains: locked */
static errval_t make_domain(void)
{
    if (get_domain())
        return LIB_ERR_VSPACE_CURRENT_INIT;
    aspace_id aid = vm_get_current_user_aspace_id();
    if (aid < 0) /* a child of fork, as a rule: there is no core that anything could be had of */
        return err_push(err_from_vm((int)aid), LIB_ERR_PMAP_CURRENT_INIT);
    struct domain *domain = take_domain();
    if (!domain)
        return LIB_ERR_MALLOC_FAIL;
    errval_t error = begin_domain(domain);
    if (err_is_fail(error))
        give_domain(domain);
    return error;
}

errval_t vspace_current_init(bool init_domain)
{
    if (!init_domain)
        return get_domain() ? SYS_ERR_OK : LIB_ERR_VSPACE_CURRENT_INIT;
    lock_take(&domains_lock);
    errval_t error = make_domain();
    lock_give(&domains_lock);
    return error;
}

void vspace_forget(void)
{
    domains_lock = (struct vspace_lock){0};
    first_is_taken = false;
}

struct vspace *get_current_vspace(void)
{
    struct domain *domain = get_domain();
    return domain ? &domain->vspace : NULL;
}

struct pmap *get_current_pmap(void)
{
    struct domain *domain = get_domain();
    return domain ? &domain->pmap : NULL;
}

struct vspace_reserve *get_current_reserve(void)
{
    struct domain *domain = get_domain();
    return domain ? &domain->reserve : NULL;
}

void vspace_current_end(struct vspace *vspace)
{
    lock_take(&domains_lock);
    if (vspace->is_current) {
        struct domain *domain = (struct domain *)vspace;
        (void)vm_set_aspace_owner(domain->pmap.aid, NULL);
        vspace_reserve_end(&domain->reserve);
        give_domain(domain);
    }
    lock_give(&domains_lock);
}
