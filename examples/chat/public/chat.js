'use strict';

const $ = (id) => document.getElementById(id);

/** Kept for the tab: the nickname, and a secret by which the server knows this tab again after a cut. */
const own = {
  name: sessionStorage.getItem('name') ?? '',
  key: sessionStorage.getItem('key') ?? newKey(),
  id: '',
};
sessionStorage.setItem('key', own.key);

/** The connection, which comes back by itself; null before joining. */
let socket = null;
/** id => name of everyone here. */
let people = new Map();
/** What was said about joining and leaving before the welcome came; null afterwards. */
let early = null;
/** The id of the only one to read the next message; '' for everyone. */
let addressee = '';

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function connect() {
  const mine = socket = new ResumingSocket('chat');
  mine.onsession = () => {
    early = [];
    tell({ type: 'hello', name: own.name, key: own.key });
  };
  mine.onstate = (yes) => online(yes);
  mine.onmessage = (data) => {
    if (mine === socket) receive(JSON.parse(data));
  };
  mine.onclose = (code) => {
    if (mine === socket) toDoor(code === 4000 ? 'You have joined from another window.' : 'The chat has closed the connection.');
  };
}

function tell(message) {
  socket.send(JSON.stringify(message));
}

function toDoor(reason) {
  const closing = socket;
  socket = null;
  closing?.close();
  sessionStorage.removeItem('name');
  $('room').hidden = true;
  $('door').hidden = false;
  $('enter').disabled = false;
  $('refusal').textContent = reason;
  $('nickname').select();
}

function receive(message) {
  if (early !== null && (message.type === 'joined' || message.type === 'left')) {
    early.push(message);
    return;
  }
  switch (message.type) {
    case 'welcome': return welcome(message);
    case 'refused': return toDoor(message.reason);
    case 'joined': return joined(message);
    case 'left': return left(message);
    case 'said': return showMessage(message);
    case 'whispered': return showMessage(message);
    case 'announced': return showAnnouncement(message);
    case 'error': return showEvent(message.reason);
  }
}

function welcome({ id, name, people: list }) {
  const again = own.id !== '';
  own.id = id;
  own.name = name;
  sessionStorage.setItem('name', name);
  people = new Map(list.map((person) => [person.id, person.name]));
  for (const message of early) {
    if (message.type === 'joined') people.set(message.id, message.name);
    else people.delete(message.id);
  }
  early = null;
  showPeople();
  online(true);
  $('door').hidden = true;
  $('refusal').textContent = '';
  $('room').hidden = false;
  showEvent(again ? 'You are connected again.' : `Welcome, ${name}.`);
  $('text').focus();
}

function joined({ id, name }) {
  if (people.has(id)) return;
  // Someone who reconnects comes in before their old connection has been seen to leave.
  const known = [...people.values()].includes(name);
  people.set(id, name);
  showPeople();
  if (!known) showEvent(`${name} has joined.`);
}

function left({ id }) {
  const name = people.get(id);
  if (name === undefined) return;
  people.delete(id);
  showPeople();
  if (![...people.values()].includes(name)) showEvent(`${name} has left.`);
}

function online(yes) {
  $('status').dataset.state = yes ? 'online' : 'offline';
  $('status').textContent = yes ? own.name : 'Reconnecting…';
  $('send').disabled = !yes;
  if (!$('door').hidden) $('refusal').textContent = yes ? '' : 'The chat cannot be reached. Trying again…';
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function avatar(name) {
  const node = element('span', 'avatar', [...name][0].toUpperCase());
  node.setAttribute('aria-hidden', 'true');
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  node.style.setProperty('--hue', hue);
  return node;
}

function showPeople() {
  // While someone reconnects, one nickname may stand for two connections: the newer is the live one.
  const byName = new Map([...people].map(([id, name]) => [name, id]));
  // An addressee who reconnects has a new id. One who has left stays chosen: nothing meant for one goes to everyone.
  addressee = byName.get($('to').textContent) ?? addressee;
  const collator = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });
  const items = [...byName].sort(([a], [b]) => collator.compare(a, b)).map(([name, id]) => {
    const mine = id === own.id;
    const person = element(mine ? 'div' : 'button', 'person');
    person.append(avatar(name), element('span', '', mine ? `${name} (you)` : name));
    if (!mine) {
      person.type = 'button';
      person.title = `Write to ${name} alone`;
      person.dataset.id = id;
      person.setAttribute('aria-pressed', String(id === addressee));
      person.onclick = () => {
        address(id === addressee ? '' : id);
        toggleSide(false);
        $('text').focus();
      };
    }
    const item = element('li');
    item.append(person);
    return item;
  });
  $('people').replaceChildren(...items);
  $('count').textContent = String(items.length);
}

function address(id) {
  addressee = id;
  $('addressee').hidden = id === '';
  $('to').textContent = people.get(id) ?? '';
  for (const person of $('people').querySelectorAll('button')) {
    person.setAttribute('aria-pressed', String(person.dataset.id === id));
  }
}

function toggleSide(open) {
  $('side').classList.toggle('open', open);
  $('who').setAttribute('aria-expanded', String(open));
}

function show(node) {
  const log = $('log');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(node);
  while (log.childElementCount > 500) log.firstElementChild.remove();
  if (atEnd || node.classList.contains('mine')) log.scrollTop = log.scrollHeight;
}

function showEvent(text) {
  show(element('li', 'event', text));
}

function showAnnouncement({ text, at }) {
  const node = element('li', 'announcement');
  node.append(element('strong', '', 'Announcement'), text, ' ', time(at));
  show(node);
}

function showMessage({ type, id, name, to, toName, text, at }) {
  const mine = id === own.id || name === own.name;
  const whisper = type === 'whispered';
  const node = element('li', ['message', mine && 'mine', whisper && 'whisper'].filter(Boolean).join(' '));
  node.dataset.thread = `${name}\n${whisper ? toName : ''}`;
  const last = $('log').lastElementChild;
  if (last?.dataset.thread === node.dataset.thread) node.classList.add('follows');
  const head = element('p', 'head');
  head.append(element('strong', '', name));
  if (whisper) head.append(element('span', 'note', mine ? `only to ${to === own.id ? 'yourself' : toName}` : 'only to you'));
  head.append(time(at));
  const content = element('div');
  content.append(head, element('p', 'body', text));
  node.append(avatar(name), content);
  if (node.classList.contains('follows')) node.firstElementChild.replaceWith(element('span'));
  show(node);
}

function time(at) {
  const moment = new Date(at);
  const node = element('time', '', moment.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' }));
  node.dateTime = moment.toISOString();
  return node;
}

$('join').onsubmit = (event) => {
  event.preventDefault();
  own.name = $('nickname').value.trim();
  own.id = '';
  $('enter').disabled = true;
  $('refusal').textContent = '';
  connect();
};

$('composer').onsubmit = (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text === '' || $('send').disabled) return;
  if (addressee !== '' && !people.has(addressee)) {
    showEvent(`${$('to').textContent} has left. Choose another person, or write to everyone.`);
    return;
  }
  tell(addressee === '' ? { type: 'say', text } : { type: 'whisper', to: addressee, text });
  $('text').value = '';
  $('text').focus();
};

$('text').onkeydown = (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $('composer').requestSubmit();
  } else if (event.key === 'Escape') {
    address('');
  }
};

$('everyone').onclick = () => {
  address('');
  $('text').focus();
};

$('who').onclick = () => toggleSide(!$('side').classList.contains('open'));

$('nickname').value = own.name;
if (own.name !== '') $('join').requestSubmit();
