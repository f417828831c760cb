'use strict'

const { room, user, name, key } = document.body.dataset
const port = Number(location.port) || (location.protocol === 'https:' ? 443 : 80)

// As for Reverb: the site itself is the server, on its own port.
// Echo 2 as a plain script has its class within. A page that is built has `import Echo from 'laravel-echo'`.
const echo = new (Echo.default ?? Echo)({
  broadcaster: 'reverb',
  key,
  wsHost: location.hostname,
  wsPort: port,
  wssPort: port,
  forceTLS: location.protocol === 'https:',
  enabledTransports: ['ws', 'wss'],
  auth: { headers: { 'X-CSRF-TOKEN': document.querySelector('meta[name=csrf-token]').content } },
})
echo.connector.pusher.connection.bind('state_change', ({ current }) => { document.querySelector('#state').textContent = current })

const post = (path, fields = {}) => fetch(path, {
  method: 'POST',
  headers: {
    'Content-Type': 'application/json',
    Accept: 'application/json',
    'X-CSRF-TOKEN': document.querySelector('meta[name=csrf-token]').content,
    'X-Socket-ID': echo.socketId() ?? '',
  },
  body: JSON.stringify(fields),
})

const show = (from, text, kind = '') => {
  const line = document.createElement('li')
  line.className = kind
  line.append(Object.assign(document.createElement('b'), { textContent: from }), ' ' + text)
  document.querySelector('#messages').append(line)
}

const members = new Map()
const showMembers = () => {
  document.querySelector('#members').replaceChildren(...[...members].map(([id, member]) => {
    const line = Object.assign(document.createElement('li'), { textContent: member.name + ' ' })
    if (id !== user) {
      line.append(Object.assign(document.createElement('button'), { textContent: 'poke', onclick: () => post(`/users/${id}/poke`) }))
    }
    return line
  }))
}

// pusher-js knows members by their ids, and Echo passes on only what is told of them.
const presence = echo.join(`room.${room}`)
const channel = presence.subscription
channel.bind('pusher:subscription_succeeded', () => { members.clear(); channel.members.each(({ id, info }) => members.set(id, info)); showMembers() })
channel.bind('pusher:member_added', ({ id, info }) => { members.set(id, info); showMembers() })
channel.bind('pusher:member_removed', ({ id }) => { members.delete(id); showMembers() })

presence.listen('MessageSent', ({ from, text }) => show(from, text))
presence.listenForWhisper('typing', ({ name }) => {
  const typing = document.querySelector('#typing')
  typing.textContent = `${name} is typing …`
  clearTimeout(typing.timer)
  typing.timer = setTimeout(() => { typing.textContent = '' }, 2000)
})
echo.private(`App.Models.User.${user}`).notification(({ by }) => show(by, 'has poked you', 'poke'))

document.querySelector('#say').addEventListener('submit', async (event) => {
  event.preventDefault()
  const text = event.target.text.value
  event.target.reset()
  const answer = await post(`/rooms/${room}/messages`, { text })
  answer.ok ? show(name, text) : show('Error', `not sent: ${answer.status}`, 'poke')
})
let whispered = 0
document.querySelector('#say').addEventListener('input', () => {
  if (Date.now() - whispered > 1000) {
    whispered = Date.now()
    presence.whisper('typing', { name })
  }
})

// A WebSocket of the application itself, beside Echo: app/Listeners/CountClients.php.
const count = () => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws')
  socket.onmessage = ({ data }) => { document.querySelector('#windows').textContent = `${JSON.parse(data).windows} windows` }
  socket.onclose = () => setTimeout(count, 1000 + Math.random() * 1000)
}
count()
