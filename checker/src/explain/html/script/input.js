// Mouse, touch, wheel and keys.

function listen(timeline) {
  const { canvas, overview } = timeline;
  listenToPointer(timeline, canvas);
  listenToOverview(timeline, overview);
  canvas.addEventListener("wheel", (event) => onWheel(timeline, event), { passive: false });
  canvas.addEventListener("dblclick", () => timeline.fit());
  canvas.addEventListener("keydown", (event) => onKey(timeline, event));
  new ResizeObserver(() => {
    if (timeline.layout && timeline.picture.clientWidth !== timeline.layout.width) timeline.resize();
  }).observe(timeline.picture);
  addEventListener("resize", () => timeline.resize());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    timeline.colours = coloursOf(timeline.root, timeline.context);
    timeline.moved();
  });
  if (timeline.permalinks) {
    addEventListener("hashchange", () => location.hash !== timeline.link && timeline.openLink(location.hash));
  }
}

const CLICK_PIXELS = 4;

function listenToPointer(timeline, canvas) {
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.offsetX, y: event.offsetY, moved: 0 };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return hover(timeline, event.offsetX, event.offsetY);
    const [right, down] = [event.offsetX - held.x, event.offsetY - held.y];
    held.moved += Math.abs(right) + Math.abs(down);
    if (held.moved < CLICK_PIXELS) return;
    timeline.tip.hidden = true;
    timeline.pan(-right);
    timeline.scrollBy(-down);
    Object.assign(held, { x: event.offsetX, y: event.offsetY });
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held && held.moved < CLICK_PIXELS) click(timeline, event.offsetX, event.offsetY);
    held = null;
  });
  canvas.addEventListener("pointercancel", () => (held = null));
  canvas.addEventListener("pointerleave", () => hover(timeline, -1, -1));
}

function listenToOverview(timeline, overview) {
  const go = (event) => {
    if (event.buttons === 0) return;
    const { first, last } = timeline.axis;
    const { from, to } = timeline.viewport;
    const at = first + (event.offsetX / overview.clientWidth) * (last - first);
    timeline.viewport.show(at - (to - from) / 2, at + (to - from) / 2);
    timeline.moved();
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    go(event);
  });
  overview.addEventListener("pointermove", go);
}

// Over the names of the lanes the wheel moves them; over the picture it zooms, sideways it pans.
function onWheel(timeline, event) {
  const pixels = event.deltaMode === 1 ? 20 : 1;
  const [right, down] = [event.deltaX * pixels, event.deltaY * pixels];
  const overNames = event.offsetX < timeline.layout.gutter;
  if (overNames && timeline.layout.hidden === 0) return;
  event.preventDefault();
  if (overNames) timeline.scrollBy(down);
  else if (event.shiftKey) timeline.pan(down || right);
  else if (Math.abs(right) > Math.abs(down)) timeline.pan(right);
  else timeline.zoom(1.0015 ** down, timeline.viewport.at(event.offsetX));
}

function onKey(timeline, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const far = timeline.viewport.width * (event.shiftKey ? 0.8 : 0.15);
  const keys = {
    ArrowLeft: () => timeline.pan(-far),
    ArrowRight: () => timeline.pan(far),
    ArrowUp: () => timeline.scrollBy(-3 * timeline.layout.laneHeight),
    ArrowDown: () => timeline.scrollBy(3 * timeline.layout.laneHeight),
    "+": () => timeline.zoom(0.7),
    "=": () => timeline.zoom(0.7),
    "-": () => timeline.zoom(1 / 0.7),
    0: () => timeline.fit(),
    Home: () => timeline.fit(),
    w: () => timeline.showWitness(),
    t: () => timeline.history.timed && timeline.useAxis(timeline.axis.name === "time" ? "order" : "time"),
    ".": () => timeline.selectNext(1),
    ",": () => timeline.selectNext(-1),
    "]": () => timeline.stepOrder(1),
    "[": () => timeline.stepOrder(-1),
    Escape: () => timeline.select(null),
  };
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
}

const NEAR_PIXELS = 4;

// What is at a point of the canvas: an operation by its number, several that share a pixel, a fault, or null.
function thingAt(timeline, x, y) {
  const { layout, viewport, sorted, history } = timeline;
  if (x < 0 || y < AXIS_HEIGHT || x > layout.right) return null;
  if (y < layout.laneTop) return faultAt(timeline, x, y);
  const lane = sorted.lanes[Math.floor((y - layout.laneTop + timeline.scroll) / layout.laneHeight)];
  if (!lane) return null;
  if (x < layout.gutter) return sorted.call[callInSight(sorted, lane, viewport)];
  const [low, high] = [viewport.at(Math.floor(x)), viewport.at(Math.floor(x) + 1)];
  const from = lowerBound(sorted.reach, lane.low, lane.high, low);
  const to = lowerBound(sorted.start, from, lane.high, high);
  const wide = [from, to - 1].find((at) => sorted.reach[at] - sorted.start[at] >= NEAR_PIXELS * viewport.perPixel);
  if (to - from > 0 && wide !== undefined) return sorted.call[wide];
  if (to - from > 1) {
    const failed = sorted.failedBefore[to] - sorted.failedBefore[from];
    const unknown = sorted.unknownBefore[to] - sorted.unknownBefore[from];
    return { calls: to - from, first: sorted.call[from], failed, unknown, from: low, to: high };
  }
  if (to > from) return sorted.call[from];
  const near = NEAR_PIXELS * viewport.perPixel;
  const next = [from, from - 1].find((at) => at >= lane.low && at < lane.high
    && sorted.start[at] - near <= high && sorted.reach[at] + near >= low);
  return next === undefined ? null : sorted.call[next];
}

function faultAt({ history, layout, viewport }, x, y) {
  const hit = (fault) => {
    const [from, to] = faultSpan(fault, viewport.axis);
    const top = faultRow(layout, fault);
    return y >= top && y < top + FAULT_ROW && x >= viewport.x(from) - NEAR_PIXELS && x <= viewport.x(to) + NEAR_PIXELS;
  };
  return history.faults.findLast(hit) ?? null;
}

function hover(timeline, x, y) {
  const thing = thingAt(timeline, x, y);
  const { tip } = timeline;
  if (thing === null) tip.hidden = true;
  else {
    tip.replaceChildren(...detailsOf(timeline, thing));
    placeBeside(tip, x, y, timeline.picture);
  }
  if (thing === timeline.hovered) return;
  timeline.hovered = thing;
  timeline.moved();
}

function click(timeline, x, y) {
  const thing = thingAt(timeline, x, y);
  if (thing?.calls) {
    timeline.viewport.show(thing.from - (thing.to - thing.from) * 2, thing.to + (thing.to - thing.from) * 2);
    timeline.moved();
    return;
  }
  timeline.select(thing);
}
