//! Finding the clients that a command is about, a few at a time.
//!
//! How much there is to look at is decided by clients and applications: so many connections, so many tags. The registry is locked for a
//! bounded number of [`Steps`] only, and others have their turn in between.
//!
//! What that means for the answer: a client that is connected all the time, and whose tags are not changed meanwhile, is found exactly if it
//! fits. One that goes, or whose tags are changed, is found or not. One that comes later is not found, also where it has the place of one
//! that has gone. What fits into one hold – most tags, small expressions – is true of one moment.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::command::{CommandError, Target, check_tag, check_user};
use crate::expression::{Expression, Leaf, Resolved, Wildcard, add};
use crate::patience::GoOn;
use crate::registry::{Client, Hub, Key, RouteId};

/// What may be done while the registry is locked once. A step is a client or a tag looked at, or four thousand bits of a set: less than a
/// microsecond.
#[derive(Debug, Default)]
pub struct Steps {
    spent: usize,
}

impl Steps {
    /// The most steps of one hold; what was begun is finished, so that a few more may be taken.
    pub const HOLD: usize = 1024;

    /// How many were taken.
    pub fn spent(&self) -> usize {
        self.spent
    }

    /// Takes steps. `false`: there are no more.
    pub(crate) fn spend(&mut self, steps: usize) -> bool {
        self.spent += steps;
        self.spent < Self::HOLD
    }

    fn fits(&self, steps: usize) -> bool {
        self.spent.saturating_add(steps) < Self::HOLD
    }
}

/// Gives access to the registry for a moment.
pub trait Access<C> {
    /// Calls `f` while nobody changes the registry.
    fn with<R>(&self, f: impl FnOnce(&Hub<C>, &mut Steps) -> R) -> R;
}

/// A target that was understood.
#[derive(Debug)]
pub(crate) enum Selector<'a> {
    All,
    Client(&'a str),
    Tag(&'a str),
    User(&'a str),
    Expression(Expression),
}

impl<'a> Selector<'a> {
    pub fn new(target: Target<'a>) -> Result<Selector<'a>, CommandError> {
        Ok(match target {
            Target::All => Selector::All,
            Target::Client(id) => Selector::Client(id),
            Target::Tag(tag) => {
                check_tag(tag)?;
                Selector::Tag(tag)
            }
            Target::User(user) => {
                check_user(user, b"")?;
                Selector::User(user)
            }
            Target::Expression(text) => Selector::Expression(Expression::parse(text)?),
        })
    }
}

impl Selector<'_> {
    /// Whether a live client is one of those.
    pub fn selects<C>(&self, hub: &Hub<C>, key: Key, client: &Client<C>) -> bool {
        match self {
            Selector::All => true,
            Selector::Client(id) => **id == *client.id,
            Selector::Tag(tag) => hub.tags.get(tag).is_some_and(|tagged| tagged.contains(key.index)),
            Selector::User(user) => client.user.as_ref().is_some_and(|own| *own.name == **user),
            Selector::Expression(expression) => expression.selects(&client.tags),
        }
    }
}

/// What looking at a whole set costs.
fn weight(set: &RoaringBitmap) -> usize {
    1 + set.len() as usize / 4096
}

/// A walk over the live clients of a target, on a route.
pub(crate) struct Walk<'a> {
    selector: &'a Selector<'a>,
    route: Option<&'a str>,
    stage: Stage<'a>,
}

enum Stage<'a> {
    New,
    /// The names of an expression are looked up.
    Resolving {
        resolving: Resolving<'a>,
        route: Option<RouteId>,
        newest: u64,
    },
    Visiting(Visit),
}

/// The names of an expression that are looked up, and what was found.
struct Resolving<'a> {
    expression: &'a Expression,
    tags: Vec<&'a str>,
    /// Names with `*`; empty when all tags in use were looked at, once for all of them.
    wildcards: Vec<&'a Wildcard>,
    /// What all of these begin with.
    prefix: &'a str,
    /// The last tag that was looked at for them.
    after: Option<Arc<str>>,
    resolved: Resolved<'a>,
}

struct Visit {
    /// `None`: those that the selector says.
    found: Option<RoaringBitmap>,
    route: Option<RouteId>,
    /// The newest client there was when the walk began.
    newest: u64,
    /// The next place to be looked at.
    next: u32,
}

impl<'a> Walk<'a> {
    pub fn new(selector: &'a Selector<'a>, route: Option<&'a str>) -> Walk<'a> {
        Walk { selector, route, stage: Stage::New }
    }

    /// Locks the registry once, and calls `each` with the clients that were found meanwhile. `false`: that was all. Only before the first
    /// client is found `go_on` can end it.
    pub fn step<C>(
        &mut self,
        registry: &impl Access<C>,
        go_on: &mut dyn GoOn,
        mut each: impl FnMut(Key, &Client<C>),
    ) -> Result<bool, CommandError> {
        let more = registry.with(|hub, steps| self.advance(hub, steps, &mut each))?;
        if let Stage::Resolving { resolving, route, newest } = &mut self.stage {
            go_on.go_on()?;
            if resolving.is_done() {
                let found = resolving.expression.evaluate_in(&resolving.resolved.live, &resolving.resolved);
                self.stage = Stage::Visiting(Visit { found: Some(found), route: *route, newest: *newest, next: 0 });
            }
        }
        Ok(more)
    }

    fn advance<C>(&mut self, hub: &Hub<C>, steps: &mut Steps, each: &mut impl FnMut(Key, &Client<C>)) -> Result<bool, CommandError> {
        if let Stage::New = self.stage {
            let (route, newest) = (hub.known_route(self.route)?, hub.entered);
            let visit = |found| Stage::Visiting(Visit { found, route, newest, next: 0 });
            self.stage = match self.selector {
                Selector::Expression(expression) => match evaluate(hub, expression, steps) {
                    Some(found) => visit(Some(found)),
                    None => Stage::Resolving { resolving: Resolving::new(expression, hub, steps), route, newest },
                },
                Selector::Client(id) => visit(Some(hub.find_on(id, None).map(|(key, _)| key.index).into_iter().collect())),
                Selector::All | Selector::Tag(_) | Selector::User(_) => visit(None),
            };
        }
        Ok(match &mut self.stage {
            Stage::New => unreachable!("bug: it has begun above"),
            Stage::Resolving { resolving, .. } => {
                resolving.advance(hub, steps);
                true
            }
            Stage::Visiting(visit) => visit.advance(hub, self.selector, steps, each),
        })
    }
}

/// The clients that an expression selects, where they can be found in one hold.
fn evaluate<C>(hub: &Hub<C>, expression: &Expression, steps: &mut Steps) -> Option<RoaringBitmap> {
    let (tags, wildcards) = expression.size();
    let cost = weight(&hub.live).saturating_mul(tags + wildcards.saturating_mul(hub.tags.len()));
    if !steps.fits(cost) {
        return None;
    }
    steps.spend(cost);
    Some(expression.evaluate_in(&hub.live, &hub.tags))
}

/// How many clients a target has on a route; `None` where that cannot be said in one hold.
pub(crate) fn count<C>(hub: &Hub<C>, selector: &Selector<'_>, route: Option<&str>, steps: &mut Steps) -> Result<Option<u64>, CommandError> {
    let route = hub.known_route(route)?.map(|route| hub.live_on(route));
    let on_route = |set: &RoaringBitmap| route.map_or_else(|| set.len(), |route| set.intersection_len(route));
    Ok(match selector {
        Selector::All => Some(route.unwrap_or(&hub.live).len()),
        Selector::Tag(tag) => Some(hub.tags.get(tag).map_or(0, on_route)),
        Selector::User(user) => Some(hub.users.get(user).map_or(0, on_route)),
        Selector::Client(id) => Some(hub.find_on(id, None).map_or(0, |(key, _)| u64::from(route.is_none_or(|on| on.contains(key.index))))),
        Selector::Expression(expression) => evaluate(hub, expression, steps).map(|found| on_route(&found)),
    })
}

impl Visit {
    fn advance<C>(&mut self, hub: &Hub<C>, selector: &Selector<'_>, steps: &mut Steps, each: &mut impl FnMut(Key, &Client<C>)) -> bool {
        let set = match (&self.found, selector) {
            (Some(found), _) => found,
            // Looked up each time: it may have changed.
            (None, Selector::Tag(tag)) => match hub.tags.get(tag) {
                Some(tagged) => tagged,
                None => return false,
            },
            (None, Selector::User(user)) => match hub.users.get(user) {
                Some(clients) => clients,
                None => return false,
            },
            (None, Selector::All | Selector::Client(_) | Selector::Expression(_)) => {
                self.route.map_or(&hub.live, |route| hub.live_on(route))
            }
        };
        for index in set.range(self.next..) {
            if let Some((key, client)) = hub.at(index)
                && client.entered <= self.newest
                // The other sets have live clients only.
                && (self.found.is_none() || hub.live.contains(index))
                && self.route.is_none_or(|route| route == client.route)
            {
                each(key, client);
            }
            if !steps.spend(1) {
                self.next = index.saturating_add(1);
                return index < u32::MAX;
            }
        }
        false
    }
}

impl<'a> Resolving<'a> {
    fn new<C>(expression: &'a Expression, hub: &Hub<C>, steps: &mut Steps) -> Resolving<'a> {
        steps.spend(weight(&hub.live));
        let (mut tags, mut wildcards) = (Vec::new(), Vec::new());
        let mut resolved = Resolved::new(hub.live.clone());
        for leaf in expression.leaves() {
            match leaf {
                Leaf::Tag(name) => tags.push(name),
                Leaf::Wildcard(wildcard) => {
                    if resolved.wildcards.insert(wildcard, RoaringBitmap::new()).is_none() {
                        wildcards.push(wildcard);
                    }
                }
            }
        }
        let prefix = wildcards.iter().map(|wildcard| wildcard.prefix()).reduce(common).unwrap_or_default();
        Resolving { expression, tags, wildcards, prefix, after: None, resolved }
    }

    fn is_done(&self) -> bool {
        self.tags.is_empty() && self.wildcards.is_empty()
    }

    fn advance<C>(&mut self, hub: &Hub<C>, steps: &mut Steps) {
        while let Some(name) = self.tags.pop() {
            let tagged = hub.tags.get(name).cloned().unwrap_or_default();
            let more = steps.spend(weight(&tagged));
            self.resolved.tags.insert(name, tagged);
            if !more {
                return;
            }
        }
        if !self.wildcards.is_empty() {
            self.gather(hub, steps);
        }
    }

    /// Looks at more of the tags that names with `*` may match.
    fn gather<C>(&mut self, hub: &Hub<C>, steps: &mut Steps) {
        let after = self.after.take();
        for name in hub.tags.names(self.prefix, after.as_deref()) {
            let mut cost = 1;
            for wildcard in &self.wildcards {
                cost += wildcard.cost();
                if wildcard.matches(name)
                    && let (Some(tagged), Some(found)) = (hub.tags.get(name), self.resolved.wildcards.get_mut(wildcard))
                {
                    add(found, tagged);
                    cost += weight(tagged);
                }
            }
            if !steps.spend(cost) {
                self.after = Some(name.clone());
                break;
            }
        }
        // Once all who matter are in, more would change nothing.
        let Resolved { live, wildcards: found, .. } = &self.resolved;
        self.wildcards.retain(|wildcard| self.after.is_some() && !found.get(wildcard).is_some_and(|found| live.is_subset(found)));
    }
}

/// What two texts both begin with.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let end = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    &one[..end.unwrap_or(one.len().min(other.len()))]
}

#[cfg(test)]
mod tests;
