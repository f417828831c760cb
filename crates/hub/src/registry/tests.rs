use super::*;
use crate::command::*;
use crate::{Access, Always, MAX_TAGS, Operator, Renamed, Reply, Steps};

/// Nobody else uses it.
impl<C> Access<C> for Hub<C> {
    fn with<R>(&self, f: impl FnOnce(&Hub<C>, &mut Steps) -> R) -> R {
        f(self, &mut Steps::default())
    }
}

/// Records whom a command reached.
#[derive(Default)]
struct Recorder {
    sent: Vec<String>,
    pinged: Vec<String>,
}

/// Carries out a command that asks the registry.
fn ask(hub: &Hub<String>, command: &Command<'_>, recorder: &mut Recorder) -> Result<Reply, CommandError> {
    match command {
        Command::Send(command) => {
            command.address(hub, &mut Always, |_, to| recorder.sent.push(to.clone()))?;
            Ok(Reply::Queued(recorder.sent.len() as u64))
        }
        Command::List(command) => command.apply(hub, &mut Always),
        Command::Count(command) => command.apply(hub, &mut Always),
        Command::Ping(command) => Ok(command.apply(hub, |_, to| recorder.pinged.push(to.clone()))),
        Command::Tags(command) => Ok(command.apply(hub)),
        Command::GetInformation(command) => Ok(command.apply(hub)),
        Command::AllInformation(command) => Ok(command.apply(hub)),
        Command::SearchInformation(command) => command.apply(hub, &mut Always),
        other => panic!("the registry does not answer {other:?}"),
    }
}

/// Carries out a command that changes the registry.
fn change(hub: &mut Hub<String>, command: &Command<'_>) -> Result<Reply, CommandError> {
    match command {
        Command::Tag(command) => command.apply(hub),
        Command::Untag(command) => command.apply(hub),
        Command::ClearTags(command) => Ok(command.apply(hub)),
        Command::SetInformation(command) => command.apply(command.shared(), hub),
        Command::DeleteInformation(command) => Ok(command.apply(hub)),
        Command::ClearInformation(command) => Ok(command.apply(hub)),
        other => panic!("{other:?} does not change the registry"),
    }
}

fn hub(ids: &[(&str, &str)]) -> (Hub<String>, Vec<Key>) {
    let mut hub = Hub::default();
    let keys = ids
        .iter()
        .map(|(id, route)| {
            let route = hub.route(route);
            hub.register((*id).into(), route, |_| id.to_string()).expect("the id is free")
        })
        .collect();
    (hub, keys)
}

fn names(hub: &Hub<String>, command: Command<'_>) -> Vec<String> {
    match ask(hub, &command, &mut Recorder::default()) {
        Ok(Reply::Names(names)) => names.iter().map(|n| n.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

fn tag(hub: &mut Hub<String>, id: &str, tag: &str) -> Result<Reply, CommandError> {
    change(hub, &Command::Tag(Tag { id, tag, since: None, member: None }))
}

/// Renames a client; whom that was told.
fn rename(hub: &mut Hub<String>, id: &str, new: &str) -> (Result<Renamed, CommandError>, Option<String>) {
    let mut told = None;
    let rename = Rename { id, new };
    let outcome = rename.check().map(|()| rename.apply(hub, |handle, new| told = Some(format!("{handle} is {new}"))));
    (outcome, told)
}

fn send<'a>(to: Target<'a>, route: Option<&'a str>, except: Option<&'a str>) -> Command<'a> {
    Command::Send(SendTo { to, route, except, binary: false, data: b"x".into() })
}

#[test]
fn a_send_reaches_the_client_the_tag_the_route_or_all_but_one() {
    let (mut hub, _) = hub(&[("a", "r"), ("b", "r"), ("c", "s")]);
    for id in ["a", "c"] {
        tag(&mut hub, id, "t").expect("known");
    }
    let reached = |command| {
        let mut recorder = Recorder::default();
        ask(&hub, &command, &mut recorder).expect("legal");
        recorder.sent.join("")
    };
    assert_eq!(reached(send(Target::Client("b"), None, None)), "b");
    assert_eq!(reached(send(Target::Client("b"), Some("s"), None)), "");
    assert_eq!(reached(send(Target::Client("z"), None, None)), "");
    assert_eq!(reached(send(Target::Tag("t"), None, None)), "ac");
    assert_eq!(reached(send(Target::Tag("t"), Some("s"), None)), "c");
    assert_eq!(reached(send(Target::Tag("nobody"), None, None)), "");
    assert_eq!(reached(send(Target::All, None, Some("a"))), "bc");
    assert_eq!(reached(send(Target::Client("b"), None, Some("b"))), "");
    assert_eq!(reached(send(Target::Client("b"), None, Some("a"))), "b");
}

#[test]
fn a_closed_client_is_out_of_every_list_but_its_tags_can_be_read_until_it_is_forgotten() {
    let (mut hub, keys) = hub(&[("a", "r"), ("b", "r")]);
    tag(&mut hub, "a", "only-a").expect("known");
    tag(&mut hub, "b", "both").expect("known");
    tag(&mut hub, "a", "both").expect("known");
    hub.close(keys[0]);
    assert_eq!(names(&hub, Command::List(List { of: Target::All, route: None })), ["b"]);
    assert_eq!(names(&hub, Command::List(List { of: Target::Tag("both"), route: None })), ["b"]);
    assert_eq!(names(&hub, Command::Tags(Tags { id: None })), ["both"]);
    assert_eq!(names(&hub, Command::Tags(Tags { id: Some("a") })), ["both", "only-a"]);
    assert_eq!(tag(&mut hub, "a", "late"), Ok(Reply::Flag(false)));
    assert_eq!(ask(&hub, &send(Target::Client("a"), None, None), &mut Recorder::default()), Ok(Reply::Queued(0)));
    assert_eq!((hub.len(), hub.known()), (1, 2));
    let route = hub.route("r");
    assert_eq!((hub.route_len(route), hub.route_known(route)), (1, 2));
    hub.forget(keys[0]);
    assert_eq!(hub.route_known(route), 1);
    assert_eq!(ask(&hub, &Command::Tags(Tags { id: Some("a") }), &mut Recorder::default()), Ok(Reply::Gone));
    hub.forget(keys[1]);
    assert!(hub.is_empty());
    assert_eq!(hub.tag_count(), 0);
}

#[test]
fn a_reused_slot_is_not_reached_by_an_old_key() {
    let (mut hub, keys) = hub(&[("a", "r")]);
    hub.forget(keys[0]);
    let route = hub.route("r");
    let key = hub.register("b".into(), route, |_| "b".into()).expect("free");
    assert_eq!(key.index, keys[0].index);
    hub.close(keys[0]);
    hub.forget(keys[0]);
    assert_eq!(hub.len(), 1);
}

#[test]
fn a_released_id_is_free_though_the_place_of_the_one_who_had_it_is_not() {
    let (mut hub, keys) = hub(&[("a", "r")]);
    tag(&mut hub, "a", "old").expect("known");
    change(&mut hub, &Command::SetInformation(SetInformation { id: "a", key: "k", value: b"old"[..].into() })).expect("known");
    hub.release(keys[0]);
    assert!(!hub.knows("a") && hub.client("a").is_none());
    let route = hub.route("r");
    assert_eq!((hub.len(), hub.known(), hub.route_known(route), hub.tag_count()), (0, 1, 1, 0));
    let again = hub.register("a".into(), route, |_| "again".into()).expect("free");
    assert_ne!(again.index, keys[0].index);
    assert_eq!(names(&hub, Command::Tags(Tags { id: Some("a") })), Vec::<String>::new());
    // What becomes of the old one does not concern the new one.
    hub.release(keys[0]);
    hub.forget(keys[0]);
    assert_eq!(hub.client("a").map(|(handle, _, live)| (handle.as_str(), live)), Some(("again", true)));
    assert_eq!((hub.known(), hub.route_known(route)), (1, 1));
    let mut recorder = Recorder::default();
    assert_eq!(ask(&hub, &Command::Ping(Ping { id: "a", how: Pinging::Off }), &mut recorder), Ok(Reply::Flag(true)));
    assert_eq!(recorder.pinged, ["again"]);
}

#[test]
fn an_id_is_taken_once_and_nothing_is_created_for_an_unknown_one() {
    let (mut hub, _) = hub(&[("a", "r")]);
    let route = hub.route("r");
    assert_eq!(hub.register("a".into(), route, |_| "again".into()), None);
    assert_eq!(tag(&mut hub, "ghost", "t"), Ok(Reply::Flag(false)));
    assert_eq!(change(&mut hub, &Command::Untag(Untag { id: "ghost", tag: "t" })), Ok(Reply::Flag(false)));
    assert_eq!(hub.tag_count(), 0);
}

#[test]
fn tags_are_bounded_in_length_and_number() {
    let (mut hub, _) = hub(&[("a", "r")]);
    assert_eq!(tag(&mut hub, "a", ""), Err(CommandError::InvalidTag));
    assert_eq!(tag(&mut hub, "a", &"x".repeat(256)), Err(CommandError::InvalidTag));
    for n in 0..MAX_TAGS {
        tag(&mut hub, "a", &format!("t{n}")).expect("room");
    }
    assert_eq!(tag(&mut hub, "a", "t0"), Ok(Reply::Flag(true)), "a tag it has needs no room");
    assert_eq!(tag(&mut hub, "a", "more"), Err(CommandError::TooManyTags));
}

/// Random operations against a plain model: the indexes never disagree with it, and nothing is left at the end.
#[test]
fn random_operations_keep_the_indexes_true() {
    use std::collections::{BTreeMap, BTreeSet};
    let mut hub: Hub<String> = Hub::default();
    let mut model: BTreeMap<String, (Key, String, BTreeSet<String>)> = BTreeMap::new();
    let mut random = 88172645463325252u64;
    let mut next = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    for _ in 0..20_000 {
        let (id, name, route) = (format!("c{}", next(40)), format!("t{}", next(12)), format!("r{}", next(3)));
        match next(5) {
            0 => {
                let number = hub.route(&route);
                if let Some(key) = hub.register(id.as_str().into(), number, |_| id.clone()) {
                    assert!(model.insert(id, (key, route.clone(), BTreeSet::new())).is_none());
                }
            }
            1 => {
                if let Some((key, ..)) = model.remove(&id) {
                    hub.forget(key);
                }
            }
            2 => {
                let known = model.get_mut(&id).map(|(.., tags)| tags.remove(&name)).is_some();
                assert_eq!(change(&mut hub, &Command::Untag(Untag { id: &id, tag: &name })), Ok(Reply::Flag(known)));
            }
            _ => {
                let known = model.get_mut(&id).map(|(.., tags)| tags.insert(name.clone())).is_some();
                assert_eq!(tag(&mut hub, &id, &name), Ok(Reply::Flag(known)));
            }
        }
        let expected: BTreeSet<&String> =
            model.iter().filter(|(_, (_, r, tags))| *r == route && tags.contains(&name)).map(|(id, _)| id).collect();
        let listed = match ask(&hub, &Command::List(List { of: Target::Tag(&name), route: Some(&route) }), &mut Recorder::default()) {
            // Nobody is on it.
            Err(CommandError::UnknownRoute(_)) => Vec::new(),
            _ => names(&hub, Command::List(List { of: Target::Tag(&name), route: Some(&route) })),
        };
        assert_eq!(listed.iter().collect::<BTreeSet<_>>(), expected);
    }
    for (key, ..) in model.values() {
        hub.forget(*key);
    }
    assert!(hub.is_empty() && hub.tag_count() == 0 && hub.live.is_empty());
}

#[test]
fn an_expression_selects_by_tags_and_what_is_wrong_with_it_is_said_on_any_route() {
    let (mut hub, _) = hub(&[("ann", "r"), ("bob", "r"), ("cyd", "s")]);
    for (id, names) in [("ann", &["premium", "lyon"][..]), ("bob", &["vip", "lyon", "banned"]), ("cyd", &["vip", "grenoble"])] {
        for name in names {
            tag(&mut hub, id, name).expect("known");
        }
    }
    let find = |text, route| names(&hub, Command::List(List { of: Target::Expression(text), route }));
    assert_eq!(find("(premium|vip)&(grenoble|lyon)&!banned", None), ["ann", "cyd"]);
    assert_eq!(find("!(banned)&(premium|vip)", Some("r")), ["ann"]);
    assert_eq!(find("!nothing", Some("s")), ["cyd"]);
    let count = |of, route| ask(&hub, &Command::Count(Count { of, route }), &mut Recorder::default());
    assert_eq!(count(Target::Expression("*y*&!p*"), None), Ok(Reply::Count(1)));
    assert_eq!(count(Target::Tag("lyon"), Some("r")), Ok(Reply::Count(2)));
    assert_eq!(count(Target::Client("ann"), Some("s")), Ok(Reply::Count(0)));
    for route in [None, Some("s")] {
        assert!(matches!(count(Target::Expression("a&"), route), Err(CommandError::Syntax(_))));
        assert_eq!(count(Target::Tag(""), route), Err(CommandError::InvalidTag));
    }
}

#[test]
fn clearing_takes_all_tags_off_and_out_of_the_index() {
    let (mut hub, _) = hub(&[("a", "r"), ("b", "r")]);
    for (id, name) in [("a", "x"), ("a", "y"), ("b", "y")] {
        tag(&mut hub, id, name).expect("known");
    }
    assert_eq!(change(&mut hub, &Command::ClearTags(ClearTags { id: "a" })), Ok(Reply::Flag(true)));
    assert_eq!(names(&hub, Command::Tags(Tags { id: None })), ["y"]);
    assert_eq!(names(&hub, Command::Tags(Tags { id: Some("a") })), Vec::<String>::new());
    assert_eq!(change(&mut hub, &Command::ClearTags(ClearTags { id: "ghost" })), Ok(Reply::Flag(false)));
}

#[test]
fn stored_information_is_found_by_its_value_and_goes_with_the_client() {
    let (mut hub, keys) = hub(&[("a", "r"), ("b", "r"), ("c", "s")]);
    for (id, city) in [("a", "Lyon"), ("b", "lyon 3"), ("c", "Lyon")] {
        assert_eq!(
            change(&mut hub, &Command::SetInformation(SetInformation { id, key: "city", value: city.as_bytes().into() })),
            Ok(Reply::Flag(true))
        );
    }
    let find = |hub: &Hub<String>, operator, value: &str, route| {
        names(hub, Command::SearchInformation(SearchInformation { key: "city", operator, value: value.as_bytes().into(), route }))
    };
    assert_eq!(find(&hub, Operator::Equal, "Lyon", None), ["a", "c"]);
    assert_eq!(find(&hub, Operator::PrefixFold, "LYON", Some("r")), ["a", "b"]);
    assert_eq!(find(&hub, Operator::Regex, "[0-9]$", None), ["b"]);
    hub.close(keys[0]);
    assert_eq!(find(&hub, Operator::Equal, "Lyon", None), ["c"]);
    let get = |hub: &Hub<String>| ask(hub, &Command::GetInformation(GetInformation { id: "a", key: "city" }), &mut Recorder::default());
    assert_eq!(get(&hub), Ok(Reply::Value(Some(b"Lyon"[..].into()))), "until its close event is handled");
    hub.forget(keys[0]);
    assert_eq!(get(&hub), Ok(Reply::Gone));
    for command in [
        Command::SetInformation(SetInformation { id: "a", key: "k", value: b"".into() }),
        Command::DeleteInformation(DeleteInformation { id: "a", key: "k" }),
        Command::ClearInformation(ClearInformation { id: "a" }),
    ] {
        assert_eq!(change(&mut hub, &command), Ok(Reply::Flag(false)));
    }
    let wrong = Command::SetInformation(SetInformation { id: "a", key: "", value: b"".into() });
    assert!(matches!(change(&mut hub, &wrong), Err(CommandError::Information(_))), "that would be wrong for anybody");
    assert_eq!(change(&mut hub, &Command::DeleteInformation(DeleteInformation { id: "b", key: "city" })), Ok(Reply::Flag(true)));
    let all = |id| ask(&hub, &Command::AllInformation(AllInformation { id }), &mut Recorder::default());
    assert_eq!(all("b"), Ok(Reply::Pairs(vec![])));
    assert_eq!(all("c"), Ok(Reply::Pairs(vec![("city".into(), b"Lyon"[..].into())])));
}

#[test]
fn a_renamed_client_keeps_all_it_has_and_its_old_id_is_free() {
    let (mut hub, keys) = hub(&[("a", "r"), ("b", "r")]);
    tag(&mut hub, "a", "t").expect("known");
    assert_eq!(rename(&mut hub, "a", "b"), (Ok(Renamed::Taken), None), "taken");
    assert_eq!(rename(&mut hub, "a", "a"), (Ok(Renamed::Taken), None), "taken by itself");
    assert_eq!(rename(&mut hub, "ghost", "x"), (Ok(Renamed::Gone), None));
    assert_eq!(rename(&mut hub, "a", ""), (Err(CommandError::InvalidId), None));
    assert_eq!(rename(&mut hub, "a", &"x".repeat(256)), (Err(CommandError::InvalidId), None));
    assert_eq!(rename(&mut hub, "a", "ann"), (Ok(Renamed::Done), Some("a is ann".to_owned())));
    assert_eq!(names(&hub, Command::List(List { of: Target::Tag("t"), route: Some("r") })), ["ann"]);
    assert_eq!(tag(&mut hub, "a", "t"), Ok(Reply::Flag(false)));
    let route = hub.route("r");
    assert!(hub.register("a".into(), route, |_| "new".into()).is_some());
    hub.close(keys[0]);
    assert_eq!(rename(&mut hub, "ann", "x"), (Ok(Renamed::Gone), None), "it is closed");
    hub.forget(keys[0]);
    assert_eq!((hub.known(), hub.tag_count()), (2, 0));
}

#[test]
fn what_asks_about_a_client_that_is_gone_says_so_and_what_does_something_to_it_answers_no() {
    let (mut hub, keys) = hub(&[("a", "r"), ("b", "r")]);
    hub.forget(keys[0]);
    for id in ["a", "never there"] {
        for command in [
            Command::Tags(Tags { id: Some(id) }),
            Command::GetInformation(GetInformation { id, key: "k" }),
            Command::AllInformation(AllInformation { id }),
        ] {
            assert_eq!(ask(&hub, &command, &mut Recorder::default()), Ok(Reply::Gone), "{command:?}");
        }
        let mut recorder = Recorder::default();
        assert_eq!(ask(&hub, &Command::Ping(Ping { id, how: Pinging::Off }), &mut recorder), Ok(Reply::Flag(false)));
        assert!(recorder.pinged.is_empty());
        assert_eq!(rename(&mut hub, id, "c"), (Ok(Renamed::Gone), None));
    }
}

#[test]
fn a_route_is_known_while_it_is_configured_or_has_clients_and_an_unknown_one_is_refused_with_the_names_there_are() {
    let (mut hub, keys) = hub(&[("a", "old"), ("b", "old")]);
    let new = hub.route("new");
    fn commands(route: &str) -> [Command<'_>; 6] {
        let route = Some(route);
        [
            Command::List(List { of: Target::All, route }),
            Command::Count(Count { of: Target::Tag("t"), route }),
            Command::Count(Count { of: Target::Expression("t"), route }),
            send(Target::Client("nobody"), route, None),
            send(Target::All, route, None),
            Command::SearchInformation(SearchInformation { key: "k", operator: Operator::Equal, value: b"".into(), route }),
        ]
    }
    let refused = |hub: &Hub<String>, route: &str| -> Vec<Option<String>> {
        let ask = |command: Command<'_>| match ask(hub, &command, &mut Recorder::default()) {
            Err(CommandError::UnknownRoute(why)) => Some(why.to_string()),
            Ok(_) => None,
            other => panic!("{command:?}: {other:?}"),
        };
        commands(route).map(ask).into()
    };
    let all = |text: &str| vec![Some(text.to_owned()); 6];
    assert_eq!(refused(&hub, "new"), all("no route is named \"new\": there is only \"old\""), "it has a number, but is not configured");
    hub.put_in_force(&[new]);
    assert_eq!(refused(&hub, "new"), [const { None }; 6]);
    assert_eq!(refused(&hub, "old"), [const { None }; 6], "it still has clients");
    assert_eq!(refused(&hub, "ol\nd"), all("no route is named \"ol\\u{a}d\": there are \"new\", \"old\""));
    hub.close(keys[0]);
    hub.forget(keys[0]);
    hub.close(keys[1]);
    assert_eq!(refused(&hub, "old"), [const { None }; 6], "a close event is still to be handled");
    hub.forget(keys[1]);
    assert_eq!(refused(&hub, "old"), all("no route is named \"old\": there is only \"new\""));
    hub.put_in_force(&[]);
    let long = "x".repeat(300);
    assert_eq!(refused(&hub, &long)[0], Some(format!("no route is named \"{}...\": there is no route", "x".repeat(64))));
    let many: Vec<RouteId> = (0..30).map(|n| hub.route(&format!("r{n:02}"))).collect();
    hub.put_in_force(&many);
    assert!(refused(&hub, "x")[0].as_ref().is_some_and(|text| text.ends_with("\"r18\", \"r19\" and 10 more")));
}
