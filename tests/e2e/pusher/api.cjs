// Calls of the HTTP API that npm's `pusher` signs, at the edges of what may be sent: prints a line for each part, and fails where the answer is
// not what it should be.
//
// usage: node api.cjs '{"server": "127.0.0.1:8080", "id": "1", "key": "key", "secret": "secret"}'
'use strict';

const assert = require('node:assert/strict');
const Api = require('pusher');

const site = JSON.parse(process.argv[2]);
const [host, port] = site.server.split(':');
const backend = new Api({ appId: site.id, key: site.key, secret: site.secret, host, port, useTLS: false });

/** The status that the library was answered with. */
async function status(call) {
	try {
		return (await call).status;
	} catch (error) {
		return error.status;
	}
}

/** The target of a call that the library has signed. */
function target(method, path, body, params = {}) {
	return `${path}?${backend.createSignedQueryString({ method, path, body, params })}`;
}

/** A call whose body the library would not send. */
async function raw(path, value, change = (text) => text) {
	const body = typeof value === 'string' ? value : JSON.stringify(value);
	const answer = await fetch(`http://${site.server}${change(target('POST', path, body))}`, { method: 'POST', body });
	return answer.status;
}

const events = `/apps/${site.id}/events`;
const batch = `/apps/${site.id}/batch_events`;
const event = { name: 'e', channel: 'a', data: 'd' };

const parts = {
	async 'the data of an event has 10 KiB'() {
		assert.equal(await status(backend.trigger('a', 'e', 'x'.repeat(10_240))), 200);
		assert.equal(await status(backend.trigger('a', 'e', 'x'.repeat(10_241))), 413);
		// Escapes do not count: each of these takes six bytes in the body.
		assert.equal(await status(backend.trigger('a', 'e', '\u0001'.repeat(10_240))), 200);
		assert.equal(await status(backend.trigger('a', 'e', '\u0001'.repeat(10_241))), 413);
		assert.equal(await status(backend.trigger('a', 'e', 'é'.repeat(5_121))), 413);
	},
	async 'an event has a hundred channels and names of 200 characters'() {
		const names = Array.from({ length: 101 }, (_, n) => `c-${n}`);
		assert.equal(await status(backend.trigger(names.slice(1), 'e', 'd')), 200);
		assert.equal(await raw(events, { name: 'e', data: 'd', channels: names }), 400);
		for (const [length, wanted] of [[164, 200], [165, 200], [200, 200], [201, 400]]) {
			assert.equal(await raw(events, { ...event, channel: 'c'.repeat(length) }), wanted, `a channel of ${length}`);
			assert.equal(await raw(events, { ...event, name: 'n'.repeat(length) }), wanted, `a name of ${length}`);
		}
	},
	async 'a batch has ten events and tells of each'() {
		const ten = Array.from({ length: 10 }, () => event);
		assert.equal(await status(backend.triggerBatch(ten)), 200);
		assert.equal(await status(backend.triggerBatch([...ten, event])), 400);
		const told = await backend.triggerBatch([event, { ...event, info: 'subscription_count' }]);
		assert.deepEqual(await told.json(), { batch: [{}, { subscription_count: 0 }] });
		for (const wrong of [null, {}, { ...event, data: {} }, { ...event, channels: ['a'] }, { ...event, channel: '' }]) {
			assert.equal(await raw(batch, { batch: [event, wrong] }), 400, JSON.stringify(wrong));
		}
	},
	async 'fields are what they must be'() {
		for (const wrong of [
			{ name: null }, { name: '' }, { name: 1 }, { name: 'pusher:e' }, { data: null }, { data: {} }, { channel: null }, { channel: 'a b' },
			{ channels: ['a'] }, { socket_id: 1.2 }, { socket_id: 'x' }, { info: 'all' }, { info: [] },
		]) {
			assert.equal(await raw(events, { ...event, ...wrong }), 400, JSON.stringify(wrong));
		}
		for (const wrong of ['', '{', 'null', '[]', '{"name":"e","name":"f","channel":"a","data":"d"}', '['.repeat(50_000)]) {
			assert.equal(await raw(events, wrong), 400, wrong.slice(0, 50));
		}
		for (const right of [{ socket_id: null }, { socket_id: '' }, { socket_id: '1.2' }, { info: null }, { channels: null }, { more: [1] }]) {
			assert.equal(await raw(events, { ...event, ...right }), 200, JSON.stringify(right));
		}
	},
	async 'a signature is for one call'() {
		const other = new Api({ appId: site.id, key: site.key, secret: 'another', host, port, useTLS: false });
		assert.equal(await status(other.trigger('a', 'e', 'd')), 401);
		const change = (from, to) => raw(events, event, (text) => text.replace(from, to));
		assert.equal(await change('auth_version=1.0&', ''), 401);
		assert.equal(await change('auth_version=1.0', 'auth_version=2.0'), 401);
		assert.equal(await change('auth_version=1.0', 'auth_version=1.0&auth_version=1.0'), 400);
		assert.equal(await change(/auth_signature=[0-9a-f]+/, (text) => `auth_signature=${text.slice(15).toUpperCase()}`), 401);
		assert.equal(await change('/events', '/batch_events'), 401);
		assert.equal(await change('/apps/', '//apps/'), 404);
	},
	async 'a call that is overheard can be sent again'() {
		const body = JSON.stringify(event);
		const overheard = target('POST', events, body);
		for (let n = 0; n < 2; n++) {
			assert.equal((await fetch(`http://${site.server}${overheard}`, { method: 'POST', body })).status, 200);
		}
		assert.equal((await fetch(`http://${site.server}${overheard}`, { method: 'POST', body: body.replace('"d"', '"x"') })).status, 401);
	},
};

(async () => {
	for (const [what, part] of Object.entries(parts)) {
		await part();
		console.log(what);
	}
})().catch((error) => {
	console.error(error);
	process.exit(1);
});
