/* SPDX-License-Identifier: MIT */
/* How a program's addresses and those of a vspace go together. */
#include "layer.h"

errval_t vspace_layout_init(struct vspace_layout *layout)
{
    if (!layout)
        return LIB_ERR_INVALID_ARGS;
    *layout = (struct vspace_layout){.granularity = BASE_PAGE_SIZE, .offset = 0};
    return SYS_ERR_OK;
}

genvaddr_t vspace_layout_lvaddr_to_genvaddr(const struct vspace_layout *layout, lvaddr_t lvaddr)
{
    return lvaddr + layout->offset;
}

lvaddr_t vspace_layout_genvaddr_to_lvaddr(const struct vspace_layout *layout, genvaddr_t genvaddr)
{
    return genvaddr - layout->offset;
}

genvaddr_t vspace_lvaddr_to_genvaddr(lvaddr_t lvaddr)
{
    const struct vspace *vspace = get_current_vspace();
    return vspace ? vspace_layout_lvaddr_to_genvaddr(&vspace->layout, lvaddr) : lvaddr;
}

lvaddr_t vspace_genvaddr_to_lvaddr(genvaddr_t genvaddr)
{
    const struct vspace *vspace = get_current_vspace();
    return vspace ? vspace_layout_genvaddr_to_lvaddr(&vspace->layout, genvaddr) : genvaddr;
}
