'use strict';

const $ = (id) => document.getElementById(id);

/** Kept for the tab: the nickname, and a secret by which the server knows this tab again after a cut. */
const own = {
  name: sessionStorage.getItem('name') ?? '',
  key: sessionStorage.getItem('key') ?? newKey(),
};
sessionStorage.setItem('key', own.key);

/** The connection, which comes back by itself; null before joining. */
let socket = null;
/** The nicknames of everyone here. */
let people = new Set();
/** What was said about joining and leaving before the welcome came; null afterwards. */
let early = null;
/** The only one to read the next message; '' for everyone. */
let addressee = '';
/** Ids of what was said to everyone and is shown: a new session begins with what was said before. */
const shown = new Set();

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
  if (shown.has(message.id)) return;
  if (message.id) shown.add(message.id);
  switch (message.type) {
    case 'server': return showServer(message);
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

function welcome({ name, people: list }) {
  const again = !$('room').hidden;
  own.name = name;
  sessionStorage.setItem('name', name);
  people = new Set(list);
  for (const message of early) {
    if (message.type === 'joined') people.add(message.name);
    else people.delete(message.name);
  }
  early = null;
  showPeople();
  online(true);
  $('door').hidden = true;
  $('refusal').textContent = '';
  $('room').hidden = false;
  showEvent(again ? 'You are connected again.' : `Welcome, ${name}.`);
  $('log').scrollTop = $('log').scrollHeight;
  $('text').focus();
}

function joined({ name }) {
  if (people.has(name)) return;
  people.add(name);
  showPeople();
  showEvent(`${name} has joined.`);
}

function left({ name }) {
  if (!people.delete(name)) return;
  showPeople();
  showEvent(`${name} has left.`);
}

function showServer({ name }) {
  $('server').textContent = `on server ${name}`;
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
  const items = [...people].sort(new Intl.Collator(undefined, { sensitivity: 'base', numeric: true }).compare).map((name) => {
    const mine = name === own.name;
    const person = element(mine ? 'div' : 'button', 'person');
    person.append(avatar(name), element('span', '', mine ? `${name} (you)` : name));
    if (!mine) {
      person.type = 'button';
      person.title = `Write to ${name} alone`;
      person.dataset.name = name;
      person.setAttribute('aria-pressed', String(name === addressee));
      person.onclick = () => {
        address(name === addressee ? '' : name);
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

/** One who leaves stays chosen: nothing meant for one goes to everyone. */
function address(name) {
  addressee = name;
  $('addressee').hidden = name === '';
  $('to').textContent = name;
  for (const person of $('people').querySelectorAll('button')) {
    person.setAttribute('aria-pressed', String(person.dataset.name === name));
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

function showMessage({ type, name, to, text, at }) {
  const mine = name === own.name;
  const whisper = type === 'whispered';
  const node = element('li', ['message', mine && 'mine', whisper && 'whisper'].filter(Boolean).join(' '));
  node.dataset.thread = `${name}\n${whisper ? to : ''}`;
  const last = $('log').lastElementChild;
  if (last?.dataset.thread === node.dataset.thread) node.classList.add('follows');
  const head = element('p', 'head');
  head.append(element('strong', '', name));
  if (whisper) head.append(element('span', 'note', mine ? `only to ${to === name ? 'yourself' : to}` : 'only to you'));
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
  $('enter').disabled = true;
  $('refusal').textContent = '';
  connect();
};

$('composer').onsubmit = (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text === '' || $('send').disabled) return;
  if (addressee !== '' && !people.has(addressee)) {
    showEvent(`${addressee} has left. Choose another person, or write to everyone.`);
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
