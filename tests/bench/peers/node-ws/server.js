// A server of the Pusher protocol on Node's ws, in one process as Reverb and Soketi are: public and private channels, client pings, and of the HTTP API what
// is measured. It is as fast as ws allows: the frame of an event is made once for all subscribers, and nothing is compressed.
//
// usage: node --expose-gc server.js PORT
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');
const { Sender, WebSocketServer } = require('ws');

const app = { id: '1', key: 'bench-key', secret: 'bench-secret' };
const channels = new Map();

const hmac = (text) => crypto.createHmac('sha256', app.secret).update(text).digest('hex');

function same(one, other) {
	const [a, b] = [Buffer.from(one), Buffer.from(String(other))];
	return a.length === b.length && crypto.timingSafeEqual(a, b);
}

function frame(text) {
	return Buffer.concat(Sender.frame(Buffer.from(text), { fin: true, opcode: 1, mask: false, rsv1: false, readOnly: true }));
}

function publish({ name, channel, channels: several, data, socket_id: except }) {
	for (const to of several ?? [channel]) {
		const told = frame(JSON.stringify({ event: name, channel: to, data }));
		for (const socket of channels.get(to) ?? []) {
			if (socket.id !== except) socket._socket.write(told);
		}
	}
}

function leave(socket, name) {
	const members = channels.get(name);
	members?.delete(socket);
	if (members?.size === 0) channels.delete(name);
	socket.subscribed.delete(name);
}

function subscribe(socket, { channel, auth }) {
	if (channel.startsWith('private-') && !same(`${app.key}:${hmac(`${socket.id}:${channel}`)}`, auth)) {
		return socket.send(JSON.stringify({ event: 'pusher:subscription_error', channel, data: { type: 'AuthError', status: 401 } }));
	}
	if (!channels.has(channel)) channels.set(channel, new Set());
	channels.get(channel).add(socket);
	socket.subscribed.add(channel);
	socket.send(JSON.stringify({ event: 'pusher_internal:subscription_succeeded', channel, data: '{}' }));
}

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
sockets.on('connection', (socket) => {
	socket.id = `${crypto.randomInt(2 ** 40)}.${crypto.randomInt(2 ** 40)}`;
	socket.subscribed = new Set();
	socket.send(JSON.stringify({ event: 'pusher:connection_established', data: JSON.stringify({ socket_id: socket.id, activity_timeout: 120 }) }));
	socket.on('message', (bytes) => {
		const { event, data } = JSON.parse(bytes);
		if (event === 'pusher:subscribe') subscribe(socket, data);
		else if (event === 'pusher:unsubscribe') leave(socket, data.channel);
		else if (event === 'pusher:ping') socket.send('{"event":"pusher:pong","data":{}}');
	});
	socket.on('close', () => socket.subscribed.forEach((name) => leave(socket, name)));
	socket.on('error', () => socket.terminate());
});

/** Whether a call is signed as Pusher's are. */
function isSigned(method, { pathname, searchParams }, body) {
	const signature = searchParams.get('auth_signature');
	searchParams.delete('auth_signature');
	const query = [...searchParams].map(([name, value]) => `${name.toLowerCase()}=${value}`).sort().join('&');
	const fresh = Math.abs(Date.now() / 1000 - Number(searchParams.get('auth_timestamp'))) <= 600;
	const whole = body === '' || searchParams.get('body_md5') === crypto.createHash('md5').update(body).digest('hex');
	return fresh && whole && searchParams.get('auth_key') === app.key && same(hmac(`${method}\n${pathname}\n${query}`), signature);
}

function call(method, url, body) {
	if (url.pathname === '/gc') {
		globalThis.gc();
		return [200, '{}'];
	}
	if (!isSigned(method, url, body)) return [401, '{}'];
	if (method === 'POST' && url.pathname === `/apps/${app.id}/events`) {
		publish(JSON.parse(body));
		return [200, '{}'];
	}
	const [, name] = url.pathname.match(/^\/apps\/1\/channels\/([^/]+)$/) ?? [];
	const count = channels.get(name)?.size ?? 0;
	return name === undefined ? [404, '{}'] : [200, JSON.stringify({ occupied: count > 0, subscription_count: count })];
}

const server = http.createServer((request, response) => {
	const pieces = [];
	request.on('data', (piece) => pieces.push(piece));
	request.on('end', () => {
		const [status, answer] = call(request.method, new URL(request.url, 'http://h'), Buffer.concat(pieces).toString());
		response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(answer) }).end(answer);
	});
});
server.keepAliveTimeout = 600_000;
server.on('upgrade', (request, socket, head) => {
	if (!request.url.startsWith(`/app/${app.key}`)) return socket.destroy();
	sockets.handleUpgrade(request, socket, head, (upgraded) => sockets.emit('connection', upgraded));
});
server.listen(Number(process.argv[2]), '127.0.0.1', 4096);
