//! What processes cost, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::param::clock_ticks_per_second;

/// User and system time of the processes, their threads and their descendants, ended ones included. In ticks of 10 ms, which
/// is 1 % of a second: measure for several.
pub fn cpu(pids: &[i32]) -> Result<Duration> {
    let mut ticks = 0;
    for pid in family(pids)? {
        match Stat::read(pid) {
            Ok(stat) => ticks += stat.ticks,
            Err(error) if pids.contains(&pid) => return Err(error),
            // A descendant that has just ended: its time is in its parent's.
            Err(_) => {}
        }
    }
    Ok(from_ticks(ticks))
}

/// The same to the nanosecond, without descendants, and without threads that have ended: none of the servers ends its own.
pub fn fine_cpu(pids: &[i32]) -> Result<Duration> {
    let mut sum = 0;
    for pid in pids {
        let path = format!("/proc/{pid}/task");
        for thread in fs::read_dir(&path).with_context(|| format!("there is no process {pid}"))? {
            // A thread that has just ended.
            let Ok(line) = fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let time = line.split_whitespace().next().unwrap_or_default();
            sum += time.parse::<u64>().with_context(|| format!("{path}/…/schedstat holds {line:?}"))?;
        }
    }
    Ok(Duration::from_nanos(sum))
}

/// Time that the machine's processors were not idle, whoever had them; time stolen by the host included.
pub fn machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // proc(5): user nice system idle iowait irq softirq steal; guest time is within user's.
    let [user, nice, system, _, _, irq, softirq, steal, ..] = fields[..] else {
        bail!("/proc/stat begins with {line:?}");
    };
    Ok(from_ticks(user + nice + system + irq + softirq + steal))
}

/// Memory of processes, in KiB.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Pages only they have, and their share of the others.
    pub pss: u64,
    /// Pages only they have.
    pub private: u64,
}

/// Memory of the processes and their descendants.
pub fn memory(pids: &[i32]) -> Result<Memory> {
    let mut sum = Memory { pss: 0, private: 0 };
    for pid in family(pids)? {
        let path = format!("/proc/{pid}/smaps_rollup");
        let rollup = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        for line in rollup.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(Ok(kib))) = (words.next(), words.next().map(str::parse::<u64>)) else {
                continue;
            };
            match name {
                "Pss:" => sum.pss += kib,
                "Private_Clean:" | "Private_Dirty:" => sum.private += kib,
                _ => {}
            }
        }
    }
    Ok(sum)
}

/// Whether the process is there and not a zombie.
pub fn is_alive(pid: i32) -> bool {
    Stat::read(pid).is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// The processes and all who descend from them.
fn family(pids: &[i32]) -> Result<Vec<i32>> {
    let all: Vec<(i32, i32)> = fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::read(pid).ok()?.parent)))
        .collect();
    let mut family = pids.to_vec();
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        let children = all.iter().filter(|(pid, its)| *its == parent && !family.contains(pid)).map(|(pid, _)| *pid);
        let children: Vec<i32> = children.collect();
        family.extend(children);
        at += 1;
    }
    Ok(family)
}

struct Stat {
    state: char,
    parent: i32,
    ticks: u64,
}

impl Stat {
    fn read(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("there is no process {pid}"))?;
        Self::parse(&stat).with_context(|| format!("{path} holds {stat:?}"))
    }

    /// proc(5): pid (comm) state ppid … utime stime cutime cstime are fields 14 to 17; comm may hold blanks and parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>());
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: times.sum::<Result<u64, _>>().ok()?,
        })
    }
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194304 9 0 0 0 10 20 3 4 20 0 1 0 5 6 7";
        let stat = Stat::parse(line).expect("valid");
        assert_eq!((stat.state, stat.parent, stat.ticks), ('S', 3, 37));
    }

    #[test]
    fn a_child_belongs_to_the_family_of_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep exists");
        let own = std::process::id() as i32;
        let pid = child.id() as i32;
        let family = family(&[own]).expect("/proc is there");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(family.contains(&own) && family.contains(&pid));
        assert!(!is_alive(pid) && is_alive(own));
    }

    #[test]
    fn own_memory_is_more_than_nothing_and_a_missing_process_is_an_error() {
        let own = memory(&[std::process::id() as i32]).expect("smaps_rollup is there");
        assert!(own.pss > 0 && own.private > 0);
        assert!(cpu(&[i32::MAX]).is_err());
    }
}
