//! What the control socket carries: any bytes are a value or an error, a value is the same through each encoding, and a command is carried
//! out or refused by a running core, whatever it says.

use std::sync::{Arc, OnceLock};

use fws_hub::{Command, CommandError, Reply};
use fws_server::{Config, Core};

/// A command, a reply or a refusal, in the encoding of the socket or in JSON.
pub fn check(data: &[u8]) {
    if let Ok(command) = postcard::from_bytes::<Command<'_>>(data) {
        let bytes = postcard::to_allocvec(&command).expect("what was decoded can be encoded");
        assert_eq!(postcard::from_bytes::<Command<'_>>(&bytes).as_ref(), Ok(&command));
        carry_out(&command);
    }
    if let Ok(reply) = postcard::from_bytes::<Reply>(data) {
        let bytes = postcard::to_allocvec(&reply).expect("what was decoded can be encoded");
        assert_eq!(postcard::from_bytes::<Reply>(&bytes).as_ref(), Ok(&reply));
    }
    if let Ok(error) = postcard::from_bytes::<CommandError>(data) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(command) = serde_json::from_slice::<Command<'_>>(data) {
        let bytes = postcard::to_allocvec(&command).expect("what was decoded can be encoded");
        assert_eq!(postcard::from_bytes::<Command<'_>>(&bytes).as_ref(), Ok(&command), "the doors differ");
        carry_out(&command);
    }
}

/// One core for all inputs: its threads live as long as the process. What it keeps is bounded, whoever asks.
fn carry_out(command: &Command<'_>) {
    static CORE: OnceLock<Arc<Core>> = OnceLock::new();
    let core = CORE.get_or_init(|| {
        let core = Core::start(&Config::default()).expect("threads and epolls");
        core.stage(1, br#"{"routes":[{"name":"r","echo":true},{"name":"w","worker":"w"}]}"#).expect("legal");
        core.commit(1).expect("staged");
        core
    });
    match core.ask(command) {
        Ok(reply) => drop(postcard::to_allocvec(&reply).expect("an answer can be sent")),
        Err(error) => drop(postcard::to_allocvec(&error).expect("a refusal can be sent")),
    }
}
