// Writes what npm's `pusher` signs, as JSON. In an empty folder:
//
//	npm install pusher@5.3.4 && NODE_PATH=node_modules node …/crates/pusher/tests/testdata/sign.js > …/signatures.json
const Pusher = require('pusher');

const now = 1700000000;
Date.now = () => now * 1000;

const key = '278d425bdf160c739803', secret = '7ad3773142a6692b25b8';
const pusher = new Pusher({ appId: '3', key, secret, encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64') });

const channel = (socketId, name, data) => ({ socketId, name, ...pusher.authorizeChannel(socketId, name, data) });
const user = (socketId, data) => ({ socketId, ...pusher.authenticateUser(socketId, data) });
const call = (method, path, params, body) => ({
	method,
	path,
	query: pusher.createSignedQueryString({ method, path, params, body }),
	body: body ?? '',
});

const event = (fields) => JSON.stringify({ name: 'my-event', data: JSON.stringify({ hello: 'wörld' }), ...fields });
const webhookBody = '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"test_channel"}]}';

console.log(JSON.stringify({
	key,
	secret,
	now,
	channels: [
		channel('1234.1234', 'private-foobar'),
		channel('1234.1234', 'presence-foobar', { user_id: '10', user_info: { name: 'Mr. Pusher' } }),
		channel('1.2', 'presence-cache-u', { user_id: 7, user_info: { name: 'É "x"\n' } }),
		channel('0.18446744073709551615', 'private-cache-a_b-c=d@e,f.g;h'),
		channel('1234.1234', 'private-encrypted-x'),
		channel('1234.1234', 'private-encrypted-cache-x'),
	],
	users: [
		user('1234.1234', { id: '12345' }),
		user('1.2', { id: 'é', user_info: { name: 'É' }, watchlist: ['a', 'b'] }),
	],
	calls: [
		call('POST', '/apps/3/events', {}, event({ channels: ['test_channel'] })),
		call('POST', '/apps/3/events', {}, event({ channels: ['a', 'presence-b'], socket_id: '1.2', info: 'subscription_count,user_count' })),
		call('POST', '/apps/3/batch_events', {}, JSON.stringify({ batch: [{ channel: 'a', name: 'e', data: '1' }, { channel: 'b', name: 'f', data: '2', socket_id: '1.2' }] })),
		call('POST', '/apps/3/users/12345/terminate_connections', {}, '{}'),
		call('GET', '/apps/3/channels', {}),
		call('GET', '/apps/3/channels', { filter_by_prefix: 'presence-', info: 'user_count' }),
		call('GET', '/apps/3/channels/presence-foobar', { info: 'user_count,subscription_count' }),
		call('GET', '/apps/3/channels/presence-foobar/users', {}),
		call('GET', '/apps/3/channels/a=b@c,d.e;f', {}),
	],
	webhook: { body: webhookBody, signature: pusher.config.token.sign(webhookBody) },
}, null, '\t'));
