use std::ptr;

use super::*;

fn empty(kind: u32) -> fws_command {
    let none = fws_bytes::NONE;
    fws_command {
        kind,
        target: 0,
        binary: false,
        repeat: false,
        op: 0,
        interval_ms: 0,
        code: 0,
        by: 0,
        expire_seconds: 0,
        delay_ms: 0,
        timer: 0,
        limit: 0,
        id: none,
        new_id: none,
        tag: none,
        expression: none,
        route: none,
        except_id: none,
        data: none,
        reason: none,
        key: none,
        value: none,
        worker: fws_bytes::of(b"w"),
        name: none,
        user: none,
        since: none,
        app: none,
        channels: ptr::null(),
        channel_count: 0,
        bell: ptr::null(),
        interrupt: ptr::null(),
    }
}

/// The kind of a command: the compiler names a command that the C ABI has forgotten.
fn kind(command: &Command<'_>) -> fws_command_kind {
    match command {
        Command::Send(_) => FWS_SEND,
        Command::List(_) => FWS_LIST,
        Command::Count(_) => FWS_COUNT,
        Command::Close(_) => FWS_CLOSE,
        Command::Client(_) => FWS_CLIENT,
        Command::PingTime(_) => FWS_PING_TIME,
        Command::Ping(_) => FWS_PING,
        Command::Kill(_) => FWS_KILL,
        Command::Rename(_) => FWS_RENAME,
        Command::Routes => FWS_ROUTES,
        Command::Stats => FWS_STATS,
        Command::Tag(_) => FWS_TAG,
        Command::Untag(_) => FWS_UNTAG,
        Command::ClearTags(_) => FWS_CLEAR_TAGS,
        Command::Tags(_) => FWS_TAGS,
        Command::SetInformation(_) => FWS_SET_INFORMATION,
        Command::GetInformation(_) => FWS_GET_INFORMATION,
        Command::DeleteInformation(_) => FWS_DELETE_INFORMATION,
        Command::ClearInformation(_) => FWS_CLEAR_INFORMATION,
        Command::AllInformation(_) => FWS_ALL_INFORMATION,
        Command::SearchInformation(_) => FWS_SEARCH_INFORMATION,
        Command::Set(_) => FWS_VALUE_SET,
        Command::Add(_) => FWS_VALUE_ADD,
        Command::Get(_) => FWS_VALUE_GET,
        Command::Delete(_) => FWS_VALUE_DELETE,
        Command::Increment(_) => FWS_VALUE_INCREMENT,
        Command::Expiry(_) => FWS_VALUE_EXPIRY,
        Command::SetTimer(_) => FWS_TIMER_SET,
        Command::ClearTimer(_) => FWS_TIMER_CLEAR,
        Command::History(_) => FWS_HISTORY,
        Command::ClearHistory(_) => FWS_CLEAR_HISTORY,
        Command::SetUser(_) => FWS_SET_USER,
        Command::DisconnectUser(_) => FWS_DISCONNECT_USER,
        Command::Presence(_) => FWS_PRESENCE,
        Command::Publish(_) => FWS_PUBLISH,
    }
}

#[test]
fn each_kind_reads_its_command() {
    for known in fws_command_kind::ALL {
        // SAFETY: all bytes are static.
        let read = unsafe { empty(known as u32).read() }.unwrap_or_else(|why| panic!("{known:?}: {why}"));
        assert_eq!(kind(&read), known);
    }
}

#[test]
fn numbers_that_are_no_kind_are_refused_with_the_name_of_the_field() {
    for number in [0, fws_command_kind::ALL.len() as u32 + 1, u32::MAX] {
        // SAFETY: all bytes are static.
        let why = unsafe { empty(number).read() }.expect_err("no such kind");
        assert_eq!((why.code(), why.to_string()), (FWS_ERR_COMMAND, "kind: the command cannot be read".to_owned()));
    }
}

#[test]
fn the_text_of_an_error_names_the_field() {
    let send = fws_command { target: FWS_TO_TAG, tag: fws_bytes::of(b"\xff"), ..empty(FWS_SEND as u32) };
    // SAFETY: all bytes are static.
    let why = unsafe { send.read() }.expect_err("not UTF-8");
    assert_eq!(why.to_string(), "tag: text must be UTF-8; other bytes can be sent as a binary message");
    let close = fws_command { code: 1000 + (1 << 16), ..empty(FWS_CLOSE as u32) };
    // SAFETY: all bytes are static.
    let why = unsafe { close.read() }.expect_err("no close code");
    assert_eq!(why.code(), FWS_ERR_INVALID_CLOSE_CODE);
    let list = fws_command { target: 5, ..empty(FWS_LIST as u32) };
    // SAFETY: all bytes are static.
    let why = unsafe { list.read() }.expect_err("no target");
    assert_eq!(why.to_string(), "target: a number is out of its range");
}
