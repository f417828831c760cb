//! What a client has from its first moment.

use std::sync::Arc;

use crate::MAX_TAGS;
use crate::command::{CommandError, check_tag, check_user};
use crate::information::Information;
use crate::presence::Members;
use crate::users::User;

/// Tags and stored information for a client that is yet to be entered.
///
/// They are checked as they are collected, so that [`Hub::register`](crate::Hub::register) and [`Hub::furnish`](crate::Hub::furnish)
/// cannot fail on them: by then the client has been told that it is accepted.
#[derive(Debug, Default)]
pub struct InitialState {
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) information: Information,
    pub(crate) user: Option<Arc<User>>,
    pub(crate) members: Members,
}

impl InitialState {
    /// Adds a tag; one that is there already is fine.
    pub fn tag(&mut self, tag: &str) -> Result<(), CommandError> {
        check_tag(tag)?;
        if self.tags.iter().any(|has| &**has == tag) {
            return Ok(());
        }
        if self.tags.len() >= MAX_TAGS {
            return Err(CommandError::TooManyTags);
        }
        self.tags.push(tag.into());
        Ok(())
    }

    /// Says whose the client is, and what channels tell of the user.
    pub fn user(&mut self, name: &str, info: &[u8]) -> Result<(), CommandError> {
        check_user(name, info)?;
        self.user = Some(Arc::new(User { name: name.into(), info: info.into() }));
        Ok(())
    }

    /// Says whom the client is in a channel, if that is not whose it is.
    pub fn member(&mut self, tag: &str, name: &str, info: &[u8]) -> Result<(), CommandError> {
        check_user(name, info)?;
        self.members.set(tag.into(), Arc::new(User { name: name.into(), info: info.into() }));
        Ok(())
    }

    /// Whose the client is.
    pub fn user_name(&self) -> Option<&str> {
        self.user.as_ref().map(|user| &*user.name)
    }

    /// Its tags.
    pub fn tags(&self) -> &[Arc<str>] {
        &self.tags
    }

    /// Sets the value of a key of its stored information.
    pub fn set(&mut self, key: &str, value: &[u8]) -> Result<(), CommandError> {
        Ok(self.information.set(key, value.into())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hub, InformationError};

    #[test]
    fn what_a_client_could_not_have_is_refused_as_it_is_collected() {
        let mut initial = InitialState::default();
        assert_eq!(initial.tag(""), Err(CommandError::InvalidTag));
        assert_eq!(initial.tag(&"t".repeat(256)), Err(CommandError::InvalidTag));
        for n in 0..MAX_TAGS {
            initial.tag(&n.to_string()).expect("room");
        }
        assert_eq!(initial.tag("more"), Err(CommandError::TooManyTags));
        assert_eq!(initial.tag("0"), Ok(()), "it is there already");
        assert_eq!(initial.set("", b""), Err(CommandError::Information(InformationError::InvalidKey)));
        assert_eq!(initial.set("k", &vec![0; 5 << 20]), Err(CommandError::Information(InformationError::Full)));
    }

    #[test]
    fn a_furnished_client_is_found_by_its_tags_and_leaves_nothing_behind() {
        let mut hub: Hub<()> = Hub::default();
        let route = hub.route("r");
        let mut initial = InitialState::default();
        initial.tag("a").expect("legal");
        initial.set("k", b"\0").expect("legal");
        let key = hub.register("one".into(), route, |_| ()).expect("free");
        hub.furnish(key, initial);
        assert_eq!(hub.tag_count(), 1);
        hub.forget(key);
        assert_eq!((hub.tag_count(), hub.knows("one")), (0, false));
    }
}
