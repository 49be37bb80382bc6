const find = (selector) => document.querySelector(selector);
const { pathname } = location;

find('#room').textContent = decodeURIComponent(pathname.split('/').at(-1));

function showState(text) {
  find('#state').textContent = text;
  find('#state').dataset.state = text;
}

// ---- The messages: each once, in the order of their numbers, however they came

const list = find('#messages');

function showMessage({ number, from, text }) {
  const after = [...list.children].findLast((item) => item.value <= number);
  if (after?.value === number) return;
  const item = document.createElement('li');
  item.value = number;
  const author = document.createElement('b');
  // As text: what people write is never HTML.
  author.textContent = from;
  item.append(author, ' ', text);
  if (after) after.after(item);
  else list.prepend(item);
  item.scrollIntoView({ block: 'nearest' });
}

// ---- Who is there: how many people each instance has

let present = new Map();

function showPresent() {
  find('#people').textContent = [...present.values()].reduce((sum, people) => sum + people, 0);
}

// ---- The events

/** What events wait for: they are newer than the state that is loaded. */
let loaded;

async function load() {
  const response = await fetch(`${pathname}/messages`);
  if (!response.ok) throw new Error(`the messages: ${response.status}`);
  const state = await response.json();
  for (const message of state.messages) showMessage(message);
  present = new Map(Object.entries(state.present));
  showPresent();
}

const events = new EventSource(`${pathname}/events`);

/** Of the events that `loaded` does not hold up any more. */
function on(type, show) {
  events.addEventListener(type, async ({ data }) => {
    await loaded;
    show(data);
  });
}

function loadState() {
  // Where that fails, it is loaded when the connection is there again.
  loaded = load().then(
    () => showState('live'),
    () => showState('incomplete'),
  );
}

events.addEventListener('open', () => {
  // Once it is subscribed, so that nothing is missed in between. Later the events that were missed come by themselves.
  if (find('#state').dataset.state !== 'reconnecting') loadState();
  else showState('live');
});
// The browser connects again by itself.
events.addEventListener('error', () => {
  const isLive = find('#state').dataset.state === 'live';
  if (isLive) showState('reconnecting');
});
// What was missed is not in the channel's history any more.
events.addEventListener('reset', loadState);
on('message', (data) => showMessage(JSON.parse(data)));
on('presence', (data) => {
  const { instance, people } = JSON.parse(data);
  present.set(instance, people);
  showPresent();
});

// ---- Writing

find('#from').value = localStorage.getItem('from') ?? '';

find('#write').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [from, text] = [find('#from').value, find('#text').value];
  localStorage.setItem('from', from);
  find('#failure').textContent = '';
  try {
    const response = await fetch(`${pathname}/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ from, text }),
    });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    if (find('#text').value === text) find('#text').value = '';
  } catch (error) {
    find('#failure').textContent = `Not sent: ${error.message}`;
  }
});
