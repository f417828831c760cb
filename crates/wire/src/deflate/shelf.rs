//! What connections keep for their compression between two messages: bounded for all of them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{Deflater, Window};
use crate::ledger::{Ledger, Owner, Ticket};

/// What all shelves of a server hold together, and have given up.
#[derive(Debug, Default)]
pub struct Shelved {
    /// Bytes of what clients have sent, to which their next messages may refer.
    pub windows: AtomicUsize,
    /// Bytes of contexts that compress.
    pub contexts: AtomicUsize,
    /// Windows that were given up.
    pub windows_given_up: AtomicU64,
    /// Contexts that were given up.
    pub contexts_given_up: AtomicU64,
}

/// The memory that connections keep, those of one thread mostly. When there is no more, contexts that compress go first: their connections
/// begin anew, which nobody notices. Then a window of the owner who keeps most goes, the one that was not used for longest.
#[derive(Debug)]
pub struct Shelf {
    most: usize,
    shelved: Arc<Shelved>,
    /// Guards what is kept; taken twice for a compressed message.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
pub struct Kept {
    /// An item that is lent is `None`; it counts all the same.
    windows: Ledger<Option<Window>>,
    contexts: Ledger<Option<Box<Deflater>>>,
}

impl Shelf {
    /// For so many bytes.
    pub fn new(most: usize, shelved: Arc<Shelved>) -> Shelf {
        Shelf { most, shelved, kept: Mutex::default() }
    }

    fn make_room(&self, kept: &mut Kept, before: (usize, usize)) {
        while kept.windows.used() + kept.contexts.used() > self.most {
            if let Some(worst) = kept.contexts.worst() {
                kept.contexts.leave(worst);
                self.shelved.contexts_given_up.fetch_add(1, Ordering::Relaxed);
            } else if let Some(worst) = kept.windows.worst() {
                kept.windows.leave(worst);
                self.shelved.windows_given_up.fetch_add(1, Ordering::Relaxed);
            } else {
                break;
            }
        }
        for (total, before, now) in
            [(&self.shelved.windows, before.0, kept.windows.used()), (&self.shelved.contexts, before.1, kept.contexts.used())]
        {
            if now != before {
                total.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.kept.lock();
        let before = (kept.windows.used(), kept.contexts.used());
        let result = change(&mut kept);
        self.make_room(&mut kept, before);
        result
    }
}

impl Default for Shelf {
    fn default() -> Self {
        Shelf::new(usize::MAX, Arc::default())
    }
}

/// What can be on a shelf.
pub trait Item: Sized {
    /// The bytes it takes.
    fn held(&self) -> usize;
    #[doc(hidden)]
    fn ledger(kept: &mut Kept) -> &mut Ledger<Option<Self>>;
}

impl Item for Window {
    fn held(&self) -> usize {
        self.bytes.capacity()
    }

    fn ledger(kept: &mut Kept) -> &mut Ledger<Option<Self>> {
        &mut kept.windows
    }
}

impl Item for Box<Deflater> {
    fn held(&self) -> usize {
        Deflater::held(self)
    }

    fn ledger(kept: &mut Kept) -> &mut Ledger<Option<Self>> {
        &mut kept.contexts
    }
}

/// What one connection has on a shelf. It is taken down with it.
#[derive(Debug)]
pub struct Place<T: Item> {
    shelf: Arc<Shelf>,
    owner: Owner,
    ticket: Option<Ticket>,
    item: std::marker::PhantomData<fn() -> T>,
}

/// What comes of asking for it.
#[derive(Debug)]
pub enum Lent<T> {
    /// There was never any.
    Nothing,
    /// It had to be given up.
    Lost,
    /// To be [kept](Place::keep) again.
    Item(T),
}

impl<T: Item> Place<T> {
    /// An empty one. `owner`: who pays for it, with others of its own.
    pub fn new(shelf: &Arc<Shelf>, owner: Owner) -> Place<T> {
        Place { shelf: shelf.clone(), owner, ticket: None, item: std::marker::PhantomData }
    }

    /// Whether something was kept, whatever became of it.
    pub fn is_used(&self) -> bool {
        self.ticket.is_some()
    }

    /// Takes it off, for the length of a message.
    pub fn lend(&mut self) -> Lent<T> {
        let Some(ticket) = self.ticket else { return Lent::Nothing };
        let mut kept = self.shelf.kept.lock();
        match T::ledger(&mut kept).get(ticket).and_then(Option::take) {
            Some(item) => Lent::Item(item),
            None => Lent::Lost,
        }
    }

    /// Puts it back, or there for the first time. It may be given up at once.
    pub fn keep(&mut self, item: T) {
        let (owner, bytes, ticket) = (self.owner, item.held(), self.ticket);
        self.ticket = self.shelf.change(|kept| {
            let ledger = T::ledger(kept);
            if let Some(place) = ticket.and_then(|ticket| ledger.get(ticket)) {
                *place = Some(item);
            } else {
                return Some(ledger.enter(owner, bytes, Some(item)));
            }
            ticket.inspect(|ticket| {
                ledger.resize(*ticket, bytes);
            })
        });
    }

    /// Nothing is kept any more.
    pub fn clear(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shelf.change(|kept| T::ledger(kept).leave(ticket));
        }
    }
}

impl<T: Item> Drop for Place<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(len: usize) -> Window {
        let mut window = Window::new(15);
        window.push(&vec![b'x'; len]);
        window
    }

    #[test]
    fn contexts_go_first_and_then_windows_of_who_keeps_most() {
        let shelved = Arc::new(Shelved::default());
        let context = || Box::new(Deflater::new(6, 9, true));
        let shelf = Arc::new(Shelf::new(context().held() + 4096, shelved.clone()));
        let mut contexts = Place::new(&shelf, Owner(9));
        contexts.keep(context());
        let [mut first, mut second, mut other] = [1, 1, 2].map(|owner| Place::new(&shelf, Owner(owner)));
        for place in [&mut first, &mut second, &mut other] {
            assert!(matches!(place.lend(), Lent::Nothing) && !place.is_used());
            place.keep(window(1024));
        }
        assert!(matches!(contexts.lend(), Lent::Item(_)));
        contexts.keep(context());
        second.keep(window(4096));
        assert!(matches!(contexts.lend(), Lent::Lost), "it went in favour of a window");
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 1024 * 2 + 4096);
        // Now windows only: two of the first owner's, of which the one that was not used goes.
        let many: Vec<Place<Window>> = (0..context().held() / 4096 + 1)
            .map(|_| {
                let mut place = Place::new(&shelf, Owner(1));
                place.keep(window(4096));
                place
            })
            .collect();
        assert!(matches!(first.lend(), Lent::Lost), "the oldest of who keeps most");
        assert!(matches!(other.lend(), Lent::Item(_)));
        assert_eq!(shelved.contexts_given_up.load(Ordering::Relaxed), 1);
        assert!(shelved.windows_given_up.load(Ordering::Relaxed) >= 1);
        drop((first, second, other, contexts, many));
        assert_eq!((shelved.windows.load(Ordering::Relaxed), shelved.contexts.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn what_is_lent_counts_and_can_be_given_up_and_comes_back_as_new() {
        let shelved = Arc::new(Shelved::default());
        let shelf = Arc::new(Shelf::new(3000, shelved.clone()));
        let (mut one, mut two) = (Place::new(&shelf, Owner(1)), Place::new(&shelf, Owner(1)));
        one.keep(window(2048));
        let Lent::Item(lent) = one.lend() else { panic!("it is there") };
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 2048);
        // What was just used is passed over once; the newcomer is the other one.
        two.keep(window(2048));
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 2048);
        assert!(matches!(two.lend(), Lent::Lost));
        two.keep(window(2048));
        one.keep(lent);
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 2048);
        one.clear();
        two.clear();
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_window_that_alone_is_too_much_is_not_kept() {
        let shelf = Arc::new(Shelf::new(100, Arc::default()));
        let mut place = Place::new(&shelf, Owner(1));
        place.keep(window(2048));
        assert!(matches!(place.lend(), Lent::Lost));
    }
}
