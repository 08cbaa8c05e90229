// What is drawn over the operations: the witness's, the chosen one, and the points of an order.

function boxOf(scene, call) {
  const { history, viewport, layout, sorted } = scene;
  const row = sorted.rowOf.get(history.lane[call]);
  if (row === undefined || !scene.accepts(call)) return null;
  const left = viewport.x(viewport.axis.start[call]);
  const right = Math.max(left + 3, viewport.x(viewport.axis.end[call]));
  const top = rowTop(scene, row);
  return { left, right, top, bottom: top + layout.laneHeight };
}

function paintMarks(context, scene) {
  const { history, colours, selected, hovered } = scene;
  if (history.order) paintPoints(context, scene);
  const calls = scene.witnessCalls.slice(0, 200);
  for (const { call, failing } of calls) outline(context, scene, call, colours.witness, failing ? 3 : 2);
  for (const { call, failing } of calls) if (failing) pointAt(context, scene, call);
  for (const { call } of calls.slice(0, 24)) callOut(context, scene, call);
  if (typeof hovered === "number") outline(context, scene, hovered, colours.text, 1);
  if (selected !== null) outline(context, scene, selected, colours.text, 2);
}

function outline(context, scene, call, colour, width) {
  const box = boxOf(scene, call);
  if (!box) return;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(box.left - 1, box.top + 1, box.right - box.left + 2, box.bottom - box.top - 2);
}

// The operation at which the history became impossible.
function pointAt(context, scene, call) {
  const box = boxOf(scene, call);
  if (!box) return;
  const middle = (box.left + box.right) / 2;
  context.fillStyle = scene.colours.witness;
  context.beginPath();
  context.moveTo(middle - 7, box.top - 10);
  context.lineTo(middle + 7, box.top - 10);
  context.lineTo(middle, box.top + 1);
  context.fill();
}

// A name beside an operation of the witness that is too small to hold it.
function callOut(context, scene, call) {
  const box = boxOf(scene, call);
  const text = labelOf(scene.history, call);
  const width = context.measureText(text).width;
  if (!box || (box.right - box.left > width + 8 && scene.layout.laneHeight >= LABEL_LANE_HEIGHT)) return;
  const { layout, colours } = scene;
  const fits = box.right + width + 14 < layout.right;
  const left = fits ? box.right + 4 : box.left - width - 12;
  const middle = (box.top + box.bottom) / 2;
  context.fillStyle = colours.ground;
  context.fillRect(left, middle - 8, width + 8, 16);
  context.strokeStyle = colours.witness;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, middle - 7.5, width + 7, 15);
  context.fillStyle = colours.text;
  context.fillText(text, left + 4, middle + 0.5);
}

// Where each operation can have taken effect: as early as the order allows, key by key.
function pointsOf(history, axis) {
  const points = new Float64Array(history.count).fill(NaN);
  const reached = new Map();
  for (const call of history.order) {
    const key = history.key[call];
    const point = Math.max(axis.start[call], reached.get(key) ?? -Infinity);
    reached.set(key, point);
    points[call] = point;
  }
  return points;
}

const POINTS_DRAWN_MAX = 4000;

function paintPoints(context, scene) {
  const { history, viewport, layout, points, sorted, colours } = scene;
  let drawn = 0;
  for (const lane of rowsInSight(scene)) {
    let at = lowerBound(sorted.reach, lane.low, lane.high, viewport.from);
    for (; at < lane.high && sorted.start[at] <= viewport.to && drawn < POINTS_DRAWN_MAX; at++) {
      const point = points[sorted.call[at]];
      if (Number.isNaN(point) || (sorted.reach[at] - sorted.start[at]) / viewport.perPixel < 14) continue;
      drawn++;
      const top = rowTop(scene, lane.row);
      const stepped = history.order[scene.stepAt] === sorted.call[at];
      context.fillStyle = stepped ? colours.witness : colours.text;
      context.fillRect(viewport.x(point) - (stepped ? 2 : 1), top, stepped ? 4 : 2, layout.laneHeight);
    }
  }
}
