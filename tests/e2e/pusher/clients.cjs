// Clients and a server library that others wrote, against the server: each prints what it has seen, and fails where that is not what it should be.
//
// usage: node clients.cjs '{"servers": ["127.0.0.1:8080", …], "id": "1", "key": "key", "secret": "secret"}'
'use strict';

const assert = require('node:assert/strict');
const Api = require('pusher');

const site = JSON.parse(process.argv[2]);
const patience = 60_000;

/** The application's server, which calls one of the servers. */
function api(server) {
	const [host, port] = server.split(':');
	return new Api({
		appId: site.id, key: site.key, secret: site.secret, host, port, useTLS: false,
		encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64'),
	});
}

const first = site.servers[0];
const last = site.servers[site.servers.length - 1];
const backend = api(first);

/** Waits for something that must happen. */
function within(what, promise) {
	let timer;
	const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`waited in vain: ${what}`)), patience); });
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What is emitted, in order. */
class Seen {
	constructor(emitter, ...events) {
		this.all = [];
		this.waiting = [];
		for (const event of events) {
			emitter.bind(event, (data, metadata) => {
				this.all.push({ event, data, metadata });
				this.waiting.splice(0).forEach((check) => check());
			});
		}
	}

	/** The next one, which must be this event. */
	async next(event) {
		while (this.all.length === 0) {
			await within(event, new Promise((done) => this.waiting.push(done)));
		}
		const found = this.all.shift();
		assert.equal(found.event, event);
		return found.data;
	}
}

/** How the application's server authorises a client of this user. */
function authorisation(user, watchlist) {
	const info = { name: `name of ${user}` };
	return {
		channelAuthorization: {
			customHandler: ({ socketId, channelName }, done) => done(null, backend.authorizeChannel(socketId, channelName, { user_id: user, user_info: info })),
		},
		userAuthentication: {
			customHandler: ({ socketId }, done) => done(null, backend.authenticateUser(socketId, { id: user, user_info: info, watchlist })),
		},
	};
}

function client(Pusher, server, user, watchlist) {
	const [wsHost, wsPort] = server.split(':');
	return new Pusher(site.key, {
		wsHost, wsPort: Number(wsPort), forceTLS: false, enabledTransports: ['ws'], disableStats: true, enableStats: false, cluster: 'mt1', nacl: require('tweetnacl'), ...authorisation(user, watchlist),
	});
}

function connected(pusher) {
	return within('a connection', new Promise((done) => {
		if (pusher.connection.state === 'connected') done();
		pusher.connection.bind('connected', done);
	}));
}

function subscribed(pusher, name) {
	const channel = pusher.subscribe(name);
	return within(`a subscription to ${name}`, new Promise((done, fail) => {
		channel.bind('pusher:subscription_succeeded', () => done(channel));
		channel.bind('pusher:subscription_error', (error) => fail(new Error(JSON.stringify(error))));
	}));
}

async function channels(Pusher, prefix) {
	const [ann, bob] = [client(Pusher, first, 'ann'), client(Pusher, last, 'bob')];
	await Promise.all([connected(ann), connected(bob)]);
	for (const name of [`${prefix}-public`, `private-${prefix}`, `private-encrypted-${prefix}`]) {
		const seen = [];
		for (const pusher of [ann, bob]) {
			seen.push(new Seen(await subscribed(pusher, name), 'event'));
		}
		// Between servers there is no order: each event is waited for.
		const [toAnn, toBob] = seen;
		await backend.trigger(name, 'event', { to: 'all' });
		assert.deepEqual([await toAnn.next('event'), await toBob.next('event')], [{ to: 'all' }, { to: 'all' }]);
		await api(last).trigger(name, 'event', { to: 'bob' }, { socket_id: ann.connection.socket_id });
		assert.deepEqual(await toBob.next('event'), { to: 'bob' });
		await backend.trigger(name, 'event', { to: 'all again' });
		assert.deepEqual([await toAnn.next('event'), await toBob.next('event')], [{ to: 'all again' }, { to: 'all again' }]);
	}
	const whisper = new Seen(bob.channel(`private-${prefix}`), 'client-typing');
	assert(ann.channel(`private-${prefix}`).trigger('client-typing', { who: 'ann' }));
	assert.deepEqual(await whisper.next('client-typing'), { who: 'ann' });
	const global = new Seen({ bind: (_, seen) => ann.bind_global((event, data) => event === 'batched' && seen(data)) }, 'batched');
	await backend.triggerBatch([1, 2].map((n) => ({ channel: `${prefix}-public`, name: 'batched', data: { n } })));
	assert.deepEqual([await global.next('batched'), await global.next('batched')], [{ n: 1 }, { n: 2 }]);
	ann.disconnect();
	bob.disconnect();
}

/** Waits until something is so. */
async function until(what, check) {
	for (const begun = Date.now(); !await check(); await new Promise((soon) => setTimeout(soon, 5))) {
		assert(Date.now() - begun < patience, `waited in vain: ${what}`);
	}
}

/** What a page may do one after the other, and whether it has subscribed in the end. */
const orders = [
	['subscribe', true],
	['subscribe subscribe', true],
	['subscribe wait subscribe', true],
	['subscribe unsubscribe', false],
	['subscribe wait unsubscribe', false],
	['subscribe wait unsubscribe unsubscribe', false],
	['subscribe unsubscribe unsubscribe', false],
	['subscribe unsubscribe subscribe', true],
	['subscribe unsubscribe wait subscribe', true],
	['subscribe wait unsubscribe subscribe', true],
];

async function subscriptions(Pusher, prefix) {
	const pusher = client(Pusher, last, 'ann');
	await connected(pusher);
	const behind = new Seen(await subscribed(pusher, `${prefix}-behind`), 'event');
	const came = [];
	pusher.connection.bind('message', ({ event, channel }) => event === 'event' && came.push(channel));
	for (const [n, [order, wanted]] of orders.entries()) {
		for (const kind of ['', 'private-', 'presence-', 'cache-', 'private-encrypted-']) {
			const name = `${kind}${prefix}-${n}`;
			const settled = () => until(`${order}: ${name}`, () => {
				const channel = pusher.channel(name);
				return !channel || (channel.subscribed && !channel.subscriptionPending);
			});
			for (const step of order.split(' ')) {
				await (step === 'wait' ? settled() : pusher[step](name));
			}
			await settled();
			assert.equal(pusher.channel(name)?.subscribed ?? false, wanted, `${order}: ${name}`);
			const occupied = async () => (await (await backend.get({ path: `/channels/${name}` })).json()).occupied;
			await until(`${order}: the server knows of ${name}`, async () => await occupied() === wanted);
			await backend.trigger(name, 'event', {});
			// What is sent behind it comes behind it.
			await backend.trigger(`${prefix}-behind`, 'event', {});
			await behind.next('event');
			assert.equal(came.filter((channel) => channel === name).length, wanted ? 1 : 0, `${order}: ${name}`);
			if (kind === 'presence-') {
				const { users } = await (await backend.get({ path: `/channels/${name}/users` })).json();
				assert.deepEqual(users.map((user) => user.id), wanted ? ['ann'] : []);
				assert.equal(pusher.channel(name)?.members.count ?? 0, wanted ? 1 : 0, `${order}: ${name}`);
			}
		}
	}
	for (const name of [`private-${prefix}-0`, `presence-${prefix}-0`]) {
		assert(pusher.channel(name).trigger('client-event', {}));
		pusher.connection.bind('message', ({ event }) => assert.notEqual(event, 'client-event', 'it hears itself'));
	}
	await backend.trigger(`${prefix}-behind`, 'event', {});
	await behind.next('event');
	pusher.disconnect();
}

async function presence(Pusher, prefix) {
	const name = `presence-${prefix}`;
	const [ann, bob, tab] = [client(Pusher, first, 'ann'), client(Pusher, last, 'bob'), client(Pusher, first, 'bob')];
	const room = await subscribed(ann, name);
	const seen = new Seen(room, 'pusher:member_added', 'pusher:member_removed', 'client-hello');
	assert.deepEqual([room.members.count, room.members.me, room.members.get('bob')], [1, { id: 'ann', info: { name: 'name of ann' } }, null]);
	const other = await subscribed(bob, name);
	assert.deepEqual([other.members.count, other.members.get('ann').info], [2, { name: 'name of ann' }]);
	assert.equal((await seen.next('pusher:member_added')).id, 'bob');
	assert.equal((await subscribed(tab, name)).members.count, 2);
	assert(other.trigger('client-hello', {}));
	await seen.next('client-hello');
	const users = await backend.get({ path: `/channels/${name}/users` });
	assert.deepEqual((await users.json()).users.map((user) => user.id).sort(), ['ann', 'bob']);
	bob.disconnect();
	tab.unsubscribe(name);
	assert.equal((await seen.next('pusher:member_removed')).id, 'bob');
	assert.deepEqual([room.members.count, room.members.get('bob'), room.members.me.id], [1, null, 'ann']);
	ann.disconnect();
	tab.disconnect();
}

async function cache(Pusher, prefix) {
	for (const name of [`cache-${prefix}`, `private-cache-${prefix}`, `private-encrypted-cache-${prefix}`]) {
		const [early, late] = [client(Pusher, first, 'ann'), client(Pusher, last, 'bob')];
		const channel = early.subscribe(name);
		await new Seen(channel, 'pusher:cache_miss').next('pusher:cache_miss');
		await backend.trigger(name, 'event', { n: 1 });
		await backend.trigger(name, 'event', { n: 2 });
		assert.deepEqual(await new Seen(late.subscribe(name), 'event').next('event'), { n: 2 });
		early.disconnect();
		late.disconnect();
	}
}

async function users(Pusher, prefix) {
	const [ann, user] = [client(Pusher, last, prefix), prefix];
	ann.signin();
	await connected(ann);
	await within('a sign-in', ann.user.signinDonePromise ?? Promise.resolve());
	const seen = new Seen({ bind: (event, done) => ann.user.bind(event, done) }, 'event');
	const other = client(Pusher, first, 'other');
	await connected(other);
	for (let told = false; !told;) {
		const answer = await (await backend.get({ path: '/channels' })).json();
		told = `#server-to-user-${user}` in answer.channels;
	}
	await backend.sendToUser(user, 'event', { n: 1 });
	assert.deepEqual(await seen.next('event'), { n: 1 });
	const ended = new Seen(ann.connection, 'error');
	await backend.terminateUserConnections(user);
	assert.equal((await ended.next('error')).data.code, 4009);
	other.disconnect();
	ann.disconnect();
}

/** A page that is told who of a watchlist comes and goes. */
function watching(Pusher, server, user, others) {
	const pusher = client(Pusher, server, user, others);
	const seen = new Seen(pusher.user.watchlist, 'online', 'offline');
	pusher.signin();
	return { pusher, seen };
}

async function watchlist(Pusher, prefix) {
	const [ann, bob, cid] = ['ann', 'bob', 'cid'].map((name) => `${prefix}-${name}`);
	const here = watching(Pusher, first, ann, [bob, cid]);
	assert.deepEqual((await here.seen.next('offline')).user_ids, [bob, cid]);
	const tabs = [first, last].map((server) => watching(Pusher, server, bob, [ann]));
	assert.deepEqual((await here.seen.next('online')).user_ids, [bob]);
	for (const { seen } of tabs) {
		assert.deepEqual((await seen.next('online')).user_ids, [ann]);
	}
	const there = watching(Pusher, last, cid, [bob, `${prefix}-nobody`, ann]);
	assert.deepEqual((await there.seen.next('online')).user_ids, [bob, ann]);
	assert.deepEqual((await there.seen.next('offline')).user_ids, [`${prefix}-nobody`]);
	assert.deepEqual((await here.seen.next('online')).user_ids, [cid]);
	tabs[0].pusher.disconnect();
	there.pusher.disconnect();
	// The first tab has gone before: were its user offline by that, it would be told now.
	assert.deepEqual((await here.seen.next('offline')).user_ids, [cid]);
	tabs[1].pusher.disconnect();
	assert.deepEqual((await here.seen.next('offline')).user_ids, [bob]);
	here.pusher.disconnect();
	assert.deepEqual(here.seen.all, []);
}

async function refused(Pusher) {
	const [wsHost, wsPort] = first.split(':');
	const nobody = new Pusher('nobody', { wsHost, wsPort: Number(wsPort), forceTLS: false, enabledTransports: ['ws'], cluster: 'mt1' });
	const error = await new Seen(nobody.connection, 'error').next('error');
	assert.equal(error.error.data.code, 4001);
	nobody.disconnect();
	const ann = new Pusher(site.key, {
		wsHost, wsPort: Number(wsPort), forceTLS: false, enabledTransports: ['ws'], cluster: 'mt1',
		channelAuthorization: { customHandler: (_, done) => done(null, { auth: `${site.key}:00` }) },
	});
	const wrong = await new Seen(ann.subscribe('private-wrong'), 'pusher:subscription_error').next('pusher:subscription_error');
	assert.equal(wrong.status, 401);
	ann.disconnect();
	const forged = new Api({ appId: site.id, key: site.key, secret: 'wrong', host: wsHost, port: wsPort, useTLS: false });
	await assert.rejects(forged.trigger('news', 'event', {}), (why) => why.status === 401);
	await assert.rejects(backend.trigger('news', 'event', 'x'.repeat(10_241)), (why) => why.status === 413);
}

async function echo(Echo, Pusher, prefix) {
	const of = (server, user) => new Echo({ broadcaster: 'pusher', client: client(Pusher, server, user) });
	const [ann, bob] = [of(first, 'ann'), of(last, 'bob')];
	await Promise.all([connected(ann.connector.pusher), connected(bob.connector.pusher)]);
	assert.equal(ann.socketId(), ann.connector.pusher.connection.socket_id);
	const heard = [];
	await within('joining', new Promise((done) => ann.join(prefix).here((there) => done(heard.push(['here', there])))));
	const joining = within('joining', new Promise((done) => ann.join(prefix).joining((who) => done(who))));
	const leaving = within('leaving', new Promise((done) => ann.join(prefix).leaving((who) => done(who))));
	const whispered = within('a whisper', new Promise((done) => ann.join(prefix).listenForWhisper('typing', done)));
	const told = within('an event', new Promise((done) => ann.join(prefix).listen('.moved', done)));
	const here = await within('joining', new Promise((done) => bob.join(prefix).here(done)));
	assert.equal(here.length, 2);
	assert.deepEqual(await joining, { name: 'name of bob' });
	bob.join(prefix).whisper('typing', { n: 1 });
	assert.deepEqual(await whispered, { n: 1 });
	await backend.trigger(`presence-${prefix}`, 'moved', { n: 2 });
	assert.deepEqual(await told, { n: 2 });
	bob.leave(prefix);
	assert.deepEqual(await leaving, { name: 'name of bob' });
	ann.disconnect();
	bob.disconnect();
}

async function main() {
	for (const version of [8, 7]) {
		const module = require(`pusher-js-${version}`);
		const Pusher = module.Pusher ?? module.default ?? module;
		for (const [name, part] of Object.entries({ channels, subscriptions, presence, cache, users, ...(Pusher.prototype.signin ? { watchlist } : {}) })) {
			await part(Pusher, `${name}-${version}-${process.pid}`);
			console.log(`pusher-js ${version}: ${name}`);
		}
		await refused(Pusher);
		console.log(`pusher-js ${version}: refused`);
		for (const own of [2, 1]) {
			const { default: found } = await import(`laravel-echo-${own}`);
			await echo(found.default ?? found, Pusher, `echo-${own}-${version}-${process.pid}`);
			console.log(`laravel-echo ${own} with pusher-js ${version}`);
		}
	}
}

main().then(() => process.exit(0), (error) => {
	console.error(error);
	process.exit(1);
});
