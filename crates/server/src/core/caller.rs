//! Who gives a command.

use std::sync::atomic::AtomicBool;

use crate::bell::Bell;

/// Who gives a command, as far as that changes how it is carried out. The default is anybody.
#[derive(Default, Clone, Copy)]
pub struct Caller<'a> {
    /// Once it is set, a command that takes long on this server ends with [`Stopped::Interrupted`](fws_hub::Stopped).
    pub interrupted: Option<&'a AtomicBool>,
    /// The bell whose handler gives the command. What it sends may wait for what the handler of the bell's next event sends, if that is
    /// there already.
    pub bell: Option<&'a Bell>,
}
