use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::command::*;
use crate::{Always, Operator, Reply, Stopped};

/// What others do.
type Others = Box<dyn FnOnce(&mut Hub<String>)>;

/// A registry that others use between two holds, and that counts what is done in one.
#[derive(Default)]
struct Shared {
    hub: RefCell<Hub<String>>,
    locked: Rc<Cell<bool>>,
    holds: Cell<usize>,
    longest: Cell<usize>,
    slowest: Cell<std::time::Duration>,
    /// What others do after the first hold.
    then: RefCell<Option<Others>>,
}

impl Access<String> for Shared {
    fn with<R>(&self, f: impl FnOnce(&Hub<String>, &mut Steps) -> R) -> R {
        assert!(!self.locked.replace(true), "the registry is locked once at a time");
        let mut steps = Steps::default();
        let begun = std::time::Instant::now();
        let result = f(&self.hub.borrow(), &mut steps);
        self.slowest.set(self.slowest.get().max(begun.elapsed()));
        self.locked.set(false);
        self.holds.set(self.holds.get() + 1);
        self.longest.set(self.longest.get().max(steps.spent()));
        if let Some(then) = self.then.take() {
            then(&mut self.hub.borrow_mut());
        }
        result
    }
}

/// Carries out a command; whom a message reaches is put into `reached`.
fn ask(registry: &Shared, command: &Command<'_>, reached: &mut Vec<String>, go_on: &mut dyn GoOn) -> Result<Reply, CommandError> {
    match command {
        Command::Send(command) => {
            command.address(registry, go_on, |_, to| reached.push(to.clone()))?;
            Ok(Reply::Queued(reached.len() as u64))
        }
        Command::List(command) => command.apply(registry, go_on),
        Command::Count(command) => command.apply(registry, go_on),
        Command::Tags(command) => Ok(command.apply(registry)),
        Command::SearchInformation(command) => command.apply(registry, go_on),
        other => panic!("{other:?} is about one client"),
    }
}

/// Goes on so many times, and never while the registry is locked.
struct Times(usize, Rc<Cell<bool>>);

impl GoOn for Times {
    fn go_on(&mut self) -> Result<(), Stopped> {
        assert!(!self.1.get(), "asked while the registry is locked");
        self.0 = self.0.checked_sub(1).ok_or(Stopped::Interrupted)?;
        Ok(())
    }
}

impl Shared {
    /// So many clients, each with a tag of its own, one that all have, and a value.
    fn with_clients(count: usize) -> Shared {
        let shared = Shared::default();
        for n in 0..count {
            shared.enter(&n.to_string(), &[&format!("room_{n}"), "all", ["even", "odd"][n % 2]]);
        }
        shared
    }

    fn enter(&self, id: &str, tags: &[&str]) {
        enter(&mut self.hub.borrow_mut(), id, tags);
    }

    fn reply(&self, command: &Command<'_>) -> Reply {
        ask(self, command, &mut Vec::new(), &mut Times(usize::MAX, self.locked.clone())).expect("legal")
    }

    fn names(&self, command: &Command<'_>) -> Vec<String> {
        match self.reply(command) {
            Reply::Names(names) => names.iter().map(|name| name.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn enter(hub: &mut Hub<String>, id: &str, tags: &[&str]) -> Key {
    let route = hub.route("r");
    let key = hub.register(id.into(), route, |_| id.to_owned()).expect("free");
    for tag in tags {
        Tag { id, tag, since: None, member: None }.apply(hub).expect("legal");
    }
    store(hub, id, id.as_bytes());
    key
}

fn store(hub: &mut Hub<String>, id: &str, value: &[u8]) {
    let command = SetInformation { id, key: "k", value: value.into() };
    command.apply(command.shared(), hub).expect("room");
}

fn search<'a>(operator: Operator, value: &'a [u8], route: Option<&'a str>) -> Command<'a> {
    Command::SearchInformation(SearchInformation { key: "k", operator, value: value.into(), route })
}

fn send(to: Target<'_>) -> Command<'_> {
    Command::Send(SendTo { to, route: None, except: None, binary: false, data: b"x".into() })
}

fn list(expression: &str) -> Command<'_> {
    Command::List(List { of: Target::Expression(expression), route: None })
}

#[test]
fn no_command_holds_the_registry_for_long_however_many_clients_and_tags_there_are() {
    let shared = Shared::with_clients(100_000);
    let many = ["*"; 64].join("|");
    let hostile: Vec<String> = (0..3).map(|n| format!("*{n}*")).collect();
    let hostile = hostile.join("&!");
    let named: Vec<String> = (0..380).map(|n| format!("room_{n}")).collect();
    let named = named.join("|");
    let targets = [
        Target::All,
        Target::Tag("all"),
        Target::Tag("room_7"),
        Target::Client("7"),
        Target::Expression("all"),
        Target::Expression("!nobody"),
        Target::Expression("room_*&!odd"),
        Target::Expression(&many),
        Target::Expression(&hostile),
        Target::Expression(&named),
    ];
    let mut commands = vec![Command::Tags(Tags { id: None }), Command::Tags(Tags { id: Some("7") })];
    commands.push(search(Operator::ContainsFold, b"99", Some("r")));
    for to in targets {
        commands.push(Command::Count(Count { of: to, route: None }));
    }
    for to in [Target::All, Target::Tag("all"), Target::Expression("room_1*")] {
        commands.push(Command::List(List { of: to, route: Some("r") }));
        commands.push(Command::Send(SendTo { to, route: None, except: Some("3"), binary: false, data: b"x".into() }));
    }
    for command in &commands {
        shared.longest.set(0);
        shared.reply(command);
        // What was begun is finished: one more union of a set of all clients, or a wildcard's comparison.
        assert!(shared.longest.get() <= Steps::HOLD + 64, "{command:?}: {} steps", shared.longest.get());
    }
    // The usual questions are answered in one hold, so that they are true of one moment.
    for to in [Target::Tag("room_7"), Target::Client("7"), Target::Expression("room_7&!odd|(even&room_8)")] {
        let before = shared.holds.get();
        shared.reply(&send(to));
        assert_eq!(shared.holds.get() - before, 1, "{to:?}");
    }
}

#[test]
fn what_is_found_in_many_holds_is_what_is_found_in_one() {
    let large = Shared::with_clients(3_000);
    let whole = |expression: &str| {
        let hub = large.hub.borrow();
        let found = crate::Expression::parse(expression).expect("legal").evaluate_in(&hub.live, &hub.tags);
        found.iter().filter_map(|index| Some(hub.at(index)?.1.id.to_string())).collect::<Vec<_>>()
    };
    for expression in [
        "*",
        "!*",
        "room_1*",
        "room_*5&!odd",
        "!(room_1*|room_2*)&even",
        "*_*9&(even|!all)",
        "all&!room_2*",
        "nobody*|room_77",
        "room_*0|room_*1|*_1*&!odd",
        "r*&*m_*&!*9",
    ] {
        let before = large.holds.get();
        assert_eq!(large.names(&list(expression)), whole(expression), "{expression}");
        assert!(large.holds.get() - before > 1, "{expression} takes more than one hold");
        let count = Command::Count(Count { of: Target::Expression(expression), route: Some("r") });
        assert_eq!(large.reply(&count), Reply::Count(whole(expression).len() as u64), "{expression}");
    }
    assert_eq!(large.names(&Command::Tags(Tags { id: None })).len(), 3_003);
    assert!(large.names(&Command::Tags(Tags { id: None })).is_sorted());
}

#[test]
fn who_comes_into_the_place_of_another_is_not_taken_for_it() {
    for to in [Target::All, Target::Tag("all"), Target::Expression("all&*")] {
        let shared = Shared::with_clients(3_000);
        let last = shared.hub.borrow().find("2999").expect("there").0;
        *shared.then.borrow_mut() = Some(Box::new(move |hub| {
            hub.forget(last);
            let key = enter(hub, "newcomer", &["all"]);
            assert_eq!(key.index, last.index);
        }));
        let mut reached = Vec::new();
        let reply = ask(&shared, &send(to), &mut reached, &mut Always);
        assert_eq!(reply, Ok(Reply::Queued(2_999)), "{to:?}");
        assert!(!reached.iter().any(|id| id == "newcomer" || id == "2999"), "{to:?}");
    }
}

#[test]
fn a_search_goes_on_while_clients_come_go_and_change() {
    let shared = Shared::with_clients(3_000);
    *shared.then.borrow_mut() = Some(Box::new(|hub| {
        let gone = hub.find("2000").expect("there").0;
        hub.close(gone);
        enter(hub, "newcomer", &[]);
        store(hub, "2001", b"other");
        assert!(hub.rename("2002", "renamed".into()).is_some());
    }));
    let found = shared.names(&search(Operator::Prefix, b"200", None));
    assert_eq!(found, ["200", "renamed", "2003", "2004", "2005", "2006", "2007", "2008", "2009"]);
}

#[test]
fn what_takes_long_can_be_ended_and_then_nothing_was_sent() {
    let shared = Shared::with_clients(3_000);
    let mut reached = Vec::new();
    let ended = ask(&shared, &send(Target::Expression("*1*&*2*")), &mut reached, &mut Times(1, shared.locked.clone()));
    assert_eq!((ended, reached.len()), (Err(CommandError::Stopped(Stopped::Interrupted)), 0));
    for n in 0..3_000 {
        let id = n.to_string();
        store(&mut shared.hub.borrow_mut(), &id, &[b'a'; 1000]);
    }
    for operator in [Operator::Equal, Operator::Contains, Operator::ContainsFold, Operator::Regex] {
        let ended = ask(&shared, &search(operator, b"b", None), &mut reached, &mut Times(5, shared.locked.clone()));
        assert_eq!(ended, Err(CommandError::Stopped(Stopped::Interrupted)), "{operator:?}");
    }
}

/// Not an assertion: prints how long the registry is locked at most, and how long commands take.
#[test]
#[ignore = "a measurement: cargo test --release -p fws-hub -- --ignored --nocapture longest_hold"]
fn measure_the_longest_hold_and_the_whole_of_each_command() {
    let shared = Shared::with_clients(100_000);
    let many: Vec<String> = (0..64).map(|n| format!("*{n}*")).collect();
    let many = many.join("|");
    let commands = [
        ("all", send(Target::All)),
        ("a tag of all", send(Target::Tag("all"))),
        ("a tag of one", send(Target::Tag("room_7"))),
        ("room_*", send(Target::Expression("room_*"))),
        ("*9*&!odd", send(Target::Expression("*9*&!odd"))),
        ("64 names with *", send(Target::Expression(&many))),
        ("list of all", Command::List(List::default())),
        ("count of an expression", Command::Count(Count { of: Target::Expression("room_*&even"), route: None })),
        ("all tags", Command::Tags(Tags { id: None })),
        ("search contains", search(Operator::Contains, b"99", None)),
        ("search icontains", search(Operator::ContainsFold, b"99", None)),
        ("search regex", search(Operator::Regex, b"^9.*9$", None)),
    ];
    for (name, command) in commands {
        let (mut whole, mut hold) = (std::time::Duration::MAX, std::time::Duration::MAX);
        for _ in 0..5 {
            shared.slowest.set(std::time::Duration::ZERO);
            let begun = std::time::Instant::now();
            shared.reply(&command);
            whole = whole.min(begun.elapsed());
            hold = hold.min(shared.slowest.get());
        }
        println!("{name}: {whole:?}, longest hold {hold:?}");
    }
}

#[test]
fn whether_a_message_is_for_a_client_is_the_same_as_whether_it_is_among_those_that_get_it() {
    let registry = Shared::default();
    let mut keys = Vec::new();
    {
        let mut hub = registry.hub.borrow_mut();
        let routes = [hub.route("r"), hub.route("s")];
        hub.put_in_force(&routes);
        for n in 0..32usize {
            let id = n.to_string();
            let key = hub.register(id.as_str().into(), routes[n % 2], |_| id.clone()).expect("free");
            for (bit, tag) in ["a", "b", "room:1", "room:2"].iter().enumerate() {
                if n >> bit & 1 == 1 {
                    hub.put_tag(key, tag);
                }
            }
            if n >= 16 {
                SetUser { id: &id, user: Some("ann"), info: b""[..].into() }.apply(&mut hub).expect("legal");
            }
            keys.push(key);
        }
        hub.close(keys[5]);
        hub.forget(keys[6]);
    }
    let expressions = ["a", "!a", "a & b", "a | !b", "room:*", "!(room:* | a) & b", "*"];
    let targets = [Target::All, Target::Client("3"), Target::Client("5"), Target::Tag("a"), Target::Tag("none"), Target::User("ann")];
    for to in targets.into_iter().chain(expressions.map(Target::Expression)) {
        for (route, except) in [(None, None), (Some("r"), None), (None, Some("3")), (Some("s"), Some("7"))] {
            let message = SendTo { to, route, except, binary: false, data: b""[..].into() };
            let mut reached = Vec::new();
            ask(&registry, &Command::Send(message.clone()), &mut reached, &mut Always).expect("legal");
            for (n, key) in keys.iter().enumerate() {
                let is_for = message.is_for(&registry.hub.borrow(), *key).expect("legal");
                assert_eq!(is_for, reached.contains(&n.to_string()), "{to:?} on {route:?} but {except:?}: {n}");
            }
        }
    }
}
