//! The conformance suite of the store: every test runs on PostgreSQL and on
//! SQLite, but for one about each alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod events;
mod forget;
mod lists;
mod model;
mod money;
mod once;
mod plans;
mod random;
mod world;

use std::process::ExitCode;

use testkit::harness::{Needs, Suite};

fn main() -> ExitCode {
    Suite::new()
        .on_both_databases("figures_equal_a_recount", random::figures_equal_a_recount)
        .on_both_databases("a_batch_twice_counts_once", once::a_batch_twice)
        .on_both_databases("a_fact_twice_in_a_batch_counts_once", once::a_fact_twice)
        .on_both_databases("overlapping_batches_at_once_count_once", once::overlapping)
        .on_both_databases("halves_that_come_at_once_are_joined_once", once::halves)
        .on_both_databases("a_batch_that_fails_leaves_nothing", once::a_failed_batch)
        .test(
            "sqlite::what_was_counted_in_the_table_before_stays_counted",
            [],
            once::before_arrivals,
        )
        .on_both_databases(
            "a_counted_id_with_other_content_is_skipped",
            once::a_conflict,
        )
        .on_both_databases("shards_are_added_up", lists::shards)
        .on_both_databases("a_bucket_holds_its_start_and_not_its_end", lists::buckets)
        .on_both_databases("of_a_user_unknown_nothing_is_known", lists::unknown_user)
        .on_both_databases("equal_figures_are_listed_by_id", lists::equal_figures)
        .on_both_databases("ids_are_forgotten_in_chunks_and_figures_stay", forget::ids)
        .on_both_databases("halves_that_wait_in_vain_are_forgotten", forget::halves)
        .on_both_databases("a_day_that_is_forgotten_counts_nobody_again", forget::days)
        .on_both_databases(
            "money_that_no_longer_fits_stays_at_the_most",
            money::overflow,
        )
        .test(
            "postgres::halves_are_found_by_key_after_a_quiet_time",
            [Needs::Postgres],
            plans::halves,
        )
        .run()
}
