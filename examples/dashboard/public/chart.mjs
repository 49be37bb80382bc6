/** How far back the chart goes. */
const SPAN_MS = 60_000;
const TOPS = [0.1, 0.2, 0.3, 0.5, 1, 2, 4];
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;

export function drawChart(canvas, samples) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext('2d');
  context.scale(scale, scale);

  const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
  const most = Math.max(...samples.map(({ cpu, javascript }) => Math.max(cpu, javascript)));
  const top = TOPS.find((value) => value >= most) ?? Math.ceil(most);
  const end = samples.at(-1).time;
  const x = (time) => width - ((end - time) / SPAN_MS) * (width - LEFT);
  const y = (value) => height - BOTTOM - (value / top) * (height - BOTTOM - TOP);

  // A canvas takes no `light-dark()`: what it draws with is what the browser makes of it.
  const resolved = (name) => {
    canvas.style.color = `var(${name})`;
    return colour('color');
  };
  context.font = '12px system-ui, sans-serif';
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const part of [0, 0.5, 1]) {
    const at = Math.round(y(top * part)) + 0.5;
    context.strokeStyle = resolved('--line');
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width, at);
    context.stroke();
    context.fillStyle = resolved('--muted');
    context.fillText(`${+(top * part * 100).toFixed(1)} %`, LEFT - 8, at);
  }
  context.textBaseline = 'bottom';
  for (const seconds of [0, 15, 30, 45]) {
    context.textAlign = seconds === 0 ? 'right' : 'center';
    const label = seconds === 0 ? 'now' : `${seconds} s ago`;
    context.fillText(label, x(end - seconds * 1000), height);
  }

  for (const name of ['cpu', 'javascript']) {
    context.strokeStyle = resolved(`--${name}`);
    context.lineWidth = 2;
    context.lineJoin = 'round';
    context.beginPath();
    for (const sample of samples) {
      if (end - sample.time <= SPAN_MS) context.lineTo(x(sample.time), y(sample[name]));
    }
    context.stroke();
    context.lineTo(x(end), y(0));
    context.lineTo(x(Math.max(samples[0].time, end - SPAN_MS)), y(0));
    context.fillStyle = context.strokeStyle;
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
  }
}
