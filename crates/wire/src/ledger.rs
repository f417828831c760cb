//! How much each owner holds of what all share, and which owner gives something up when there is no more.
//!
//! The owner that holds most pays first, with what it has had longest: else one client with many connections could use up what all share, and
//! everybody else would pay for it.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// For whom something is held: an address, or whatever else tells clients apart. Connections of the same owner pay for each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u64);

/// Names an item. It is stale when the item is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    index: u32,
    generation: u32,
}

/// Items that are held for owners, each of so many bytes.
#[derive(Debug)]
pub struct Ledger<T> {
    used: usize,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    accounts: HashMap<Owner, Account>,
    /// The accounts by what they hold.
    ranks: BTreeSet<(usize, Owner)>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    owner: Owner,
    bytes: usize,
    /// It was used since it was last looked at: once more it is passed over.
    used: bool,
    item: T,
}

/// What one owner holds.
#[derive(Debug, Default)]
struct Account {
    bytes: usize,
    count: usize,
    /// Its items from the oldest on, with some that are gone.
    order: VecDeque<Ticket>,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Ledger { used: 0, slots: Vec::new(), free: Vec::new(), accounts: HashMap::new(), ranks: BTreeSet::new() }
    }
}

impl<T> Ledger<T> {
    /// How many bytes are held.
    pub fn used(&self) -> usize {
        self.used
    }

    /// An item is held from now on.
    pub fn enter(&mut self, owner: Owner, bytes: usize, item: T) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, entry: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.entry = Some(Entry { owner, bytes, used: false, item });
        let ticket = Ticket { index, generation: slot.generation };
        self.used += bytes;
        let slots = &self.slots;
        let account = self.accounts.entry(owner).or_default();
        account.count += 1;
        account.order.push_back(ticket);
        if account.order.len() > 2 * account.count + 16 {
            account.order.retain(|ticket| is_live(slots, *ticket));
        }
        rank(&mut self.ranks, account, owner, account.bytes + bytes);
        ticket
    }

    /// Whether the item is still there.
    pub fn contains(&self, ticket: Ticket) -> bool {
        is_live(&self.slots, ticket)
    }

    /// The item, if it is still there. It counts as used.
    pub fn get(&mut self, ticket: Ticket) -> Option<&mut T> {
        let slot = self.slots.get_mut(ticket.index as usize).filter(|slot| slot.generation == ticket.generation)?;
        let entry = slot.entry.as_mut()?;
        entry.used = true;
        Some(&mut entry.item)
    }

    /// The item takes so many bytes from now on. `false`: it is gone.
    pub fn resize(&mut self, ticket: Ticket, bytes: usize) -> bool {
        let slot = self.slots.get_mut(ticket.index as usize).filter(|slot| slot.generation == ticket.generation);
        let Some(entry) = slot.and_then(|slot| slot.entry.as_mut()) else { return false };
        let (owner, before) = (entry.owner, std::mem::replace(&mut entry.bytes, bytes));
        if bytes != before {
            self.used = self.used - before + bytes;
            let account = self.accounts.get_mut(&owner).expect("bug: an item without an account");
            rank(&mut self.ranks, account, owner, account.bytes - before + bytes);
        }
        true
    }

    /// The item is not held any more.
    pub fn leave(&mut self, ticket: Ticket) -> Option<T> {
        let slot = self.slots.get_mut(ticket.index as usize).filter(|slot| slot.generation == ticket.generation)?;
        let entry = slot.entry.take()?;
        self.free.push(ticket.index);
        self.used -= entry.bytes;
        let account = self.accounts.get_mut(&entry.owner).expect("bug: an item without an account");
        account.count -= 1;
        rank(&mut self.ranks, account, entry.owner, account.bytes - entry.bytes);
        if account.count == 0 {
            self.ranks.remove(&(account.bytes, entry.owner));
            self.accounts.remove(&entry.owner);
        }
        Some(entry.item)
    }

    /// The item that has to go first: of the owner who holds most, the one that was not used for longest. It is there still.
    pub fn worst(&mut self) -> Option<Ticket> {
        let (_, owner) = self.ranks.last()?;
        let account = self.accounts.get_mut(owner)?;
        loop {
            let ticket = account.order.pop_front()?;
            let slot = &mut self.slots[ticket.index as usize];
            let Some(entry) = slot.entry.as_mut().filter(|_| slot.generation == ticket.generation) else { continue };
            if !std::mem::take(&mut entry.used) {
                account.order.push_front(ticket);
                return Some(ticket);
            }
            account.order.push_back(ticket);
        }
    }
}

fn is_live<T>(slots: &[Slot<T>], ticket: Ticket) -> bool {
    slots.get(ticket.index as usize).is_some_and(|slot| slot.generation == ticket.generation && slot.entry.is_some())
}

fn rank(ranks: &mut BTreeSet<(usize, Owner)>, account: &mut Account, owner: Owner, bytes: usize) {
    ranks.remove(&(account.bytes, owner));
    account.bytes = bytes;
    ranks.insert((bytes, owner));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payer(ledger: &mut Ledger<&'static str>) -> Option<&'static str> {
        let worst = ledger.worst()?;
        ledger.leave(worst)
    }

    #[test]
    fn the_owner_who_holds_most_pays_first_with_what_it_has_had_longest() {
        let mut ledger = Ledger::default();
        let (many, one) = (Owner(1), Owner(2));
        ledger.enter(many, 30, "many's first");
        ledger.enter(one, 50, "one's");
        let second = ledger.enter(many, 30, "many's second");
        ledger.enter(many, 30, "many's third");
        assert_eq!((ledger.used(), payer(&mut ledger), payer(&mut ledger)), (140, Some("many's first"), Some("many's second")));
        assert!(
            !ledger.resize(second, 99) && !ledger.contains(second) && ledger.get(second).is_none() && ledger.leave(second).is_none(),
            "it is gone"
        );
        assert_eq!((payer(&mut ledger), payer(&mut ledger), payer(&mut ledger)), (Some("one's"), Some("many's third"), None));
        assert_eq!((ledger.used(), ledger.accounts.len(), ledger.ranks.len()), (0, 0, 0));
    }

    #[test]
    fn what_is_used_is_passed_over_and_what_grows_counts() {
        let mut ledger = Ledger::default();
        let first = ledger.enter(Owner(1), 10, "first");
        ledger.enter(Owner(1), 10, "second");
        let other = ledger.enter(Owner(2), 15, "other");
        assert_eq!(ledger.get(first), Some(&mut "first"));
        assert_eq!(payer(&mut ledger), Some("second"));
        assert!(ledger.resize(first, 16));
        assert_eq!(ledger.get(first), Some(&mut "first"));
        assert_eq!(payer(&mut ledger), Some("first"), "used, but the only one of who holds most");
        assert_eq!((ledger.leave(other), ledger.used()), (Some("other"), 0));
    }

    #[test]
    fn whatever_comes_and_goes_the_sums_are_right_and_nothing_is_left() {
        let mut seed = 1u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        let mut ledger = Ledger::default();
        let mut model: Vec<(Ticket, Owner, usize, u32)> = Vec::new();
        for step in 0..20_000u32 {
            match random(5) {
                0 | 1 => {
                    let (owner, bytes) = (Owner(random(5).into()), random(100) as usize);
                    model.push((ledger.enter(owner, bytes, step), owner, bytes, step));
                }
                2 if !model.is_empty() => {
                    let (ticket, .., item) = model.swap_remove(random(model.len() as u32) as usize);
                    assert_eq!(ledger.leave(ticket), Some(item));
                    assert_eq!(ledger.leave(ticket), None);
                }
                3 if !model.is_empty() => {
                    let at = random(model.len() as u32) as usize;
                    model[at].2 = random(100) as usize;
                    assert!(ledger.resize(model[at].0, model[at].2));
                }
                _ => {
                    let held = |owner| model.iter().filter(|(_, of, ..)| *of == owner).map(|(_, _, bytes, _)| bytes).sum::<usize>();
                    let most = (0..5).map(|owner| held(Owner(owner))).max();
                    if let Some(worst) = ledger.worst() {
                        let at = model.iter().position(|(ticket, ..)| *ticket == worst).expect("one that is there");
                        assert_eq!(Some(held(model[at].1)), most);
                        let oldest = model.iter().filter(|(_, of, ..)| *of == model[at].1).map(|(.., item)| item).min();
                        assert_eq!(oldest, Some(&model[at].3));
                        assert_eq!(ledger.leave(worst), Some(model.swap_remove(at).3));
                    }
                }
            }
            assert_eq!(ledger.used(), model.iter().map(|(_, _, bytes, _)| bytes).sum::<usize>());
        }
        let queued: usize = ledger.accounts.values().map(|account| account.order.len()).sum();
        assert!(queued <= 2 * model.len() + 5 * 17, "{queued} for {}", model.len());
        for (ticket, ..) in model {
            ledger.leave(ticket).expect("there");
        }
        assert_eq!((ledger.used(), ledger.accounts.len(), ledger.ranks.len()), (0, 0, 0));
    }
}
