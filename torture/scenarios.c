/* SPDX-License-Identifier: MIT */
/* The list of all scenarios; each is in a file of its own below scenarios/. */
#include "campaign.h"
#include "scenario.h"

/* clang-format off */
#define SCENARIOS(X) \
    X(around_against_page_in) \
    X(around_against_private_write) \
    X(around_against_truncate) \
    X(around_against_unmap) \
    X(busy_middle_against_reclaim) \
    X(cache_copies_crosswise) \
    X(cache_discard_against_fault) \
    X(cache_discard_against_fork) \
    X(cache_write_against_mapping) \
    X(cache_write_against_write_back) \
    X(child_exit_against_writer) \
    X(children_exit_together) \
    X(clone_against_clone) \
    X(clone_against_delete_of_source) \
    X(clone_against_fork_of_source) \
    X(clone_break_against_source_break) \
    X(clone_reader_against_child_exit) \
    X(clone_reader_against_source_writer) \
    X(contiguous_region_against_faults) \
    X(delete_space_against_calls) \
    X(device_against_fork) \
    X(device_against_unmap) \
    X(discard_against_child_exit) \
    X(discard_against_fork) \
    X(failed_clone_against_clone) \
    X(failed_clone_against_fork) \
    X(failing_clone_against_cut) \
    X(failing_clone_against_join) \
    X(fault_against_delete_region) \
    X(fault_against_delete_space) \
    X(fault_against_discard) \
    X(fault_against_fault) \
    X(fault_against_gaining_write) \
    X(fault_against_losing_read) \
    X(fault_against_losing_write) \
    X(fault_against_move) \
    X(fault_against_page_out) \
    X(fault_against_replace) \
    X(fault_against_resize) \
    X(fault_against_shared_clone) \
    X(fault_against_sync) \
    X(fault_against_thief) \
    X(fault_against_truncate) \
    X(fault_against_unmap) \
    X(fault_against_wire) \
    X(first_map_against_last_unmap) \
    X(first_maps_of_file) \
    X(fork_against_child_exit) \
    X(fork_against_delete_space) \
    X(fork_against_fork) \
    X(fork_against_inheritance) \
    X(fork_against_shared_clone) \
    X(fork_against_two_writers) \
    X(fork_against_unmap) \
    X(fork_against_writer) \
    X(frame_reuse_after_unmap) \
    X(gaining_write_against_fork) \
    X(grow_against_mapping_behind) \
    X(hold_against_page_out) \
    X(holds_end_together) \
    X(host_requests_together) \
    X(info_against_changes) \
    X(kernel_region_against_delete) \
    X(killed_waiter) \
    X(last_frame_for_two_faults) \
    X(last_owner_against_exit) \
    X(last_owner_moves_page) \
    X(last_put_against_reclaim) \
    X(last_unmap_against_writer) \
    X(last_unmaps_together) \
    X(limit_against_charges) \
    X(listing_against_changes) \
    X(merge_against_discard_in_child) \
    X(merge_against_truncate) \
    X(merge_up_against_reader) \
    X(middle_exit_against_writer) \
    X(move_against_fork) \
    X(name_lookup_against_delete) \
    X(one_failing_clone) \
    X(owners_exit_together) \
    X(page_in_against_discard) \
    X(parent_and_child_break_page) \
    X(piece_growth_against_writer) \
    X(private_clone_against_writer) \
    X(protect_and_join_against_faults) \
    X(reclaim_against_child_exit) \
    X(reclaim_against_discard) \
    X(reclaim_against_fork) \
    X(reclaim_against_unmap) \
    X(reclaim_against_writer) \
    X(reclaim_of_a_file_against_unmap) \
    X(reclaim_of_a_file_against_writer) \
    X(region_lookup_against_last_put) \
    X(replace_against_replace) \
    X(residency_against_changes) \
    X(shared_clone_against_delete_of_source) \
    X(shared_clones_break_page) \
    X(short_read_against_reader) \
    X(siblings_break_page) \
    X(snapshot_against_delete_of_source) \
    X(space_lookup_against_last_put) \
    X(stack_growth_against_fork) \
    X(stack_growth_against_growth) \
    X(stack_growth_against_mapping_below) \
    X(sync_against_last_unmap) \
    X(sync_against_page_out) \
    X(table_free_against_fault) \
    X(table_free_against_walk) \
    X(trim_against_allocation) \
    X(truncate_against_cache_read) \
    X(truncate_against_cache_write) \
    X(truncate_against_fork) \
    X(truncate_against_private_copy) \
    X(truncate_against_private_unmap) \
    X(truncate_against_write_back) \
    X(truncate_tail_against_reader) \
    X(truncate_twice_against_reader) \
    X(two_creators_for_one_promise) \
    X(two_failing_clones) \
    X(two_reclaimers_against_reader) \
    X(unmap_against_unmap) \
    X(user_copies_against_fault) \
    X(user_copy_against_unmap) \
    X(waiter_of_failing_read) \
    X(wire_against_unmap) \
    X(wire_against_unwire) \
    X(wire_against_wire) \
    X(wired_creation_against_unmap) \
    X(wired_growth_against_move) \
    X(wired_growth_against_unmap) \
    X(wired_move_against_replace) \
    X(wired_page_against_fork) \
    X(write_back_against_writer) \
    X(write_backs_together)
/* clang-format on */

#define DECLARE(name) extern const struct scenario scenario_##name;
SCENARIOS(DECLARE)

#define REFER(name) &scenario_##name,
const struct scenario *const scenarios[] = {SCENARIOS(REFER)};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
_Static_assert(sizeof(scenarios) / sizeof(scenarios[0]) <= CAMPAIGN_SCENARIOS,
               "a campaign has figures for fewer scenarios");
