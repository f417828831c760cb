//! Timers of PHP.

use std::time::{Duration, Instant};

use crate::common::counter;
use crate::php::*;
use fws_hub::command::{ClearTimer, SetTimer};
use fws_hub::{Command, CommandError, Reply};

#[test]
fn timers_are_told_to_their_worker_in_time_and_in_order() {
    let core = started();
    let since = Instant::now();
    let late = set_timer(&core, 120, "late", false);
    let soon = set_timer(&core, 40, "soon", false);
    let never = set_timer(&core, 60_000, "never", false);
    assert_eq!(core.ask(&Command::ClearTimer(ClearTimer { timer: never as u64 })), Ok(Reply::Flag(true)));
    assert_eq!(core.ask(&Command::ClearTimer(ClearTimer { timer: never as u64 })), Ok(Reply::Flag(false)));
    let mut told = handle(&core, 1);
    assert!(since.elapsed() >= Duration::from_millis(told.len() as u64 * 80 - 40), "{told:?}");
    if told.len() == 1 {
        told.extend(handle(&core, 1));
    }
    assert!(since.elapsed() >= Duration::from_millis(120));
    assert_eq!(told, [format!("timer {soon} soon"), format!("timer {late} late")]);
    assert_eq!((counter(&core, "timers"), counter(&core, "timers_fired")), (0, 2));
    let unknown = Command::SetTimer(SetTimer { delay: 1, payload: b"".into(), repeat: false, worker: "nobody", name: None });
    assert_eq!(core.ask(&unknown), Err(CommandError::UnknownWorker));
}

#[test]
fn a_repeating_timer_never_overtakes_itself() {
    let core = started();
    let id = set_timer(&core, 5, "tick", true);
    let bell = bell(&core);
    assert_eq!(next(&core, &bell.1), Some(format!("timer {id} tick")));
    wait_until("it is due again while it is handled", || counter(&core, "timers_skipped") >= 3);
    assert_eq!(counter(&core, "timers_fired"), 1);
    end(&core, &bell);
    let told = handle(&core, 2);
    assert!(told.iter().all(|event| *event == format!("timer {id} tick")), "{told:?}");
}

#[test]
fn timers_survive_a_reload_and_go_with_their_worker() {
    let core = started();
    set_timer(&core, 50, "stays", false);
    set_timer(&core, 60_000, "goes", false);
    core.stage(2, ROUTES.as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    assert_eq!(handle(&core, 1).len(), 1);
    core.stage(3, br#"{"routes":[{"name":"echo","echo":true}]}"#).expect("legal");
    core.commit(3).expect("staged");
    assert_eq!((counter(&core, "timers"), counter(&core, "timers_dropped")), (0, 1));
}

#[test]
fn a_worker_that_starts_sets_timers_before_its_configuration_is_in_force() {
    let core = started();
    let set = |worker: &str, payload: &str| {
        let command = Command::SetTimer(SetTimer { delay: 1, payload: payload.as_bytes().into(), repeat: false, worker, name: None });
        core.ask(&command).map(|_| ())
    };
    assert_eq!(set("new", "too early"), Err(CommandError::UnknownWorker));

    assert_eq!(core.close_gate(Duration::ZERO), 0);
    core.stage(2, br#"{"routes":[{"name":"r","worker":"new"}],"workers":[{"name":"other","threads":1}]}"#).expect("legal");
    assert_eq!(set("new", "from the start"), Ok(()));
    assert_eq!(set("other", "from the start"), Ok(()));
    assert_eq!(set("w", "of one that goes"), Ok(()));
    wait_until("they are due", || counter(&core, "timers_fired") == 3);
    assert!(core.take_ring().is_none(), "a bell while the gate is closed");
    core.commit(2).expect("staged");
    core.open_gate();
    let mut told: Vec<_> = (0..2).flat_map(|_| handle(&core, 1)).collect();
    told.iter_mut().for_each(|event| event.retain(|c| !c.is_ascii_digit()));
    assert_eq!(told, ["timer  from the start", "timer  from the start"]);

    // A configuration that is given up takes its timers along.
    core.stage(3, br#"{"workers":[{"name":"third","threads":1}]}"#).expect("legal");
    let late = Command::SetTimer(SetTimer { delay: 60_000, payload: b"".into(), repeat: false, worker: "third", name: None });
    core.ask(&late).expect("staged");
    core.withdraw(3).expect("staged");
    assert_eq!((counter(&core, "timers"), core.ask(&late)), (0, Err(CommandError::UnknownWorker)));
}

#[test]
fn a_failed_timer_event_is_counted_and_the_next_one_comes() {
    let core = started();
    set_timer(&core, 1, "bad", false);
    let bell = bell(&core);
    assert!(next(&core, &bell.1).is_some());
    assert!(core.fail_event(&bell.1, "on purpose"));
    end(&core, &bell);
    set_timer(&core, 1, "good", false);
    assert_eq!(handle(&core, 1).len(), 1);
    assert_eq!((counter(&core, "events_failed"), counter(&core, "events_acknowledged")), (1, 1));
}
