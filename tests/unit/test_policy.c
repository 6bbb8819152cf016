/* SPDX-License-Identifier: MIT */
/* The replacement policies and their ghosts from inside, on a pool of the test's own. */
#include "support.h"

#include "page.h"

#define MOST_PAGES 512
#define GHOSTS 512
#define ALL SIZE_MAX

static const struct vm_policy *const policies[] = {&vm_policy_car, &vm_policy_clock,
                                                   &vm_policy_two_lists};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static struct vm_page_pool pool;
static struct vm_page pages[MOST_PAGES];
static struct vm_ghost memory[GHOSTS];

static void begin(const struct vm_policy *policy, size_t ghosts)
{
    pool = (struct vm_page_pool){.policy = policy, .can_swap = true};
    for (int state = 0; state < VM_PAGE_STATES; state++)
        pool.queue[state].next = pool.queue[state].prev = &pool.queue[state];
    memset(pages, 0, sizeof(pages));
    memset(memory, 0, sizeof(memory));
    vm_ghosts_init(&pool.ghosts, memory, ghosts);
}

/* Different ones never share tag or, in a table of 512, more than a fourth of a set. */
static uint64_t key_of(const struct vm_page *page)
{
    uint64_t number = (uint64_t)(page - pages) + 1;
    return number << 32 | number;
}

static bool insert(unsigned i)
{
    return pool.policy->insert(&pool, &pages[i], key_of(&pages[i]));
}

static void insert_many(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        assert_false(insert(i));
}

static void set_referenced(unsigned i)
{
    pool.policy->referenced(&pool, &pages[i]);
}

static struct vm_page *victim(unsigned budget)
{
    return pool.policy->victim(&pool, &budget);
}

/* As whoever evicts a page does it. */
static unsigned evict(void)
{
    struct vm_page *page = victim(1000);
    assert_non_null(page);
    pool.policy->ghost(&pool, page, key_of(page));
    page_queue_remove(&pool, page);
    return (unsigned)(page - pages);
}

static void assert_on(unsigned i, int state)
{
    assert_int_equal(pages[i].state, state);
}

static void assert_counts(size_t inactive, size_t active)
{
    assert_int_equal(pool.count[VM_PAGE_INACTIVE], inactive);
    assert_int_equal(pool.count[VM_PAGE_ACTIVE], active);
}

static void assert_ghosts(uint32_t recent, uint32_t frequent)
{
    assert_int_equal(pool.ghosts.count[VM_GHOST_RECENT], recent);
    assert_int_equal(pool.ghosts.count[VM_GHOST_FREQUENT], frequent);
}

/* ---- every policy ------------------------------------------------------------------------------- */

static void on_each(void (*test)(void))
{
    for (unsigned i = 0; i < POLICIES; i++) {
        begin(policies[i], GHOSTS);
        test();
    }
}

static void say_where_they_are_from(void)
{
    assert_true(strlen(pool.policy->name) > 0);
    assert_true(strlen(pool.policy->published) > 0);
}

static void find_nothing(void)
{
    unsigned budget = 7;
    assert_null(pool.policy->victim(&pool, &budget));
    assert_int_equal(budget, 7);
}

static void look_at_nothing_without_budget(void)
{
    unsigned budget = 0;
    insert_many(0, 3);
    assert_null(pool.policy->victim(&pool, &budget));
    assert_int_equal(budget, 0);
    assert_int_equal(evict(), 0);
}

static void take_the_oldest(void)
{
    insert_many(0, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(evict(), i);
    find_nothing();
}

static void look_at_one_with_a_budget_of_one(void)
{
    unsigned budget = 1;
    insert_many(0, 4);
    set_referenced(0);
    assert_null(pool.policy->victim(&pool, &budget));
    assert_int_equal(budget, 0);
    assert_int_equal(pages[0].referenced, 0);
}

static void take_off_what_was_looked_at(void)
{
    unsigned budget = 20;
    insert_many(0, 8);
    set_referenced(0);
    set_referenced(1);
    assert_ptr_equal(pool.policy->victim(&pool, &budget), &pages[2]);
    assert_true(budget < 18 && budget > 10);
    assert_int_equal(pages[0].referenced + pages[1].referenced, 0);
}

static void give_another_round(void)
{
    insert_many(0, 4);
    for (unsigned i = 0; i < 4; i++)
        set_referenced(i);
    assert_int_equal(evict(), 0);
    assert_int_equal(evict(), 1);
}

/* The victim stays on its queue until it is taken off, and the next call looks at another. */
static void put_the_victim_at_the_tail(void)
{
    insert_many(0, 4);
    struct vm_page *first = victim(10);
    assert_ptr_equal(pool.queue[first->state].prev, first);
    assert_int_equal(pool.count[VM_PAGE_INACTIVE] + pool.count[VM_PAGE_ACTIVE], 4);
    assert_ptr_not_equal(victim(10), first);
}

static void pass_over_what_may_not_go(void)
{
    pool.can_swap = false;
    insert_many(0, 6);
    pages[2].is_file = 1;
    pages[3].swap = 9;
    pages[5].discardable = 1;
    assert_int_equal(evict(), 2);
    assert_int_equal(evict(), 3);
    assert_int_equal(evict(), 5);
    unsigned budget = 100;
    assert_null(pool.policy->victim(&pool, &budget));
    assert_int_equal(budget, 0);
    assert_int_equal(pool.count[VM_PAGE_INACTIVE] + pool.count[VM_PAGE_ACTIVE], 3);
}

/* With budgets of two, however many may not go. */
static void come_to_the_only_one_that_may_go(void)
{
    insert_many(0, 32);
    for (unsigned i = 0; i < 24; i++)
        set_referenced(i);
    assert_int_equal(evict(), 24);
    pool.can_swap = false;
    pages[31].is_file = 1;
    for (unsigned tries = 0; tries < 200; tries++) {
        struct vm_page *page = victim(2);
        if (page) {
            assert_ptr_equal(page, &pages[31]);
            return;
        }
    }
    fail_msg("%s never came to it", pool.policy->name);
}

static void forget_what_was_before(void)
{
    pages[0].referenced = 1;
    insert_many(0, 2);
    assert_int_equal(evict(), 0);
}

static void test_policies_agree(void)
{
    on_each(say_where_they_are_from);
    on_each(find_nothing);
    on_each(look_at_nothing_without_budget);
    on_each(take_the_oldest);
    on_each(look_at_one_with_a_budget_of_one);
    on_each(take_off_what_was_looked_at);
    on_each(give_another_round);
    on_each(put_the_victim_at_the_tail);
    on_each(pass_over_what_may_not_go);
    on_each(come_to_the_only_one_that_may_go);
    on_each(forget_what_was_before);
}

/* ---- CLOCK -------------------------------------------------------------------------------------- */

static void test_clock_is_one_circle_without_memory(void)
{
    begin(&vm_policy_clock, GHOSTS);
    insert_many(0, 4);
    assert_counts(0, 4);
    set_referenced(0);
    assert_int_equal(evict(), 1);
    assert_false(insert(1));
    assert_ghosts(0, 0);
    set_referenced(2);
    assert_int_equal(evict(), 3);
    assert_int_equal(evict(), 0);
    assert_int_equal(evict(), 1);
    assert_int_equal(evict(), 2);
}

/* ---- CAR ---------------------------------------------------------------------------------------- */

/* Pages first to first + count - 1, from INACTIVE to ACTIVE; the target is 0. */
static void make_active(unsigned first, unsigned count)
{
    insert_many(first, count);
    for (unsigned i = first; i < first + count; i++) {
        set_referenced(i);
        assert_null(victim(1));
        assert_on(i, VM_PAGE_ACTIVE);
    }
}

static void test_car_moves_referenced_pages_to_active(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 3);
    insert_many(3, 3);
    assert_counts(3, 3);
    assert_int_equal(evict(), 3);
    assert_int_equal(evict(), 4);
    assert_int_equal(evict(), 5);
    assert_ghosts(3, 0);
    assert_int_equal(evict(), 0); /* nothing is left on INACTIVE */
    assert_ghosts(3, 1);
}

static void test_car_takes_from_active_below_the_target(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 3);
    insert_many(3, 3);
    pool.target = 4;
    set_referenced(0);
    assert_int_equal(evict(), 1);
    assert_ghosts(0, 1);
    assert_int_equal(pages[0].referenced, 0);
    pool.target = 3;
    assert_int_equal(evict(), 3);
    pool.target = 30; /* ACTIVE is empty before INACTIVE has so many */
    assert_int_equal(evict(), 2);
    assert_int_equal(evict(), 0);
    assert_int_equal(evict(), 4);
}

static void test_car_ghosts_move_the_target(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 4);
    insert_many(4, 4);
    assert_int_equal(evict(), 4);
    assert_int_equal(pool.target, 0);
    assert_true(insert(4)); /* went from INACTIVE: it should be larger */
    assert_on(4, VM_PAGE_ACTIVE);
    assert_int_equal(pool.target, 1);
    assert_ghosts(0, 0);
    pool.target = 8;
    assert_int_equal(evict(), 0);
    assert_true(insert(0)); /* went from ACTIVE */
    assert_on(0, VM_PAGE_ACTIVE);
    assert_int_equal(pool.target, 7);
    assert_counts(3, 5);
}

/* `active` pages of ACTIVE and 2 of INACTIVE; then `frequent` of ACTIVE have gone, and the first of INACTIVE. */
static void leave_ghosts(unsigned active, unsigned frequent)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, active);
    insert_many(active, 2);
    pool.target = 1000;
    for (unsigned i = 0; i < frequent; i++)
        assert_int_equal(evict(), i);
    pool.target = 1;
    assert_int_equal(evict(), active);
    assert_ghosts(1, frequent);
}

static void test_car_steps_are_as_long_as_the_lists(void)
{
    leave_ghosts(140, 3);
    assert_true(insert(140));
    assert_int_equal(pool.target, 4);
    leave_ghosts(140, 20);
    assert_true(insert(140));
    assert_int_equal(pool.target, 9); /* 8 at most */
    assert_true(insert(19));
    assert_int_equal(pool.target, 8);
    leave_ghosts(340, 20);
    assert_true(insert(340));
    assert_int_equal(pool.target, 11); /* a 32nd of 322 pages is 10 */
}

static void test_car_target_stays_between_0_and_all(void)
{
    leave_ghosts(140, 6);
    pool.target = 0;
    assert_true(insert(0));
    assert_int_equal(pool.target, 0);
    pool.target = 136; /* 136 pages, and the one that comes */
    assert_true(insert(140));
    assert_int_equal(pool.target, 137);
}

static void test_car_target_falls_by_more_than_one(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 4);
    insert_many(4, 140);
    for (unsigned i = 4; i < 10; i++)
        assert_int_equal(evict(), i);
    pool.target = 200;
    assert_int_equal(evict(), 0);
    assert_ghosts(6, 1);
    pool.target = 100;
    assert_true(insert(0)); /* 138 pages, 134 of them on INACTIVE: half of 4 ghosts count */
    assert_int_equal(pool.target, 98);
}

static void test_car_remembers_no_more_than_the_paper(void)
{
    begin(&vm_policy_car, GHOSTS);
    insert_many(0, 8);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(evict(), i);
    assert_ghosts(4, 0);
    /* With the page that comes there are 5, 4 of them on INACTIVE: one ghost counts. */
    assert_false(insert(2));
    assert_on(2, VM_PAGE_INACTIVE);
    assert_int_equal(pool.target, 0);
    assert_ghosts(3, 0);
    assert_int_equal(evict(), 4);
    assert_true(insert(4));
}

/* Of 12 pages of ACTIVE, 9 have gone. */
static void leave_three_active(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 12);
    pool.target = 1;
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(evict(), i);
    assert_ghosts(0, 9);
}

/* With the page that comes there are 4: of 8 in all, 5 are ghosts, and half of them count. */
static void test_car_limits_ghosts_of_active(void)
{
    leave_three_active();
    assert_false(insert(5));
    assert_on(5, VM_PAGE_INACTIVE);
    assert_int_equal(pool.target, 1);
    leave_three_active();
    assert_true(insert(6));
    assert_int_equal(pool.target, 0);
}

/* The same; of 4 pages and 4 ghosts that may be, 2 have gone from INACTIVE. */
static void test_car_limits_ghosts_of_active_by_others(void)
{
    for (unsigned i = 6; i <= 7; i++) {
        begin(&vm_policy_car, GHOSTS);
        make_active(0, 12);
        insert_many(12, 2);
        assert_int_equal(evict(), 12);
        assert_int_equal(evict(), 13);
        for (unsigned gone = 0; gone < 9; gone++)
            assert_int_equal(evict(), gone);
        assert_ghosts(2, 9);
        assert_int_equal(insert(i), i == 7); /* half of 3, rounded up */
    }
}

static void test_car_knows_ghosts_of_lists_of_the_same_length(void)
{
    leave_ghosts(140, 1);
    assert_ghosts(1, 1);
    assert_true(insert(140));
}

static void test_car_looks_at_active_with_a_budget_of_one(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 1);
    insert_many(1, 1);
    pool.target = 4;
    assert_ptr_equal(victim(1), &pages[0]);
}

/* Pages that are referenced aren't stuck: the hand comes round to them. */
static void test_car_goes_round_a_queue_that_is_referenced(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 6);
    insert_many(6, 2);
    pool.target = 8;
    for (unsigned i = 0; i < 6; i++)
        set_referenced(i);
    assert_ptr_equal(victim(8), &pages[0]);
}

static void test_car_gives_up_a_queue_that_may_not_go(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 6);
    insert_many(6, 2);
    pool.can_swap = false;
    pool.target = 8;
    pages[7].is_file = 1;
    unsigned budget = 6;
    assert_ptr_equal(pool.policy->victim(&pool, &budget), &pages[7]);
    assert_int_equal(budget, 1);
    assert_on(7, VM_PAGE_INACTIVE);
    assert_on(6, VM_PAGE_ACTIVE);
    assert_counts(1, 7);
}

/* A scan leaves what is used alone, as CLOCK can't. */
static void test_car_resists_a_scan(void)
{
    begin(&vm_policy_car, GHOSTS);
    make_active(0, 8);
    insert_many(8, 8);
    for (unsigned i = 16; i < MOST_PAGES; i++) {
        assert_true(evict() >= 8);
        assert_false(insert(i));
    }
    assert_counts(8, 8);
}

/* ---- two lists ---------------------------------------------------------------------------------- */

static void test_two_lists_keep_a_quarter_inactive(void)
{
    begin(&vm_policy_two_lists, GHOSTS);
    insert_many(0, 8);
    for (unsigned i = 0; i < 7; i++)
        set_referenced(i);
    assert_int_equal(evict(), 7);
    /* At 2 of 8 pages one came over for each that was looked at. */
    assert_counts(2, 5);
    assert_on(0, VM_PAGE_INACTIVE);
    assert_int_equal(evict(), 0);
    set_referenced(1);
    assert_int_equal(evict(), 2);
    assert_on(1, VM_PAGE_ACTIVE);
}

/* What brings a page over from ACTIVE is a look, too: it may be the last. */
static void test_two_lists_look_no_more_than_they_may(void)
{
    unsigned budget = 1;
    begin(&vm_policy_two_lists, GHOSTS);
    insert_many(0, 8);
    for (unsigned i = 0; i < 7; i++)
        set_referenced(i);
    assert_int_equal(evict(), 7);
    assert_int_equal(evict(), 0);
    assert_counts(1, 5);
    assert_null(pool.policy->victim(&pool, &budget));
    assert_int_equal(budget, 0);
    assert_counts(2, 4);
}

static void test_two_lists_remember(void)
{
    begin(&vm_policy_two_lists, GHOSTS);
    insert_many(0, 8);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(evict(), i);
    assert_ghosts(4, 0);
    assert_false(insert(1)); /* half of 4 pages is 2 */
    assert_on(1, VM_PAGE_INACTIVE);
    assert_true(insert(2));
    assert_on(2, VM_PAGE_ACTIVE);
    assert_true(insert(3));
    assert_int_equal(pool.target, 0);
}

static void test_two_lists_have_only_active_pages(void)
{
    begin(&vm_policy_two_lists, GHOSTS);
    insert_many(0, 2);
    set_referenced(0);
    set_referenced(1);
    assert_null(victim(2));
    assert_counts(0, 2);
    set_referenced(0);
    set_referenced(1);
    assert_null(victim(2));
    assert_counts(0, 2);
    unsigned budget = 2;
    assert_ptr_equal(pool.policy->victim(&pool, &budget), &pages[0]);
    assert_int_equal(budget, 0);
    assert_counts(1, 1);
}

/* ---- ghosts ------------------------------------------------------------------------------------- */

static const size_t no_limit[3] = {ALL, ALL, ALL};
static struct vm_ghosts ghosts;

/* A ghost of set `set`, as a table of 16 has four of them. */
static uint64_t in_set(uint64_t set, uint64_t number)
{
    return number << 32 | set;
}

static void begin_ghosts(size_t size)
{
    memset(memory, 0, sizeof(memory));
    vm_ghosts_init(&ghosts, memory, size);
}

static void add(enum vm_ghost_list list, uint64_t key)
{
    vm_ghosts_add(&ghosts, list, key);
}

static int take(uint64_t key)
{
    return (int)vm_ghosts_take(&ghosts, key, no_limit);
}

static int take_of(uint64_t key, size_t recent, size_t frequent)
{
    return (int)vm_ghosts_take(&ghosts, key, (const size_t[3]){0, recent, frequent});
}

static void test_ghosts_are_taken_once(void)
{
    begin_ghosts(16);
    assert_int_equal(take(in_set(1, 7)), VM_GHOST_NONE);
    assert_int_equal(take(0), VM_GHOST_NONE);
    add(VM_GHOST_RECENT, in_set(1, 7));
    add(VM_GHOST_FREQUENT, in_set(1, 8));
    add(VM_GHOST_FREQUENT, 0);
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 1);
    assert_int_equal(ghosts.count[VM_GHOST_FREQUENT], 2);
    assert_int_equal(take(in_set(2, 7)), VM_GHOST_NONE);
    assert_int_equal(take(in_set(1, 7)), VM_GHOST_RECENT);
    assert_int_equal(take(in_set(1, 7)), VM_GHOST_NONE);
    assert_int_equal(take(in_set(1, 8)), VM_GHOST_FREQUENT);
    assert_int_equal(take(0), VM_GHOST_FREQUENT);
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 0);
    assert_int_equal(ghosts.count[VM_GHOST_FREQUENT], 0);
}

static void test_ghosts_of_one_key_are_one(void)
{
    begin_ghosts(4);
    add(VM_GHOST_RECENT, in_set(0, 1));
    add(VM_GHOST_RECENT, in_set(0, 2));
    add(VM_GHOST_FREQUENT, in_set(0, 1));
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 1);
    assert_int_equal(ghosts.count[VM_GHOST_FREQUENT], 1);
    assert_int_equal(take(in_set(0, 1)), VM_GHOST_FREQUENT);
    assert_int_equal(take(in_set(0, 1)), VM_GHOST_NONE);
}

static void test_ghosts_make_room_for_new_ones(void)
{
    begin_ghosts(4);
    for (uint64_t number = 1; number <= 4; number++)
        add(VM_GHOST_RECENT, in_set(0, number));
    assert_int_equal(take(in_set(0, 2)), VM_GHOST_RECENT);
    add(VM_GHOST_RECENT, in_set(0, 5)); /* in its place */
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 4);
    add(VM_GHOST_RECENT, in_set(0, 6)); /* in that of the first */
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 4);
    assert_int_equal(take(in_set(0, 1)), VM_GHOST_NONE);
    add(VM_GHOST_RECENT, in_set(0, 7)); /* in that of the third, which is the oldest now */
    assert_int_equal(take(in_set(0, 3)), VM_GHOST_NONE);
    for (uint64_t number = 4; number <= 7; number++)
        assert_int_equal(take(in_set(0, number)), VM_GHOST_RECENT);
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 0);
}

/* Each of the 30 bits above the lower half makes it another, and so does its set. */
static void test_ghosts_of_other_keys_are_others(void)
{
    begin_ghosts(16);
    add(VM_GHOST_RECENT, in_set(1, 0));
    for (unsigned bit = 0; bit < 30; bit++)
        assert_int_equal(take(in_set(1, (uint64_t)1 << bit)), VM_GHOST_NONE);
    assert_int_equal(take(in_set(0, 0)), VM_GHOST_NONE);
    assert_int_equal(take(in_set(1, 0)), VM_GHOST_RECENT);
}

/* Of those that are as far along their lists, the first of the set goes. */
static void test_ghosts_that_are_as_old(void)
{
    begin_ghosts(4);
    for (uint64_t number = 1; number <= 4; number++)
        add(number % 2 ? VM_GHOST_RECENT : VM_GHOST_FREQUENT, in_set(0, number));
    add(VM_GHOST_RECENT, in_set(0, 5));
    assert_int_equal(take(in_set(0, 1)), VM_GHOST_NONE);
    assert_int_equal(take(in_set(0, 2)), VM_GHOST_FREQUENT);
}

/* What is far along a short list goes before what is a little along a long one. */
static void test_ghosts_are_old_for_their_list(void)
{
    begin_ghosts(16);
    add(VM_GHOST_FREQUENT, in_set(0, 1));
    add(VM_GHOST_FREQUENT, in_set(0, 2));
    for (uint64_t number = 3; number <= 10; number++)
        add(VM_GHOST_RECENT, in_set(1 + number % 2, number));
    add(VM_GHOST_RECENT, in_set(0, 11));
    add(VM_GHOST_RECENT, in_set(0, 12));
    add(VM_GHOST_RECENT, in_set(3, 13));
    add(VM_GHOST_RECENT, in_set(3, 14));
    add(VM_GHOST_RECENT, in_set(0, 15));
    assert_int_equal(take(in_set(0, 1)), VM_GHOST_NONE);
    assert_int_equal(take(in_set(0, 2)), VM_GHOST_FREQUENT);
    assert_int_equal(take(in_set(0, 11)), VM_GHOST_RECENT);
}

static void test_ghosts_beyond_the_limit_are_gone(void)
{
    begin_ghosts(16);
    for (uint64_t number = 0; number < 4; number++)
        add(VM_GHOST_RECENT, in_set(number, 1));
    add(VM_GHOST_FREQUENT, in_set(0, 2));
    assert_int_equal(take_of(in_set(2, 1), 2, 0), VM_GHOST_RECENT);
    assert_int_equal(take_of(in_set(1, 1), 2, 9), VM_GHOST_NONE);
    assert_int_equal(take(in_set(1, 1)), VM_GHOST_NONE); /* it isn't asked for again */
    assert_int_equal(take_of(in_set(0, 2), 9, 0), VM_GHOST_NONE);
    assert_int_equal(take_of(in_set(3, 1), 1, 0), VM_GHOST_RECENT);
    assert_int_equal(take_of(in_set(0, 1), 4, 0), VM_GHOST_RECENT);
    assert_int_equal(ghosts.count[VM_GHOST_RECENT], 0);
    assert_int_equal(ghosts.count[VM_GHOST_FREQUENT], 0);
}

static void test_ghosts_ages_wrap_around(void)
{
    begin_ghosts(4);
    ghosts.added[VM_GHOST_RECENT] = UINT32_MAX - 1;
    for (uint64_t number = 1; number <= 4; number++)
        add(VM_GHOST_RECENT, in_set(0, number));
    assert_int_equal(ghosts.added[VM_GHOST_RECENT], 2);
    add(VM_GHOST_RECENT, in_set(0, 5));
    assert_int_equal(take(in_set(0, 1)), VM_GHOST_NONE);
    assert_int_equal(take_of(in_set(0, 2), 3, 0), VM_GHOST_NONE);
    assert_int_equal(take_of(in_set(0, 3), 3, 0), VM_GHOST_RECENT);
    assert_int_equal(take_of(in_set(0, 4), 2, 0), VM_GHOST_RECENT);
    assert_int_equal(take_of(in_set(0, 5), 1, 0), VM_GHOST_RECENT);
}

static void test_ghosts_are_counted_at_random(void)
{
    uint64_t state = 1;
    begin_ghosts(64);
    for (unsigned i = 0; i < 20000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t key = vm_ghost_key(3, (state >> 40) % 200);
        if (state >> 63)
            take_of(key, 30, 20);
        else
            add(1 + (state >> 62) % 2, key);
        uint32_t count[4] = {0};
        for (unsigned at = 0; at < 64; at++)
            count[memory[at].tag & 3]++;
        assert_int_equal(count[VM_GHOST_RECENT], ghosts.count[VM_GHOST_RECENT]);
        assert_int_equal(count[VM_GHOST_FREQUENT], ghosts.count[VM_GHOST_FREQUENT]);
        assert_int_equal(count[3], 0);
    }
}

UNIT_MAIN("replacement policies", TEST(test_policies_agree),
          TEST(test_clock_is_one_circle_without_memory),
          TEST(test_car_moves_referenced_pages_to_active),
          TEST(test_car_takes_from_active_below_the_target), TEST(test_car_ghosts_move_the_target),
          TEST(test_car_steps_are_as_long_as_the_lists),
          TEST(test_car_target_stays_between_0_and_all),
          TEST(test_car_target_falls_by_more_than_one),
          TEST(test_car_remembers_no_more_than_the_paper), TEST(test_car_limits_ghosts_of_active),
          TEST(test_car_limits_ghosts_of_active_by_others),
          TEST(test_car_knows_ghosts_of_lists_of_the_same_length),
          TEST(test_car_looks_at_active_with_a_budget_of_one),
          TEST(test_car_goes_round_a_queue_that_is_referenced),
          TEST(test_car_gives_up_a_queue_that_may_not_go), TEST(test_car_resists_a_scan),
          TEST(test_two_lists_keep_a_quarter_inactive),
          TEST(test_two_lists_look_no_more_than_they_may), TEST(test_two_lists_remember),
          TEST(test_two_lists_have_only_active_pages), TEST(test_ghosts_are_taken_once),
          TEST(test_ghosts_of_one_key_are_one), TEST(test_ghosts_make_room_for_new_ones),
          TEST(test_ghosts_of_other_keys_are_others), TEST(test_ghosts_that_are_as_old),
          TEST(test_ghosts_are_old_for_their_list), TEST(test_ghosts_beyond_the_limit_are_gone),
          TEST(test_ghosts_ages_wrap_around), TEST(test_ghosts_are_counted_at_random))
