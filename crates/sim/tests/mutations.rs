//! What is broken on purpose is found, and soon: so the other tests would find it as well.

use fws_server::simulation::Flaw;
use fws_sim::plan::KINDS;
use fws_sim::{Mutation, Plan, run};

/// The weights of some kinds of events: that messages reach Redis, and from there a server, that Redis confirms subscriptions, that a server does what it was
/// sent, and fetches what was recorded, that the network carries what clients send and get, that time goes by, that scripts do something, that clients lose
/// their connections, that Redis or a server has trouble.
const PUBLISH: usize = 1;
const RECEIVE: usize = 2;
const GRANT: usize = 3;
const CARRY_OUT: usize = 4;
const FETCH: usize = 7;
const CARRY: usize = 9;
const TIME: usize = 10;
const SCRIPT: usize = 13;
const LOSE: usize = 15;
const TROUBLE: usize = 17;

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
    found(Mutation::LostSilently, 100);
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
    // Users leave while servers are cut off or die, and nothing else happens for long.
    let lonely = |plan: Plan| {
        let mut weights = plan.weights;
        weights[TIME] = 30;
        let quiet = Plan { nodes: 3, clients: 2, steps: 300, weights, ..plan };
        Plan { grace: 500, deaths: true, outages: true, ping_interval: 20_000, window: 3_000, ..quiet }
    };
    found_in(Mutation::Core(Flaw::AsleepWithEvents), 2000, lonely);
}

#[test]
fn a_server_that_does_not_tell_php_of_clients_that_were_lost_on_their_way_is_found() {
    // The answer that has a client in it must be on its way when Redis is lost.
    let hops_and_outages = |plan| Plan { nodes: 3, clients: 5, steps: 700, breaks: true, outages: true, deaths: false, ..plan };
    found_in(Mutation::Core(Flaw::Astray), 1000, hops_and_outages);
}

#[test]
fn a_server_that_believes_that_a_session_is_over_which_has_just_left_is_found() {
    let hops = |plan| Plan { nodes: 3, clients: 5, steps: 700, breaks: true, deaths: false, names: false, ..plan };
    found_in(Mutation::Core(Flaw::LookedAtOnce), 1000, hops);
}

#[test]
fn a_server_that_ends_a_session_on_arrival_and_says_that_it_has_not_arrived_is_found() {
    let hops_and_failures =
        |plan| Plan { nodes: 3, clients: 5, steps: 700, breaks: true, failures: true, deaths: false, outages: false, ..plan };
    found_in(Mutation::Core(Flaw::EndedOnArrival), 1000, hops_and_failures);
}

#[test]
fn a_server_that_forgets_a_token_when_a_request_comes_late_is_found() {
    // A client loses its connection again and again, and no pong proves what it was told.
    let restless = |plan: Plan| {
        let mut weights = [10; KINDS];
        (weights[CARRY], weights[LOSE], weights[TIME], weights[SCRIPT]) = (30, 30, 3, 1);
        let calm = Plan { deaths: false, outages: false, failures: false, names: false, liar: false, ..plan };
        Plan { nodes: 3, clients: 1, steps: 700, weights, breaks: true, ping_interval: 20_000, window: 60_000, ..calm }
    };
    found_in(Mutation::Core(Flaw::OneToken), 4000, restless);
}

#[test]
fn a_server_that_ends_a_session_for_a_question_that_comes_late_is_found() {
    // What servers ask each other takes longer than they wait.
    let slow = |plan: Plan| {
        let mut weights = [10; KINDS];
        (weights[PUBLISH], weights[RECEIVE], weights[CARRY], weights[TIME]) = (1, 1, 30, 30);
        let calm = Plan { deaths: false, outages: false, failures: false, liar: false, ..plan };
        Plan { nodes: 2, clients: 2, steps: 500, weights, breaks: true, names: true, ping_interval: 200, window: 60_000, ..calm }
    };
    found_in(Mutation::Core(Flaw::YieldsLate), 4000, slow);
}

#[test]
fn a_server_that_begins_a_channel_again_when_redis_has_lost_it_is_found() {
    // Redis loses what it knows again and again, scripts send much, and what others have sent waits for long.
    let forgetful = |plan: Plan| {
        let mut weights = [10; KINDS];
        (weights[TROUBLE], weights[SCRIPT], weights[FETCH], weights[CARRY_OUT]) = (30, 30, 30, 1);
        let calm = Plan { breaks: false, deaths: false, failures: false, reloads: false, names: false, liar: false, ..plan };
        Plan { nodes: 3, clients: 5, steps: 700, weights, outages: true, forgets: true, ..calm }
    };
    found_in(Mutation::Core(Flaw::FromTheBeginning), 1000, forgetful);
}

#[test]
fn a_server_that_does_not_wait_until_it_is_sent_what_is_for_a_tag_is_found() {
    // Subscriptions take long, and what is sent meanwhile does not.
    let slow_subscriptions = |plan: Plan| {
        let mut weights = [10; KINDS];
        (weights[GRANT], weights[SCRIPT]) = (1, 30);
        Plan { nodes: 2, clients: 5, steps: 700, weights, breaks: false, deaths: false, outages: false, failures: false, ..plan }
    };
    found_in(Mutation::Core(Flaw::Impatient), 500, slow_subscriptions);
}
