// Members of a presence channel, who come and go as the test says on standard input. Each line there is {"join": NAME, "user": USER, "server": ADDRESS} or
// {"leave": NAME}. Each line of standard output says whom a client is told of: {"client": NAME, "told": "here"|"+USER"|"-USER", "members": […]}.
//
// usage: node presence.cjs '{"id": "1", "key": "key", "secret": "secret"}'
'use strict';

const Api = require('pusher');
const Pusher = require('pusher-js-8');

const site = JSON.parse(process.argv[2]);
const backend = new Api({ appId: site.id, key: site.key, secret: site.secret, host: 'unused' });
const clients = new Map();

function join({ join: name, user, server }) {
	const [wsHost, wsPort] = server.split(':');
	const client = new Pusher(site.key, {
		wsHost, wsPort: Number(wsPort), forceTLS: false, enabledTransports: ['ws'], enableStats: false, cluster: 'mt1',
		channelAuthorization: {
			customHandler: ({ socketId, channelName }, done) => done(null, backend.authorizeChannel(socketId, channelName, { user_id: user })),
		},
	});
	clients.set(name, client);
	const channel = client.subscribe('presence-room');
	const tell = (told) => {
		const members = [];
		channel.members.each(({ id }) => members.push(id));
		console.log(JSON.stringify({ client: name, told, members: members.sort() }));
	};
	channel.bind('pusher:subscription_succeeded', () => tell('here'));
	channel.bind('pusher:subscription_error', (error) => tell(`error ${error.status}`));
	channel.bind('pusher:member_added', ({ id }) => tell(`+${id}`));
	channel.bind('pusher:member_removed', ({ id }) => tell(`-${id}`));
}

require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
	const wish = JSON.parse(line);
	if (wish.join) {
		join(wish);
	} else {
		clients.get(wish.leave).disconnect();
		clients.delete(wish.leave);
	}
}).on('close', () => process.exit());
