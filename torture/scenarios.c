/* SPDX-License-Identifier: MIT */
/* The list of all scenarios; each is in a file of its own below scenarios/. */
#include "scenario.h"

/* clang-format off */
#define SCENARIOS(X) \
    X(child_exit_against_writer) \
    X(children_exit_together) \
    X(clone_against_delete_of_source) \
    X(clone_reader_against_source_writer) \
    X(discard_against_fork) \
    X(fault_against_delete_region) \
    X(fault_against_delete_space) \
    X(fault_against_discard) \
    X(fault_against_fault) \
    X(fault_against_gaining_write) \
    X(fault_against_losing_read) \
    X(fault_against_losing_write) \
    X(fault_against_move) \
    X(fault_against_replace) \
    X(fault_against_resize) \
    X(fault_against_shared_clone) \
    X(fault_against_truncate) \
    X(fault_against_unmap) \
    X(fault_against_wire) \
    X(fork_against_child_exit) \
    X(fork_against_fork) \
    X(fork_against_inheritance) \
    X(fork_against_two_writers) \
    X(fork_against_unmap) \
    X(fork_against_writer) \
    X(frame_reuse_after_unmap) \
    X(grow_against_mapping_behind) \
    X(last_owner_against_exit) \
    X(last_owner_moves_page) \
    X(merge_against_truncate) \
    X(parent_and_child_break_page) \
    X(private_clone_against_writer) \
    X(shared_clone_against_delete_of_source) \
    X(siblings_break_page) \
    X(truncate_against_cache_read) \
    X(truncate_against_cache_write) \
    X(truncate_against_private_copy) \
    X(truncate_against_write_back) \
    X(truncate_tail_against_reader) \
    X(wire_against_unmap) \
    X(wire_against_unwire) \
    X(wire_against_wire)
/* clang-format on */

#define DECLARE(name) extern const struct scenario scenario_##name;
SCENARIOS(DECLARE)

#define REFER(name) &scenario_##name,
const struct scenario *const scenarios[] = {SCENARIOS(REFER)};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
