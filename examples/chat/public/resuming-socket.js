'use strict';

/**
 * A WebSocket that comes back by itself after its connection broke. Neither side misses a message, and none comes twice.
 * It is for routes with the option `resume`; docs/resume.md describes what it does.
 *
 *     const socket = new ResumingSocket('wss://example.com/chat');
 *     socket.onsession = () => socket.send('hello');          // the first connection, or the old session is over
 *     socket.onmessage = (data) => console.log(data);
 *     socket.onstate = (online) => show(online);              // whether there is a connection at the moment
 *     socket.onlost = (count) => warn(count);                 // so many messages were not sent: their session is over
 *     socket.onclose = (code, reason) => console.log(code);   // the server closed it on purpose
 */
class ResumingSocket {
  onsession = () => {};
  onmessage = (data) => {};
  onstate = (online) => {};
  onlost = (count) => {};
  onclose = (code, reason) => {};

  /** So many of the latest messages are remembered, since they may have to be sent again. */
  static KEPT = 1000;
  /** Back on a network: messages of the old connection that are here already are handled first, milliseconds. */
  static SETTLE = 250;

  #url;
  #protocols;
  #socket = null;
  #token = '';
  #window = 0;
  /** Then the session is certainly over, so a new one is begun: a time as of Date.now(). */
  #overAt = Infinity;
  /** Messages that came since the token was told. */
  #received = 0;
  /** Messages that were sent since then, and the latest of them. */
  #sent = 0;
  #kept = [];
  /** The server has greeted this connection: only then something is sent. */
  #greeted = false;
  #failures = 0;
  #retry = 0;
  /** How it was closed, if it was. */
  #closed = null;
  #back = () => this.#connect();
  #online = () => this.#hurry();

  constructor(url, protocols = []) {
    this.#url = url;
    this.#protocols = protocols;
    addEventListener('online', this.#online);
    this.#connect();
  }

  /** Sends a string or bytes, at once or when the connection is back. False: too many wait already. */
  send(data) {
    if (this.#closed || (!this.#greeted && this.#kept.length >= ResumingSocket.KEPT)) return false;
    this.#sent++;
    this.#kept.push(data);
    if (this.#kept.length > ResumingSocket.KEPT) this.#kept.shift();
    if (this.#greeted) this.#socket.send(data);
    return true;
  }

  /** Closes it for good. If it is away, it comes back once more to tell the server. */
  close(code = 1000, reason = '') {
    if (this.#closed) return;
    this.#end({ code, reason });
    if (this.#greeted) this.#socket.close(code, reason);
    else if (this.#token !== '' && this.#socket.readyState !== WebSocket.CONNECTING) this.#connect();
  }

  #end(how) {
    this.#closed = how;
    clearTimeout(this.#retry);
    removeEventListener('online', this.#online);
  }

  /** Back on a network: does not wait for the timer. The old connection may not be known to be broken yet. */
  #hurry() {
    if (this.#socket.readyState === WebSocket.CONNECTING) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(this.#back, this.#greeted ? ResumingSocket.SETTLE : 0);
  }

  #connect() {
    clearTimeout(this.#retry);
    if (Date.now() > this.#overAt) this.#token = '';
    const url = new URL(this.#url, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('resume', this.#token);
    if (this.#token !== '') url.searchParams.set('received', String(this.#received));
    const before = this.#socket;
    const mine = this.#socket = new WebSocket(url, this.#protocols);
    mine.binaryType = 'arraybuffer';
    this.#greeted = false;
    mine.onmessage = ({ data }) => {
      if (mine !== this.#socket) return;
      if (!this.#greeted) return this.#greet(data, before);
      this.#received++;
      this.onmessage(data);
    };
    mine.onclose = ({ code, reason }) => {
      if (mine === this.#socket) this.#broken(code, reason);
    };
  }

  /** The first message of a connection. `before`: the connection before it, which the server cuts if the session goes on. */
  #greet(data, before) {
    const { token, resumed, received, window } = greeting(data) ?? { token: '', resumed: false, window: 0 };
    const first = this.#token === '';
    const missing = resumed ? this.#sent - received : first ? this.#sent : 0;
    const again = missing > 0 ? this.#kept.slice(-missing) : [];
    const lost = resumed || first ? missing - again.length : this.#sent;
    this.#token = token;
    this.#window = window * 1000;
    this.#overAt = Infinity;
    this.#received = 0;
    this.#sent = 0;
    this.#kept = [];
    this.#greeted = true;
    this.#failures = 0;
    if (!resumed) before?.close();
    if (this.#closed) return this.#socket.close(this.#closed.code, this.#closed.reason);
    if (!resumed) this.onsession();
    again.forEach((message) => this.send(message));
    this.onstate(true);
    if (lost > 0) this.onlost(lost);
    // The route does not have the option any more.
    if (token === '') this.onmessage(data);
  }

  #broken(code, reason) {
    const greeted = this.#greeted;
    this.#greeted = false;
    if (this.#closed) return;
    // 1000 and 1005: it is over, 1008: it is not allowed, from 4000 on: the application says why. After all others it is worth a try.
    if (code === 1000 || code === 1005 || code === 1008 || code >= 4000) {
      this.#end({ code, reason });
      this.onclose(code, reason);
      return;
    }
    if (greeted) this.onstate(false);
    // The server may have noticed the break later.
    if (this.#overAt === Infinity) this.#overAt = Date.now() + 2 * this.#window;
    // A random half, so that after a break not everybody comes at once.
    const wait = Math.min(500 * 2 ** this.#failures++, 15000) * (0.5 + Math.random() / 2);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(this.#back, wait);
  }
}

/** What the server says first; null: it says something else. */
function greeting(data) {
  try {
    return JSON.parse(data).resume ?? null;
  } catch {
    return null;
  }
}
