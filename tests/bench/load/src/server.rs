//! Starting servers: free ports for them, and waiting until they answer.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustls::{ClientConnection, StreamOwned};

use crate::args::Ready;
use crate::process;
use crate::stream;
use crate::target::{Target, response_head};

/// Tries a handshake until one succeeds.
pub fn wait_until_ready(options: &Ready) -> Result<()> {
    let deadline = Instant::now() + options.timeout;
    loop {
        let Err(error) = handshake(&options.target) else {
            return Ok(());
        };
        for pid in &options.pids {
            ensure!(process::is_alive(*pid), "the server's process {pid} has ended; its log says why");
        }
        if Instant::now() >= deadline {
            return Err(error).with_context(|| format!("the server was not ready within {:?}", options.timeout));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn handshake(target: &Target) -> Result<()> {
    let bound = Duration::from_secs(2);
    let mut socket = TcpStream::connect_timeout(&target.address, bound)?;
    socket.set_read_timeout(Some(bound))?;
    if target.tls {
        let client = ClientConnection::new(stream::trusting()?, target.address.ip().into())?;
        upgrade(&mut StreamOwned::new(client, socket), target)
    } else {
        upgrade(&mut socket, target)
    }
}

fn upgrade(stream: &mut (impl Read + Write), target: &Target) -> Result<()> {
    stream.write_all(&target.request)?;
    let (mut received, mut piece) = (Vec::new(), [0; 4096]);
    while response_head(&received)?.is_none() {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "the server ended the connection within the handshake");
        received.extend_from_slice(&piece[..count]);
    }
    stream.write_all(&crate::frame::close_frame())?;
    Ok(())
}

/// Ports of 127.0.0.1 that nobody listens on, from below the range that outgoing connections take theirs from: thousands of
/// those are made between asking and listening.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let end: u16 = range.split_whitespace().next().context("empty ip_local_port_range")?.parse()?;
    let begin = 10_000.min(end / 2).max(1024);
    ensure!(begin < end, "no ports are left below {end}, where outgoing connections begin");
    let width = u64::from(end - begin);
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..width {
        if ports.len() == count {
            break;
        }
        let port = begin + (RandomState::new().build_hasher().finish() % width) as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push(listener);
            ports.push(port);
        }
    }
    ensure!(ports.len() == count, "only {} of {count} ports between {begin} and {end} are free", ports.len());
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_distinct_and_can_be_listened_on() {
        let ports = free_ports(5).expect("some are free");
        let held: Vec<_> = ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port))).collect();
        assert_eq!(held.iter().filter(|listener| listener.is_ok()).count(), 5);
    }
}
