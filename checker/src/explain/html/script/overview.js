// The whole history in a strip: how much went on when, how much of it failed or is unknown, the faults, the
// witness, and the stretch that is in sight.

const OVERVIEW_HEIGHT = 44;

// Operations by the pixel in which they begin.
function histogram(history, axis, accepts, width) {
  const bins = OUTCOMES.map(() => new Uint32Array(width));
  const scale = (width - 1) / (axis.last - axis.first);
  for (let call = 0; call < history.count; call++) {
    if (accepts(call)) bins[history.outcome[call]][Math.floor((axis.start[call] - axis.first) * scale)]++;
  }
  return { bins, width, most: bins[OK].reduce((most, _, x) => Math.max(most, total(bins, x)), 1) };
}

function total(bins, x) {
  return bins[OK][x] + bins[FAILED][x] + bins[UNKNOWN][x];
}

function paintOverview(context, scene, { bins, width, most }) {
  const { history, viewport, colours } = scene;
  const { axis } = viewport;
  const x = (value) => ((value - axis.first) / (axis.last - axis.first)) * width;
  const floor = OVERVIEW_HEIGHT - 4;
  const tall = floor - 10;
  context.clearRect(0, 0, width, OVERVIEW_HEIGHT);
  for (let at = 0; at < width; at++) {
    let bottom = floor;
    for (const [outcome, colour] of [[OK, colours.ok], [UNKNOWN, colours.unknown], [FAILED, colours.failed]]) {
      const count = bins[outcome][at];
      if (!count) continue;
      const height = Math.max(1.5, (count / most) * tall);
      context.fillStyle = colour;
      context.fillRect(at, bottom - height, 1, height);
      bottom -= height;
    }
  }
  context.fillStyle = colours.faultEdge;
  for (const fault of history.faults) {
    const [from, to] = faultSpan(fault, axis);
    context.fillRect(x(from), 1 + 3 * Math.min(fault.row, 2), Math.max(2, x(to) - x(from)), 2);
  }
  if (history.witness) {
    const [from, to] = witnessSpan(history, axis);
    context.fillStyle = colours.witness;
    context.fillRect(x(from) - 1, 0, Math.max(3, x(to) - x(from) + 2), 3);
    context.fillRect(x(from) - 1, floor, Math.max(3, x(to) - x(from) + 2), 4);
  }
  const left = Math.max(0, x(viewport.from));
  const right = Math.min(width, x(viewport.to));
  context.fillStyle = colours.shade;
  context.fillRect(0, 0, left, OVERVIEW_HEIGHT);
  context.fillRect(right, 0, width - right, OVERVIEW_HEIGHT);
  context.strokeStyle = colours.text;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, 0.5, Math.max(2, right - left - 1), OVERVIEW_HEIGHT - 1);
}
