//! Time, randomness and waiting, as the core has them: all of it goes through here.
//!
//! A [simulation](crate::simulation) has its own, so that one seed is one run. Without the feature these are the calls of the system.

use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, MutexGuard};

#[cfg(feature = "simulation")]
use crate::simulation::{Waiting, world};

/// The time.
#[inline]
pub fn now() -> Instant {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        return world.now();
    }
    Instant::now()
}

/// How long ago something was.
#[inline]
pub fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// The wall clock: the time since 1970.
#[inline]
pub fn unix() -> Duration {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        return world.unix();
    }
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall clock in milliseconds.
#[inline]
pub fn unix_millis() -> u64 {
    unix().as_millis() as u64
}

/// Fills a buffer with random bytes.
#[inline]
pub fn random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        world.random(bytes);
        return Ok(());
    }
    getrandom::fill(bytes)
}

/// Lets time pass.
#[inline]
pub fn sleep(time: Duration) {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        let until = world.now() + time;
        while world.now() < until {
            world.wait(Waiting::Time(until));
        }
        return;
    }
    std::thread::sleep(time);
}

/// Waits for what another thread sends.
#[inline]
pub fn receive<T>(from: &Receiver<T>) -> Result<T, RecvError> {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        return loop {
            match from.try_recv() {
                Ok(sent) => break Ok(sent),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => break Err(RecvError),
                Err(std::sync::mpsc::TryRecvError::Empty) => world.wait(Waiting::Thread),
            }
        };
    }
    from.recv()
}

/// The same, but not for longer than until a time.
#[inline]
pub fn receive_until<T>(from: &Receiver<T>, until: Instant) -> Result<T, RecvTimeoutError> {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        return loop {
            match from.try_recv() {
                Ok(sent) => break Ok(sent),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => break Err(RecvTimeoutError::Disconnected),
                Err(_) if world.now() >= until => break Err(RecvTimeoutError::Timeout),
                Err(_) => world.wait(Waiting::Time(until)),
            }
        };
    }
    from.recv_timeout(until.saturating_duration_since(Instant::now()))
}

/// Waits for a signal, but not for longer than until a time. `true`: the time has come.
#[inline]
pub fn wait_until<T>(signal: &Condvar, guard: &mut MutexGuard<'_, T>, until: Instant) -> bool {
    #[cfg(feature = "simulation")]
    if let Some(world) = world() {
        if world.now() < until {
            MutexGuard::unlocked(guard, || world.wait(Waiting::Time(until)));
        }
        return world.now() >= until;
    }
    signal.wait_until(guard, until).timed_out()
}

/// Whether a thread that has nothing to do may wait a little for something. In a simulation it comes again instead.
#[inline]
pub fn may_linger() -> bool {
    #[cfg(feature = "simulation")]
    return world().is_none();
    #[cfg(not(feature = "simulation"))]
    true
}
