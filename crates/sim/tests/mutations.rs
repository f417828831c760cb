//! What is broken on purpose is found, and soon: so the other tests would find it as well.

use fws_server::simulation::Flaw;
use fws_sim::{Mutation, Plan, run};

/// The first seed with which a mutation is found. What is broken must be in use: there are several servers, and connections break.
fn found(mutation: Mutation, within: u64) -> u64 {
    found_in(mutation, within, |plan| plan)
}

/// The same with other plans.
fn found_in(mutation: Mutation, within: u64, change: impl Fn(Plan) -> Plan) -> u64 {
    for seed in 0..within {
        let plan = change(Plan::broken(seed, mutation));
        if !run(plan, false).wrong.is_empty() {
            println!("{mutation:?}: seed {seed}");
            return seed;
        }
    }
    panic!("{mutation:?} is not found within {within} seeds");
}

#[test]
fn a_redis_that_gives_a_message_twice_is_found() {
    found(Mutation::ToldTwice, 20);
}

#[test]
fn a_redis_that_loses_a_message_silently_is_found() {
    found(Mutation::LostSilently, 20);
}

#[test]
fn a_redis_that_changes_the_order_of_messages_is_found() {
    found(Mutation::Reordered, 40);
}

#[test]
fn a_redis_that_gives_one_id_to_two_servers_is_found() {
    found(Mutation::ClaimedByTwo, 100);
}

#[test]
fn a_network_that_swaps_two_messages_is_found() {
    found(Mutation::Swapped, 20);
}

#[test]
fn a_network_that_repeats_a_message_of_a_client_is_found() {
    found(Mutation::Repeated, 20);
}

#[test]
fn a_server_that_remembers_nothing_for_clients_on_their_way_is_found() {
    found(Mutation::Core(Flaw::NoJournal), 150);
}

#[test]
fn a_server_that_does_not_remember_the_numbers_of_messages_is_found() {
    found(Mutation::Core(Flaw::NoNumbers), 150);
}

#[test]
fn a_server_that_gives_a_client_away_before_its_events_are_handled_is_found() {
    found(Mutation::Core(Flaw::EventsLeftBehind), 150);
}

#[test]
fn a_server_that_sleeps_while_events_wait_is_found() {
    found(Mutation::Core(Flaw::AsleepWithEvents), 600);
}

#[test]
fn a_server_that_does_not_tell_php_of_clients_that_were_lost_on_their_way_is_found() {
    // The answer that has a client in it must be on its way when Redis is lost.
    let hops_and_outages = |plan| Plan { nodes: 3, clients: 5, steps: 700, breaks: true, outages: true, deaths: false, ..plan };
    found_in(Mutation::Core(Flaw::Astray), 1000, hops_and_outages);
}
