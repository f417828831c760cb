//! How clients of a route may come back after a break, as the host writes it.

use serde::Deserialize;

use crate::resume::Parameters;

/// How clients may come back after a break.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeConfig {
    /// How long they are waited for, nanoseconds, a second to a day.
    pub window: u64,
    /// The query parameter by which they ask; default: `resume`.
    #[serde(default)]
    pub parameter: Option<String>,
    /// The query parameter in which they say how many messages they have got; default: `received`.
    #[serde(default)]
    pub received: Option<String>,
}

/// The shortest and the longest [`ResumeConfig::window`], nanoseconds.
const RESUME_WINDOWS: std::ops::RangeInclusive<u64> = 1_000_000_000..=86_400_000_000_000;

impl ResumeConfig {
    /// The names of the parameters.
    pub(super) fn parameters(&self) -> Parameters {
        Parameters {
            token: self.parameter.as_deref().unwrap_or("resume").into(),
            received: self.received.as_deref().unwrap_or("received").into(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !RESUME_WINDOWS.contains(&self.window) {
            return Err("resume: clients are waited for between a second and a day".to_owned());
        }
        let Parameters { token, received } = self.parameters();
        let is_plain =
            |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if let Some(wrong) = [&token, &received].into_iter().find(|name| !is_plain(name)) {
            return Err(format!("resume: {wrong:?} cannot be a parameter: it has 1 to 64 letters, digits, and any of - _ ."));
        }
        if token == received {
            return Err(format!("resume: both parameters are {token:?}"));
        }
        Ok(())
    }
}
