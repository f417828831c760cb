// The server library of npm takes webhooks, and tells which of them are not what was sent.
//
// usage: node webhooks.cjs '{"key": "key", "secret": "secret", "hooks": [{"key": …, "signature": …, "body": …}, …]}'
'use strict';

const assert = require('node:assert/strict');
const Api = require('pusher');

const site = JSON.parse(process.argv[2]);
const backend = new Api({ appId: '1', key: site.key, secret: site.secret, host: '127.0.0.1' });

function webhook({ key, signature, body }) {
	return backend.webhook({
		headers: { 'x-pusher-key': key, 'x-pusher-signature': signature, 'content-type': 'application/json' },
		rawBody: body,
	});
}

for (const hook of site.hooks) {
	const found = webhook(hook);
	assert.equal(found.isValid(), true, hook.body);
	assert(Math.abs(Date.now() - found.getTime()) < 3600_000, hook.body);
	for (const wrong of [{ ...hook, body: `${hook.body} ` }, { ...hook, key: 'another' }, { ...hook, signature: '0'.repeat(64) }]) {
		assert.equal(webhook(wrong).isValid(), false);
	}
	found.getEvents().forEach((event) => console.log(JSON.stringify(event)));
}
