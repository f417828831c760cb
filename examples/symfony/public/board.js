'use strict'

const { me, key } = document.body.dataset
const element = (selector) => document.querySelector(selector)

// The board: plain WebSockets, to the handler src/Board.php.
let socket
const connect = () => {
  socket = new WebSocket(location.origin.replace('http', 'ws') + '/board')
  // The server sends what it has kept, anew for each connection.
  socket.onopen = () => element('#notes').replaceChildren()
  socket.onclose = () => setTimeout(connect, 1000 + Math.random() * 1000)
  socket.onmessage = ({ data }) => {
    const { here, by, note, error } = JSON.parse(data)
    if (here) element('#here').textContent = here.join(', ') || 'nobody'
    if (note || error) element('#notes').append(Object.assign(document.createElement('li'), { textContent: error ?? `${by}: ${note}` }))
  }
}
connect()
element('#write').onsubmit = (event) => {
  event.preventDefault()
  socket.send(event.target.note.value)
  event.target.reset()
}

// The bell: a private channel of the Pusher protocol, on the site's own port.
const port = Number(location.port) || (location.protocol === 'https:' ? 443 : 80)
const pusher = new Pusher(key, {
  cluster: '', wsHost: location.hostname, wsPort: port, wssPort: port, forceTLS: location.protocol === 'https:', enabledTransports: ['ws', 'wss'],
  channelAuthorization: { endpoint: '/_websocket/auth' },
})
pusher.subscribe(`private-user.${me}`).bind('rung', ({ by }) => { element('#rung').textContent = `${by} has rung at ${new Date().toLocaleTimeString()}` })
for (const button of document.querySelectorAll('.ring')) {
  button.onclick = () => fetch(`/ring/${button.dataset.name}`, { method: 'POST' })
}
