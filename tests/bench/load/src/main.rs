//! The load generator of the benchmark. It costs as little as it can, since it shares the processors with the server it
//! measures: one thread, one epoll, frames made once, one read and one write per connection and turn.
//!
//! * [`args`] what the command line says
//! * [`target`] a `ws://` address and its opening handshake
//! * [`frame`] the client's ready-made frames, and the reader of the server's
//! * [`stream`] its bytes, in clear or under TLS; [`connection`] one client; [`swarm`] all of them and their epoll
//! * [`echo`] and [`idle`] the two measurements; [`process`] what the server's processes cost
//! * [`cluster`] the measurements of several servers
//! * [`server`] waiting for a server, free ports; [`report`] the table made of many results

mod args;
mod cluster;
mod connection;
mod echo;
mod frame;
mod idle;
mod process;
mod report;
mod server;
mod stream;
mod swarm;
mod target;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // On one line, and without the trace that RUST_BACKTRACE would add: the causes say what went wrong.
            eprintln!("fws-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    match args::parse()? {
        Command::Help => print!("{}{}", args::USAGE, cluster::args::USAGE),
        Command::Echo(options) => println!("{}", serde_json::to_string(&echo::run(&options)?)?),
        Command::Idle(options) => println!("{}", serde_json::to_string(&idle::run(&options)?)?),
        Command::Ready(options) => server::wait_until_ready(&options)?,
        Command::Ports(count) => {
            for port in server::free_ports(count)? {
                println!("{port}");
            }
        }
        Command::Report(options) => print!("{}", report::render(&options)?),
        Command::Cluster(plan) => println!("{}", serde_json::to_string(&cluster::scenarios::run(&plan)?)?),
        Command::ClusterReport(options) => print!("{}", cluster::table::render(&options)?),
    }
    Ok(())
}
