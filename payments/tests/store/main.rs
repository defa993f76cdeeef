//! What a store promises, on both databases.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/database.rs"]
mod database;
#[path = "../support/orders.rs"]
mod orders;

mod claiming;
mod listing;
mod settling;
mod steps;
mod sweeping;
mod totals;

use std::process::ExitCode;

use testkit::harness::{Needs, Suite};

fn main() -> ExitCode {
    Suite::new()
        .on_both_databases(
            "an_intent_is_written_once_and_says_what_the_first_said",
            claiming::first_wins,
        )
        .on_both_databases("a_claim_says_what_is_left_to_do", claiming::claims)
        .on_both_databases(
            "other_content_is_a_conflict_in_every_state",
            claiming::conflicts,
        )
        .on_both_databases("only_the_latest_lease_settles", settling::leases)
        .on_both_databases(
            "two_that_settle_one_payment_in_one_statement_are_told_apart",
            settling::settled_together,
        )
        .on_both_databases(
            "callers_who_come_together_have_their_own_answers",
            settling::come_together,
        )
        .on_both_databases("a_settled_payment_never_changes", settling::settled_once)
        .test(
            "settlements_are_found_by_their_ids_whatever_was_analysed_before",
            [Needs::Postgres],
            settling::by_id,
        )
        .on_both_databases(
            "the_token_is_gone_once_settled",
            settling::token_is_forgotten,
        )
        .on_both_databases(
            "marks_that_come_early_or_twice_change_nothing",
            settling::marks,
        )
        .on_both_databases(
            "overlapping_batches_at_once_settle_each_payment_once",
            settling::overlapping,
        )
        .on_both_databases(
            "the_sweeper_gets_what_is_overdue_oldest_first",
            sweeping::due,
        )
        .on_both_databases(
            "sweepers_at_once_never_get_the_same_payment",
            sweeping::sweepers,
        )
        .on_both_databases(
            "a_postponed_payment_waits_and_a_given_up_one_stays_pending",
            sweeping::postponed,
        )
        .on_both_databases("pages_hold_every_payment_once_newest_first", listing::pages)
        .on_both_databases(
            "a_payment_that_comes_between_two_pages_disturbs_neither",
            listing::between_pages,
        )
        .on_both_databases("a_list_holds_what_its_filter_says", listing::filters)
        .on_both_databases("payments_are_found_by_id", listing::lookups)
        .on_both_databases("totals_equal_a_recount", totals::totals)
        .on_both_databases(
            "totals_stop_at_the_largest_number_and_block_nobody",
            totals::largest_total,
        )
        .run()
}
