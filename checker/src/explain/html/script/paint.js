// The picture: faults above, a lane per process, a rectangle per operation.
//
// Outcomes differ by more than colour: ok is filled (a read paler, with a border), failed is hatched and
// ends in a cross, unknown fades into a dotted line. Where many fall into one pixel, the lane shows how
// many there are; failed ones stand out above, unknown ones below.

const FAULT_ROW = 18;
const AXIS_HEIGHT = 24;
const FAULT_ROWS_MAX = 6;
const LANE_HEIGHT_MIN = 5;
const LANE_HEIGHT_MAX = 30;
const LABEL_LANE_HEIGHT = 12;
const FADE_PIXELS = 70;
const FONT = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

// What goes where on a canvas of this size.
function layoutOf(width, height, history, laneCount, wished) {
  const rows = Math.min(FAULT_ROWS_MAX, history.faults.reduce((most, { row }) => Math.max(most, row + 1), 0));
  const gutter = width < 600 ? 54 : 84;
  const laneTop = AXIS_HEIGHT + (rows ? rows * FAULT_ROW + 6 : 0);
  const fitting = Math.floor((height - laneTop) / Math.max(1, laneCount));
  const clamped = (size) => Math.min(Math.max(size, LANE_HEIGHT_MIN), LANE_HEIGHT_MAX);
  const laneHeight = clamped(wished ?? Math.max(fitting, 9));
  const hidden = Math.max(0, laneCount * laneHeight - (height - laneTop));
  return { width, height, gutter, rows, faultTop: AXIS_HEIGHT, laneTop, laneHeight, hidden, right: width - 8 };
}

function faultRow(layout, fault) {
  return layout.faultTop + Math.min(fault.row, layout.rows - 1) * FAULT_ROW;
}

function paint(context, scene) {
  const { layout, viewport, colours } = scene;
  context.clearRect(0, 0, layout.width, layout.height);
  context.font = FONT;
  context.textBaseline = "middle";
  clipped(context, layout.gutter, 0, layout.right - layout.gutter, layout.height, () => {
    paintWindow(context, scene);
    paintAxis(context, scene);
    paintFaults(context, scene);
  });
  clipped(context, 0, layout.laneTop, layout.right, layout.height - layout.laneTop, () => {
    paintLaneNames(context, scene);
  });
  clipped(context, layout.gutter, layout.laneTop, layout.right - layout.gutter, layout.height, () => {
    paintLanes(context, scene);
    paintMarks(context, scene);
  });
  if (layout.hidden > 0) {
    const visible = layout.height - layout.laneTop;
    const share = visible / (visible + layout.hidden);
    context.fillStyle = colours.line;
    const top = layout.laneTop + (scene.scroll / (visible + layout.hidden)) * visible;
    context.fillRect(layout.width - 6, top, 4, Math.max(12, share * visible));
  }
  context.fillStyle = colours.faint;
  context.fillText(viewport.axis.name === "time" ? "time" : "op", 6, AXIS_HEIGHT / 2);
  if (layout.rows) context.fillText(layout.gutter > 60 ? "nemesis" : "faults", 6, layout.faultTop + 9);
}

function clipped(context, x, y, width, height, draw) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  draw();
  context.restore();
}

function paintAxis(context, { layout, viewport, colours }) {
  const byTime = viewport.axis.name === "time";
  const { step: size, places } = ticks(viewport, 110, 1);
  for (const place of places) {
    const x = Math.round(viewport.x(place));
    context.fillStyle = colours.grid;
    context.fillRect(x, AXIS_HEIGHT - 5, 1, layout.height);
    context.fillStyle = colours.faint;
    context.fillText(byTime ? momentText(place, size) : grouped(Math.round(place)), x + 4, AXIS_HEIGHT / 2);
  }
}

// The stretch that the witness is about.
function paintWindow(context, { history, layout, viewport, colours }) {
  const { witness } = history;
  if (!witness) return;
  const [from, to] = witnessSpan(history, viewport.axis);
  const left = Math.max(viewport.x(from) - 3, layout.gutter - 9);
  const right = Math.min(viewport.x(to) + 3, layout.right + 9);
  if (right <= left) return;
  context.fillStyle = colours.windowFill;
  context.fillRect(left, AXIS_HEIGHT - 5, right - left, layout.height);
  context.fillStyle = colours.witness;
  context.fillRect(left, AXIS_HEIGHT - 5, right - left, 2);
  context.fillRect(left, AXIS_HEIGHT - 5, 1, layout.height);
  context.fillRect(right - 1, AXIS_HEIGHT - 5, 1, layout.height);
}

function witnessSpan({ witness }, axis) {
  return axis.name === "time" ? [witness.from_ns, witness.to_ns] : [witness.first_index, witness.last_index];
}

function faultSpan(fault, axis) {
  const unit = axis.name === "time" ? "ns" : "index";
  const to = fault.to ? fault.to[unit] : axis.last;
  return [fault.from[unit], fault.lasting ? to : fault.from[unit]];
}

function paintFaults(context, scene) {
  const { history, layout, viewport, colours } = scene;
  for (const fault of history.faults) {
    const [from, to] = faultSpan(fault, viewport.axis);
    if (to < viewport.from || from > viewport.to) continue;
    const top = faultRow(layout, fault);
    const left = Math.max(viewport.x(from), layout.gutter - 4);
    const right = Math.min(viewport.x(to), layout.right + 4);
    const width = Math.max(fault.lasting ? 2 : 0, right - left);
    const label = fault.value ? `${fault.f} ${fault.value}` : fault.f;
    if (!fault.lasting) {
      paintMoment(context, left, top, colours);
      continue;
    }
    context.fillStyle = colours.faultShade;
    context.fillRect(left, layout.laneTop, width, layout.height);
    context.fillStyle = fault === scene.hovered ? colours.faultHover : colours.fault;
    context.fillRect(left, top + 1, width, FAULT_ROW - 3);
    context.fillStyle = colours.faultEdge;
    context.fillRect(left, top + 1, 2, FAULT_ROW - 3);
    if (fault.to) context.fillRect(left + width - 1, top + 1, 1, FAULT_ROW - 3);
    context.fillStyle = colours.faultText;
    context.fillText(shortened(label, fitting(context, width - 8)), left + 5, top + FAULT_ROW / 2);
  }
}

function paintMoment(context, x, top, colours) {
  context.fillStyle = colours.faultEdge;
  context.beginPath();
  context.moveTo(x - 4, top + 3);
  context.lineTo(x + 4, top + 3);
  context.lineTo(x, top + FAULT_ROW - 4);
  context.fill();
}

// How many characters of the (monospaced) font fit.
function fitting(context, width) {
  return Math.floor(width / context.measureText("0").width);
}

function rowTop(scene, row) {
  return scene.layout.laneTop + row * scene.layout.laneHeight - scene.scroll;
}

function rowsInSight({ layout, sorted, scroll }) {
  const first = Math.floor(scroll / layout.laneHeight);
  const last = Math.ceil((scroll + layout.height - layout.laneTop) / layout.laneHeight);
  return sorted.lanes.slice(first, last);
}

function paintLaneNames(context, scene) {
  const { history, layout, sorted, viewport, colours } = scene;
  const every = Math.ceil(13 / layout.laneHeight);
  const chars = fitting(context, layout.gutter - 10);
  for (const lane of rowsInSight(scene)) {
    const top = rowTop(scene, lane.row);
    context.fillStyle = colours.grid;
    context.fillRect(0, Math.round(top + layout.laneHeight) - 1, layout.right, 1);
    if (lane.row % every) continue;
    const name = history.processes[history.process[sorted.call[callInSight(sorted, lane, viewport)]]];
    context.fillStyle = colours.text;
    context.fillText(shortened(layout.gutter > 60 ? `proc ${name}` : name, chars), 6, top + layout.laneHeight / 2);
  }
}

// The place of the operation of a lane that stands for it: the first in sight, else the last before.
function callInSight(sorted, lane, viewport) {
  return Math.min(lowerBound(sorted.reach, lane.low, lane.high, viewport.from), lane.high - 1);
}

function paintLanes(context, scene) {
  const brush = new Brush(context, scene);
  for (const lane of rowsInSight(scene)) brush.lane(lane);
  brush.flush();
}

// Gathers rectangles by their look: setting a fill style is what takes time.
class Brush {
  constructor(context, scene) {
    this.context = context;
    this.scene = scene;
    this.fills = new Map();
    this.after = [];
    this.inset = scene.layout.laneHeight > 8 ? 2 : 1;
    this.height = Math.max(2, scene.layout.laneHeight - 2 * this.inset);
  }

  fill(style, x, y, width, height) {
    const rectangles = this.fills.get(style);
    if (rectangles) rectangles.push(x, y, width, height);
    else this.fills.set(style, [x, y, width, height]);
  }

  lane(lane) {
    const { sorted, viewport } = this.scene;
    this.top = rowTop(this.scene, lane.row) + this.inset;
    this.run = null;
    walk(sorted, lane, viewport,
      (at) => this.operation(sorted.call[at], at > lane.low ? sorted.call[at - 1] : -1),
      (pixel, from, to) => this.crowd(pixel, from, to));
    this.endRun();
  }

  // Drawn over the plain rectangles, at the height that is now.
  later(draw) {
    const { top } = this;
    this.after.push(() => {
      this.top = top;
      draw();
    });
  }

  // Neighbouring pixels that look alike become one rectangle.
  crowd(pixel, from, to) {
    const { sorted } = this.scene;
    const failed = sorted.failedBefore[to] - sorted.failedBefore[from];
    const unknown = sorted.unknownBefore[to] - sorted.unknownBefore[from];
    const count = to - from;
    const level = count > 32 ? 3 : count > 8 ? 2 : count > 2 ? 1 : 0;
    const look = level + (failed ? 4 : 0) + (unknown ? 8 : 0) + (failed + unknown === count ? 16 : 0);
    if (this.run && this.run.look === look && this.run.end === pixel) {
      this.run.end++;
      return;
    }
    this.endRun();
    this.run = { look, start: pixel, end: pixel + 1 };
  }

  endRun() {
    if (!this.run) return;
    const { look, start, end } = this.run;
    const { colours } = this.scene;
    const notch = Math.max(2, Math.round(this.height / 3));
    if (!(look & 16)) this.fill(colours.crowd[look & 3], start, this.top, end - start, this.height);
    if (look & 4) this.fill(colours.failed, start, this.top, end - start, notch);
    if (look & 8) this.fill(colours.unknown, start, this.top + this.height - notch, end - start, notch);
    this.run = null;
  }

  operation(call, before) {
    this.endRun();
    const { history, viewport, layout, colours } = this.scene;
    const { axis } = viewport;
    const left = Math.max(viewport.x(axis.start[call]), layout.gutter - 20);
    const end = Math.max(left + 1, Math.min(viewport.x(axis.end[call]), layout.right + 20));
    const { top, height } = this;
    const outcome = history.outcome[call];
    let right = end;
    if (outcome === UNKNOWN) {
      right = Math.min(viewport.x(axis.reach[call]), layout.right + 20);
      this.later(() => this.fading(left, end, right));
    } else if (outcome === FAILED) {
      this.later(() => this.failed(left, end));
    } else {
      const nature = history.nature[history.f[call]];
      this.fill(nature === LOOKS ? colours.look : colours.ok, left, top, end - left, height);
      if (end - left > 4) this.edges(nature, left, end);
    }
    if (before >= 0 && history.process[before] !== history.process[call]) {
      this.fill(colours.text, left - 2, top - 1, 1, height + 2);
    }
    if (height >= LABEL_LANE_HEIGHT - 3 && right - left > 16) {
      this.later(() => this.label(call, outcome, left, outcome === UNKNOWN ? right : end));
    }
  }

  // A read has a thin border, an update a thick left edge, a compare-and-set two.
  edges(nature, left, right) {
    const { colours } = this.scene;
    const { top, height } = this;
    if (nature === LOOKS) {
      this.fill(colours.ok, left, top, right - left, 1);
      this.fill(colours.ok, left, top + height - 1, right - left, 1);
      this.fill(colours.ok, left, top, 1, height);
      this.fill(colours.ok, right - 1, top, 1, height);
      return;
    }
    this.fill(colours.okEdge, left, top, 3, height);
    if (nature === COMPARES) this.fill(colours.okEdge, right - 3, top, 3, height);
  }

  failed(left, right) {
    const { context, top, height } = this;
    const { colours } = this.scene;
    context.fillStyle = colours.hatch;
    context.fillRect(left, top, right - left, height);
    context.strokeStyle = colours.failed;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, top + 0.5, Math.max(1, right - left - 1), height - 1);
  }

  fading(left, end, right) {
    const { context, top, height } = this;
    const { colours } = this.scene;
    context.fillStyle = colours.unknown;
    context.fillRect(left, top, end - left, height);
    const fadeEnd = Math.min(right, end + FADE_PIXELS);
    if (fadeEnd > end) {
      const fade = context.createLinearGradient(end, 0, end + FADE_PIXELS, 0);
      fade.addColorStop(0, colours.unknown);
      fade.addColorStop(1, colours.unknownGone);
      context.fillStyle = fade;
      context.fillRect(end, top, fadeEnd - end, height);
    }
    context.fillStyle = colours.unknown;
    for (let x = end + 4; x < right - 2; x += 6) context.fillRect(x, top + height / 2, 2, 1);
  }

  label(call, outcome, left, right) {
    const { context, top, height } = this;
    const { history, layout, colours } = this.scene;
    const from = Math.max(left, layout.gutter) + 6;
    const text = shortened(labelOf(history, call), fitting(context, right - from - 2));
    const plain = outcome === OK && history.nature[history.f[call]] !== LOOKS;
    context.fillStyle = plain ? colours.onOk : outcome === UNKNOWN ? colours.onUnknown : colours.text;
    context.fillText(text, from, top + height / 2 + 0.5);
  }

  flush() {
    for (const [style, rectangles] of this.fills) {
      this.context.fillStyle = style;
      for (let at = 0; at < rectangles.length; at += 4) {
        this.context.fillRect(rectangles[at], rectangles[at + 1], rectangles[at + 2], rectangles[at + 3]);
      }
    }
    this.after.forEach((draw) => draw());
  }
}
