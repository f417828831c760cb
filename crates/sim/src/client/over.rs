//! How sessions of a client end: by its goodbye, by the server's word, or because it never comes back.

use super::{Client, Phase};
use crate::truth::Truth;
use crate::world::Sim;

/// Why a session may be over of a client that has a name.
const WANTED: &str = "a request that the client has given up wanted its name";

impl Client {
    /// A request that it has given up may find that its token is old by then, and begin a session: that has the name of the client, whose session may be away
    /// at that moment. docs/resume.md says that it ends then.
    pub(super) fn may_lose_its_name(&self, sim: &Sim) {
        if let Some(session) = self.state.borrow().session.filter(|_| self.name.is_some())
            && let Some(session) = sim.truth.borrow_mut().sessions.get_mut(&session)
        {
            session.excuse.get_or_insert(WANTED);
        }
    }

    /// The same is true of a session that begins while such a request is still under way.
    pub(super) fn excuse_of_newcomer(&self) -> Option<&'static str> {
        (self.name.is_some() && self.state.borrow().under_way > 1).then_some(WANTED)
    }

    /// Its session is over. It has a reason to be, or that is wrong.
    pub(super) fn session_is_over(&self, sim: &Sim, reason: &str) {
        let mut state = self.state.borrow_mut();
        state.token = None;
        state.received = 0;
        state.said.clear();
        let Some(session) = state.session.take() else { return };
        let counted = sim.alive().iter().any(|node| node.core().stats()["resumes_lost"] != 0);
        let mut truth = sim.truth.borrow_mut();
        *truth.over.entry(reason.to_owned()).or_default() += 1;
        let Truth { sessions, ended, .. } = &mut *truth;
        let Some(session) = sessions.get_mut(&session) else { return };
        session.over = true;
        // docs/resume.md: a session may be lost if one of the two servers stands still while it is on its way.
        let stood_still = sim.redis.stood_still(&session.ids);
        let excused = session.excuse.is_some() || session.liar || !session.ids.is_disjoint(ended) || counted || stood_still;
        let wrong = if excused { None } else { Some(format!("client {} has lost its session without a cause: {reason}", self.number)) };
        let wrong = wrong.or((reason == "received" && !self.liar).then(|| format!("the count of client {} was not believed", self.number)));
        if let Some(wrong) = wrong {
            sim.note(|| wrong.clone());
            truth.blame(wrong);
        }
    }

    /// It says goodbye, and its session is over.
    pub fn say_goodbye(&self, sim: &Sim, for_ever: bool) -> bool {
        self.with_wire(|state, wire| {
            if wire.closing && !for_ever {
                return false;
            }
            state.leaves = for_ever;
            sim.note(|| format!("client {} says goodbye", self.number));
            if !std::mem::replace(&mut wire.closing, true) {
                self.write(sim, wire, 8, &1000u16.to_be_bytes());
            }
            let mut truth = sim.truth.borrow_mut();
            for session in state.session.into_iter().chain([wire.visit]) {
                if let Some(session) = truth.sessions.get_mut(&session) {
                    session.excuse.get_or_insert("the client has said goodbye");
                }
            }
            true
        })
    }

    /// It never comes back.
    pub fn vanish(&self, sim: &Sim) {
        let mut state = self.state.borrow_mut();
        let phase = std::mem::replace(&mut state.phase, Phase::Gone);
        if let Phase::Open(wire) = phase
            && wire.node.is_alive()
        {
            wire.node.close(wire.pipe);
        }
        state.leaves = true;
        sim.note(|| format!("client {} is gone for ever", self.number));
        for ghost in state.ghosts.drain(..).filter(|ghost| ghost.node.is_alive()) {
            ghost.node.close(ghost.pipe);
        }
    }
}
