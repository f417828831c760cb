//! A connection whose handshake was accepted becomes a client.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fws_hub::Key;
use fws_wire::close;
use socket2::Socket;

use crate::admission::{Handshake, Ticket};
use crate::conn::{Conn, Request, Transport};
use crate::core::Core;
use crate::link::Link;
use crate::shard::{Adoption, Op};
use crate::stats::add;

impl Core {
    /// Takes over an accepted connection. `buffered`: what was read behind the request. `Err` gives the socket back.
    pub fn adopt(&self, handshake: Handshake, socket: Socket, buffered: &[u8]) -> Result<(), Socket> {
        let Some(ticket) = handshake.ticket else { return Err(socket) };
        let transport = if socket.local_addr().is_ok_and(|address| address.is_unix()) { Transport::Unix } else { Transport::Tcp };
        let mut socket = Some(socket);
        self.take_over(ticket, transport, buffered, |_| Link::Socket(socket.take().expect("bug: there is one socket")));
        // The closure is not called where the hub does not take the client.
        socket.map_or(Ok(()), Err)
    }

    /// Registers a client and gives its connection, which `link` makes, to its shard. `link` is not called if that cannot be.
    pub(crate) fn take_over(&self, ticket: Ticket, transport: Transport, buffered: &[u8], link: impl FnOnce(Key) -> Link) {
        let routes = self.routes.read();
        let route = routes.current.get(&ticket.route.name).cloned();
        let gone = route.as_ref().is_none_or(|route| !route.serves(ticket.line));
        let route = route.unwrap_or(ticket.route);
        let mut made = None;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        // Kept locked until the shard has it: who finds the client in the hub posts behind its adoption, not before.
        let mut hub = self.hub.write();
        let registered = hub.register(ticket.id.clone(), route.id, |key| {
            let opened = &ticket.opened;
            let (path, ip, subprotocol) = (&*opened.path, &*opened.ip, &*opened.subprotocol);
            let request = Request { path: path.into(), ip: ip.into(), subprotocol: subprotocol.into() };
            let mut conn = Conn::new(key, ticket.id, &route, ticket.line, request, transport);
            conn.compression = ticket.compression;
            conn.traffic.opened(now);
            made.insert(Arc::new(conn)).clone()
        });
        let (Some(key), Some(conn)) = (registered, made) else { return };
        hub.furnish(key, ticket.outfit);
        let adoption = Adoption { conn, route, link: link(key), opened: ticket.opened, buffered: buffered.into() };
        self.post(key, Op::Adopt(Box::new(adoption)));
        ticket.reservation.adopted();
        drop(hub);
        drop(ticket.claim);
        add(&self.counters.connections_opened, 1);
        if gone || self.is_draining() {
            self.post(key, Op::Close { key, code: close::GOING_AWAY, reason: "".into() });
        }
    }
}
