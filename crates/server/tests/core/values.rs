//! Global values.

use crate::common::counter;
use crate::php::*;
use fws_hub::command::{Add, Expiry, Get, Increment, Set};
use fws_hub::{Command, Reply};

#[test]
fn values_expire_without_being_read() {
    let core = started();
    let set = Command::Set(Set { key: b"k".into(), value: b"v\0".into(), expire: Some(1) });
    assert_eq!(core.ask(&set), Ok(Reply::Done));
    assert_eq!(core.ask(&Command::Get(Get { key: b"k".into() })), Ok(Reply::Value(Some((*b"v\0").into()))));
    assert!(matches!(core.ask(&Command::Expiry(Expiry { key: b"k".into() })), Ok(Reply::Expiry(Some(Some(1..=1000))))));
    wait_until("its memory is free", || counter(&core, "values") == 0);
    assert_eq!(core.ask(&Command::Get(Get { key: b"k".into() })), Ok(Reply::Value(None)));
}

#[test]
fn of_many_threads_that_add_one_succeeds_and_increments_are_never_lost() {
    let core = started();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let core = core.clone();
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    core.ask(&Command::Increment(Increment { key: b"n".into(), by: 1 })).expect("an integer");
                }
                core.ask(&Command::Add(Add { key: b"lock".into(), value: b"".into(), expire: None })) == Ok(Reply::Flag(true))
            })
        })
        .collect();
    let winners = threads.into_iter().map(|thread| thread.join().expect("no panic")).filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert_eq!(core.ask(&Command::Increment(Increment { key: b"n".into(), by: 0 })), Ok(Reply::Integer(8000)));
}
