import { drawChart } from './chart.mjs';

const KEPT = 121;
const find = (selector) => document.querySelector(selector);

// ---- The chart

const canvas = find('canvas');
const state = find('#state');
let samples = [];
let drawing = 0;

function show(text) {
  state.textContent = text;
  state.dataset.state = text;
}

function draw() {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => samples.length > 0 && drawChart(canvas, samples));
}

const percent = (part) => `${Math.round(part * 100)} %`;

const events = new EventSource('/metrics');
events.onopen = () => {
  // The last minute comes again.
  samples = [];
  show('live');
};
// The browser connects again by itself.
events.onerror = () => show('connecting');
events.onmessage = ({ data }) => {
  const sample = JSON.parse(data);
  samples = [...samples, sample].slice(-KEPT);
  find('#cpu').textContent = percent(sample.cpu);
  find('#javascript').textContent = percent(sample.javascript);
  find('#memory').textContent = `${Math.round(sample.memory / 2 ** 20)} MiB`;
  find('#watchers').textContent = sample.watchers;
  draw();
};
new ResizeObserver(draw).observe(canvas);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

// ---- The report

find('#make').onclick = async ({ target }) => {
  target.disabled = true;
  find('#download')?.remove();
  const { id } = await (await fetch('/reports', { method: 'POST' })).json();
  const progress = new EventSource(`/reports/${id}/progress`);
  progress.onmessage = ({ data }) => {
    find('#progress').value = Number(data);
    find('#percent').value = `${data} %`;
    if (data !== '100') return;
    // It would connect again after the end.
    progress.close();
    target.disabled = false;
    const link = document.createElement('a');
    link.id = 'download';
    link.href = `/reports/${id}/csv`;
    link.textContent = 'Download report.csv';
    target.after(link);
  };
};

// ---- The upload

find('#upload').onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  const item = document.createElement('li');
  item.textContent = await send(new FormData(form)).catch((error) => `Not sent: ${error.message}`);
  find('#files').prepend(item);
  form.reset();
};

async function send(body) {
  const response = await fetch('/files', { method: 'POST', body });
  const { name, bytes, sha256, error, message } = await response.json();
  if (!response.ok) throw new Error(message ?? error);
  return `${name}, ${bytes.toLocaleString('en')} bytes: ${sha256}`;
}
