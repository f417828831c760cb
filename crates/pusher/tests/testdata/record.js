// Gives the messages of frames.json to npm's `pusher-js`, and writes what it sent and what it told its application, as JSON. In an empty
// folder:
//
//	npm install pusher-js@8.6.0 pusher@5.3.4 ws && NODE_PATH=node_modules node …/crates/pusher/tests/testdata/record.js > …/recorded.json
const { WebSocketServer } = require('ws');
const Client = require('pusher-js');
const Server = require('pusher');
const frames = require('./frames.json');

const signer = new Server({ appId: '1', key: 'key', secret: 'secret' });
const recorded = { url: '', sent: [], told: [], closes: {} };
const users = { 'presence-room': { user_id: '7', user_info: { name: 'Ada' } } };

const options = (port) => ({
	cluster: '', wsHost: 'localhost', wsPort: port, forceTLS: false, enableStats: false, enabledTransports: ['ws'],
	channelAuthorization: {
		customHandler: ({ socketId, channelName }, done) => {
			const auth = signer.authorizeChannel(socketId, channelName, users[channelName]);
			done(null, channelName === 'private-denied' ? { auth: 'key:0' } : auth);
		},
	},
	userAuthentication: {
		customHandler: ({ socketId }, done) => done(null, signer.authenticateUser(socketId, { id: '7', watchlist: ['8'] })),
	},
});

const listen = (onConnection) => new Promise((resolve) => {
	const server = new WebSocketServer({ port: 0 }, () => resolve(server)).on('connection', onConnection);
});
const until = async (condition) => {
	while (!condition()) {
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
};

// A whole conversation, one step after the other.
async function talk() {
	const server = await listen((socket, request) => {
		recorded.url = request.url;
		frames.open.forEach((frame) => socket.send(frame));
		socket.on('message', (bytes) => {
			const message = JSON.parse(bytes);
			recorded.sent.push(bytes.toString());
			const answers = frames[message.data.channel] ?? frames[message.event.replace('pusher:', '')] ?? [];
			if (message.event !== 'pusher:unsubscribe') {
				answers.forEach((frame) => socket.send(frame));
			}
		});
	});
	const client = new Client('key', { ...options(server.address().port), activityTimeout: 300 });
	const told = (...what) => recorded.told.push(what);
	const told_by = (count) => until(() => recorded.told.length >= count);
	const sent = (event) => until(() => recorded.sent.some((text) => JSON.parse(text).event === event));
	client.connection.bind('connected', (data) => told('connection connected', data));
	client.connection.bind('error', (error) => told('connection error', error.data));
	client.user.watchlist.bind_global((name, data) => told(`user watchlist ${name}`, data));
	client.user.bind_global((name, data) => told(`user ${name}`, data));
	client.signin();
	await told_by(4);
	let expected = 4;
	const counts = { news: 3, 'cache-news': 2, 'private-room': 3, 'private-denied': 1, 'presence-room': 5 };
	for (const [name, count] of Object.entries(counts)) {
		client.subscribe(name).bind_global((event, data) => {
			told(`${name} ${event}`, JSON.parse(JSON.stringify(data ?? null)));
		}).bind('client-typing', (_, { user_id }) => told(`${name} client-typing from`, user_id ?? null));
		await told_by(expected += count);
	}
	client.channel('private-room').trigger('client-typing', { a: [1, 'é'] });
	await told_by(expected += 2);
	await sent('pusher:pong');
	client.unsubscribe('news');
	await sent('pusher:unsubscribe');
	await sent('pusher:ping');
	client.disconnect();
	server.close();
}

// What becomes of a connection that is closed with a code.
async function close(code) {
	let connections = 0;
	const server = await listen((socket) => {
		connections += 1;
		frames.open.forEach((frame) => socket.send(frame));
		socket.close(code, 'why');
	});
	const client = new Client('key', options(server.address().port));
	const reaction = await new Promise((resolve) => {
		client.connection.bind('connected', () => {
			for (const action of ['tls_only', 'refused', 'backoff', 'retry']) {
				client.connection.connection.bind(action, () => resolve(action));
			}
		});
	});
	recorded.closes[code] = reaction;
	client.disconnect();
	server.close();
}

(async () => {
	await talk();
	for (const code of [4000, 4001, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4100, 4200, 4201, 4202]) {
		await close(code);
	}
	console.log(JSON.stringify(recorded, null, '\t'));
	process.exit(0);
})();
