//! The behaviour of a ledger, as functions of any implementation of [`Ledger`](crate::Ledger).
//!
//! A test of a backend names a function that opens an empty ledger and calls `ledger_suite!` with
//! it; each behaviour becomes one test. Nothing here knows what a backend is made of.

pub mod accounts;
pub mod children;
pub mod concurrent;
pub mod control;
pub mod fixture;
pub mod identity;
pub mod lease;
pub mod limits;
pub mod model;
pub mod model_identities;
pub mod model_quota;
pub mod ownership;
pub mod purge;
pub mod report;
pub mod submit;
pub mod sweep;
pub mod targets;
pub mod views;
pub mod zones;

/// Makes a test of each behaviour. `$open` is an async function that returns an `Arc<dyn Ledger>`
/// that is empty, and whatever must live as long as it.
#[doc(hidden)]
#[macro_export]
macro_rules! ledger_suite {
    ($open:path) => {
        $crate::ledger_suite! { $open;
            accounts::an_account_gets_a_number_and_is_listed_oldest_first,
            accounts::a_second_account_with_the_same_number_is_a_conflict,
            accounts::limits_are_the_default_until_they_are_set_by_product,
            accounts::limits_are_set_by_area_and_added_where_there_are_none,
            accounts::the_quota_days_are_kept_whole,
            accounts::a_signed_call_is_taken_once_while_it_is_remembered,
            identity::an_account_is_named_and_disabled,
            identity::a_key_is_found_by_its_public_half_and_replaced,
            identity::keys_are_listed_by_account_and_their_use_is_noted,
            identity::temporary_keys_are_kept_apart_and_swept,
            identity::users_are_kept_whole_with_names_of_their_account,
            identity::groups_have_members_of_their_account,
            identity::policies_are_kept_and_stay_while_they_are_attached,
            identity::an_identity_has_the_policies_of_a_user_and_its_groups,
            accounts::a_domain_is_kept_whole_and_listed_by_host,
            accounts::what_belongs_to_no_account_is_not_found,
            zones::a_zone_is_kept_whole_and_listed_by_id,
            ownership::a_claim_that_is_related_to_another_accounts_is_a_conflict,
            ownership::of_related_claims_that_race_those_of_one_account_are_taken,
            ownership::a_record_stays_until_it_expires_and_an_account_has_a_bounded_number,
            ownership::a_proof_replaces_the_older_one_and_the_oldest_goes,
            ownership::a_domain_that_is_removed_ends_records_and_proofs_of_its_account,
            purge::a_purge_is_done_when_every_node_of_every_phase_has_confirmed,
            purge::the_edges_are_ordered_early_and_again_where_a_silent_node_is_waited_for,
            purge::orders_are_numbered_upwards_and_confirmed_once,
            purge::an_unconfirmed_order_holds_back_the_jobs_of_its_account_and_node,
            purge::a_purge_over_quota_writes_nothing,
            purge::purges_are_listed_newest_first_by_every_condition,
            purge::an_order_for_tags_names_the_host_of_each,
            submit::equal_urls_are_merged_and_charged_once,
            submit::over_quota_writes_nothing_and_names_the_counter,
            submit::several_tasks_are_accepted_together_or_not_at_all,
            submit::a_global_task_charges_both_areas_or_none,
            submit::another_day_is_another_counter,
            submit::a_task_id_is_taken_once,
            submit::the_last_number_is_the_largest_whenever_its_task_was_created,
            submit::targets_settled_at_once_need_no_node,
            submit::a_target_that_nobody_must_hold_is_refused,
            submit::request_fields_are_there_as_long_as_the_task_runs,
            submit::one_job_is_made_for_each_node_and_five_hundred_targets,
            children::children_are_merged_into_the_task_and_a_repeat_changes_nothing,
            children::children_are_charged_as_far_as_the_quota_goes,
            children::children_beyond_the_bound_are_written_and_not_charged,
            children::children_keep_a_task_open,
            children::a_job_tells_which_playlists_were_named_as_such,
            children::children_of_a_final_task_are_left_out,
            lease::the_job_that_is_due_longest_is_leased_first,
            lease::a_lease_takes_no_more_than_the_limit_and_only_its_own_node,
            lease::tokens_follow_the_seed,
            lease::a_lease_that_ran_out_is_leased_again,
            lease::a_renewed_lease_lasts,
            lease::a_deferred_job_waits_as_if_it_had_not_been_leased,
            lease::a_node_that_starts_anew_releases_its_leases,
            lease::the_engine_sees_what_stands_behind_a_lease,
            report::a_stale_token_changes_nothing,
            report::a_repeated_report_changes_nothing,
            report::a_target_is_done_when_its_last_node_settles,
            report::the_first_failure_is_the_outcome_of_a_target,
            report::what_is_not_settled_waits_until_not_before,
            report::an_unfinal_report_is_kept_as_what_is_known_so_far,
            report::positions_of_others_are_ignored,
            report::what_is_not_followed_is_told_by_node_and_summed_up_by_task,
            control::a_paused_task_waits_outside_the_queue_until_it_is_resumed,
            control::a_canceled_task_ends_with_what_is_there,
            control::jobs_follow_in_steps_that_go_on_where_they_ended,
            control::a_wish_that_changes_nothing_says_so,
            control::children_of_a_paused_task_wait_and_those_of_a_canceled_one_are_left_out,
            control::failed_targets_are_listed_in_order,
            control::canceled_targets_are_counted_and_found_apart,
            sweep::jobs_of_a_silent_node_end_as_timeouts_and_late_reports_are_stale,
            sweep::a_job_that_is_always_lost_is_given_up,
            sweep::finished_tasks_are_removed_by_parts_and_every_view_stays_right,
            sweep::what_is_removed_belongs_to_nobody_else,
            sweep::what_is_left_of_a_task_has_the_bytes_of_its_targets,
            sweep::tasks_without_targets_are_removed_by_parts,
            sweep::finished_purges_and_old_quotas_are_removed,
            sweep::the_rows_of_a_purge_count_when_purges_are_removed_by_parts,
            targets::every_condition_of_a_filter_holds,
            targets::pages_are_newest_task_first_and_in_the_order_submitted,
            targets::failures_are_told_apart_by_their_kind,
            targets::ranges_of_time_are_exact_to_the_millisecond,
            targets::pages_match_a_plain_model,
            views::tasks_are_listed_newest_first_with_their_counts,
            views::outcomes_tell_what_each_node_reported,
            views::the_bytes_of_a_task_are_summed_up_as_they_come,
            views::a_job_is_there_with_what_is_unsettled_until_it_is_final,
            limits::chunks_do_not_show_in_pages,
            limits::the_first_and_the_last_of_a_chunk_settle_like_others,
            limits::limited_tasks_are_told_with_the_hosts_that_are_open,
            limits::moments_beyond_all_bounds_keep_their_order,
            limits::pages_of_tasks_begin_and_end_where_they_are_told,
            limits::what_is_due_or_old_is_so_to_the_millisecond,
            limits::quotas_and_keys_end_with_their_day_and_moment,
            limits::purges_are_listed_and_removed_to_the_millisecond,
            limits::a_quota_lasts_to_its_last_unit,
            model::leases_match_a_plain_model,
            model::purges_match_a_plain_model,
            model_identities::identities_match_a_plain_model,
            model_identities::records_and_proofs_match_a_plain_model,
            model_quota::quotas_match_a_plain_model,
            concurrent::sums_hold_under_concurrent_submits_and_reports,
            concurrent::a_quota_is_never_passed_by_concurrent_submits,
            concurrent::no_area_is_passed_when_calls_for_one_and_for_both_race,
        }
    };
    ($open:path; $($group:ident::$name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (ledger, guard) = $open().await;
                $crate::suite::$group::$name(ledger).await;
                drop(guard);
            }
        )+
    };
}
