'use strict';

/**
 * A WebSocket that comes back by itself after its connection broke. Neither side misses a message, and none comes twice.
 * It is for routes with the option `resume`; docs/resume.md describes what it does.
 *
 *     const socket = new ResumingSocket('wss://example.com/chat');
 *     socket.onsession = () => socket.send('hello');          // the first connection, or the old session is over
 *     socket.onmessage = (data) => console.log(data);
 *     socket.onstate = (online) => show(online);              // whether there is a connection at the moment
 *     socket.onclose = (code, reason) => console.log(code);   // the server closed it on purpose
 */
class ResumingSocket {
  onsession = () => {};
  onmessage = (data) => {};
  onstate = (online) => {};
  onclose = (code, reason) => {};

  /** So many of the latest messages are remembered, since they may have to be sent again. */
  static KEPT = 1000;

  #url;
  #protocols;
  #socket = null;
  #token = '';
  /** After this time the session is certainly over, so a new one is begun: a time as of Date.now(). */
  #overAt = Infinity;
  #window = 0;
  /** Messages that came since the token was told. */
  #received = 0;
  /** Messages that were sent since then, and the latest of them. */
  #sent = 0;
  #kept = [];
  /** The server has greeted this connection: only then something is sent. */
  #greeted = false;
  #failures = 0;
  #retry = 0;
  #ended = false;
  #back = () => this.#connect();

  constructor(url, protocols = []) {
    this.#url = url;
    this.#protocols = protocols;
    // Back on the network: do not wait for the timer. The old connection may not be known to be broken yet.
    addEventListener('online', this.#back);
    this.#connect();
  }

  /** Sends a string or bytes, at once or when the connection is back. */
  send(data) {
    if (this.#ended) return;
    this.#sent++;
    this.#kept.push(data);
    if (this.#kept.length > ResumingSocket.KEPT) this.#kept.shift();
    if (this.#greeted) this.#socket.send(data);
  }

  /** Closes it for good. */
  close(code = 1000, reason = '') {
    this.#end();
    this.#socket?.close(code, reason);
  }

  #end() {
    this.#ended = true;
    clearTimeout(this.#retry);
    removeEventListener('online', this.#back);
  }

  #connect() {
    clearTimeout(this.#retry);
    if (Date.now() > this.#overAt) this.#token = '';
    const url = new URL(this.#url, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('resume', this.#token);
    if (this.#token !== '') url.searchParams.set('received', String(this.#received));
    const mine = this.#socket = new WebSocket(url, this.#protocols);
    mine.binaryType = 'arraybuffer';
    this.#greeted = false;
    // An old one is not closed: if it still works, that would end the session. The server cuts it when this one is there.
    mine.onmessage = ({ data }) => {
      if (mine !== this.#socket) return;
      if (!this.#greeted) return this.#greet(JSON.parse(data).resume);
      this.#received++;
      this.onmessage(data);
    };
    mine.onclose = ({ code, reason }) => {
      if (mine === this.#socket) this.#broken(code, reason);
    };
  }

  #greet({ token, resumed, received, window }) {
    this.#token = token;
    this.#window = window * 1000;
    this.#overAt = Infinity;
    this.#received = 0;
    this.#greeted = true;
    this.#failures = 0;
    this.onstate(true);
    if (resumed) {
      const missing = this.#kept.slice(Math.max(0, this.#kept.length - (this.#sent - received)));
      this.#sent = 0;
      this.#kept = [];
      missing.forEach((data) => this.send(data));
    } else {
      // What was sent belonged to a session that is over.
      this.#sent = 0;
      this.#kept = [];
      this.onsession();
    }
  }

  #broken(code, reason) {
    this.#greeted = false;
    if (this.#ended) return;
    // 1000 and 1005: it is over, 1008: it is not allowed, from 4000 on: the application says why. After all others it is worth a try.
    if (code === 1000 || code === 1005 || code === 1008 || code >= 4000) {
      this.#end();
      this.onclose(code, reason);
      return;
    }
    this.onstate(false);
    // The server may have noticed the break later.
    if (this.#overAt === Infinity) this.#overAt = Date.now() + 2 * this.#window;
    // A random half, so that after a break not everybody comes at once.
    const wait = Math.min(500 * 2 ** this.#failures++, 15000) * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(this.#back, wait);
  }
}
