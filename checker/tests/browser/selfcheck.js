// Appended to a page under test: works the timeline as a person would and writes what it found into the
// document, where the test reads it.

function check(condition, what) {
  if (!condition) throw new Error(what);
}

function near(a, b, what) {
  check(Math.abs(a - b) <= Math.max(1, Math.abs(b)) * 1e-9, `${what}: ${a} instead of ${b}`);
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function painted(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let colours = 0;
  for (let at = 4; at < data.length; at += 4) if (data[at] !== data[at - 4]) colours++;
  return colours;
}

function checkData(timeline) {
  const { history } = timeline;
  check(history.count === EXPECTED.calls, `${history.count} calls`);
  const ends = history.endIndex.filter((_, call) => history.completed[call]);
  near(sum(history.index) + sum(ends), EXPECTED.indices, "indices");
  const durations = history.endTime.map((end, call) => end - history.time[call]);
  if (history.timed) near(sum(durations), EXPECTED.durations_ns, "durations");
  let integers = 0;
  for (const result of history.result) if (result > 0) integers += Number(history.valueText(result - 1)) || 0;
  near(integers, EXPECTED.integers, "results");
}

function event(target, type, properties) {
  const made = new (type.startsWith("key") ? KeyboardEvent : type === "wheel" ? WheelEvent : PointerEvent)(type, {
    bubbles: true, cancelable: true, pointerId: 1, ...properties,
  });
  target.dispatchEvent(made);
}

function checkView(timeline) {
  const { canvas, viewport } = timeline;
  const box = canvas.getBoundingClientRect();
  const middle = { clientX: box.left + 600, clientY: box.top + timeline.layout.laneTop + 8 };
  const span = () => viewport.to - viewport.from;
  timeline.fit();
  timeline.draw();
  check(painted(canvas) > 50, "nothing is painted");
  const whole = span();
  event(canvas, "wheel", { ...middle, deltaY: -300 });
  check(span() < whole || timeline.history.count < 2, "the wheel does not zoom");
  const from = viewport.from;
  event(canvas, "keydown", { key: "ArrowRight" });
  check(viewport.from > from, "the arrow key does not move");
  event(canvas, "pointerdown", middle);
  event(canvas, "pointermove", { ...middle, clientX: middle.clientX + 50 });
  event(canvas, "pointerup", { ...middle, clientX: middle.clientX + 50 });
  event(canvas, "dblclick", middle);
  near(span(), whole, "a double click does not fit");
}

function checkChoice(timeline) {
  const { history, canvas } = timeline;
  timeline.filter({ key: -1, processes: "", outcomes: 7, witness: false });
  const call = timeline.witnessCalls.find(({ failing }) => failing)?.call ?? Math.floor(history.count / 2);
  check(timeline.goTo(history.index[call]), "no way to an operation");
  timeline.draw();
  const at = boxOfCall(timeline, call);
  const box = canvas.getBoundingClientRect();
  const point = { clientX: box.left + at.x, clientY: box.top + at.y };
  timeline.select(null);
  event(canvas, "pointermove", point);
  check(!timeline.tip.hidden, "no tip over an operation");
  event(canvas, "pointerdown", point);
  event(canvas, "pointerup", point);
  check(timeline.selected === call, `a click at ${at.x}, ${at.y} chose ${timeline.selected} instead of ${call}`);
  check(timeline.pinned.textContent.includes(String(history.index[call])), "the details do not say which");
  event(canvas, "keydown", { key: call + 1 < history.count ? "." : "," });
  check(timeline.selected !== call || history.count < 2, "the next one was not chosen");
  event(canvas, "keydown", { key: "Escape" });
  check(timeline.selected === null && timeline.pinned.hidden, "Escape does not let go");
}

function boxOfCall({ viewport, axis, sorted, layout, scroll, history }, call) {
  const row = sorted.rowOf.get(history.lane[call]);
  const right = Math.min(viewport.x(axis.end[call]), layout.right);
  const x = (Math.max(viewport.x(axis.start[call]), layout.gutter) + right) / 2;
  return { x: Math.round(x), y: layout.laneTop + (row + 0.5) * layout.laneHeight - scroll };
}

function checkFilters(timeline) {
  const { history } = timeline;
  const shown = () => timeline.sorted.call.length;
  const count = (test) => history.outcome.reduce((sum, _, call) => sum + (test(call) ? 1 : 0), 0);
  const all = { key: -1, processes: "", outcomes: 7, witness: false };
  timeline.filter({ ...all, outcomes: 2 });
  check(shown() === count((call) => history.outcome[call] === 1), "the filter by outcome");
  timeline.filter({ ...all, processes: "1 3-4" });
  const named = (call) => ["1", "3", "4"].includes(history.processes[history.process[call]]);
  check(shown() === count(named), "the filter by process");
  if (history.keys.length > 0) {
    timeline.filter({ ...all, key: 0 });
    check(shown() === count((call) => history.key[call] <= 0), "the filter by key");
  }
  timeline.filter(all);
  check(shown() === history.count, "all filters off");
}

function checkAxis(timeline) {
  if (!timeline.history.timed) return;
  timeline.useAxis("order");
  timeline.draw();
  timeline.useAxis("time");
  timeline.fit();
}

function checkOrder(timeline) {
  const { history, points, axis } = timeline;
  if (!history.order) return;
  timeline.stepOrder(1);
  timeline.stepOrder(1);
  check(timeline.selected === history.order[1], "stepping through the order");
  for (const call of history.order) check(points[call] >= axis.start[call], "a point before its operation");
  timeline.select(null);
}

function checkSafety() {
  check(!document.documentElement.dataset.broken, "a history has run a script");
  check(document.querySelectorAll("img, iframe, object, link").length === 0, "a history has made elements");
  check(performance.getEntriesByType("resource").length === 0, "the page loaded something");
}

// The median of some frames at different places, in ms.
function frames(timeline) {
  const times = [];
  const { first, last } = timeline.axis;
  for (let part = 1; part < 5000; part *= 4) {
    timeline.viewport.show(first, first + (last - first) / part);
    timeline.draw();
    timeline.context.getImageData(0, 0, 1, 1);
    times.push(timeline.drawnInMs);
  }
  timeline.fit();
  return `frames ${times.map((ms) => ms.toFixed(0)).join(" ")} ms`;
}

window.addEventListener("load", () => {
  const page = document.documentElement;
  try {
    const [timeline] = OperationTimeline.mounted;
    checkData(timeline);
    checkView(timeline);
    if (EXPECTED.calls > 0) {
      checkChoice(timeline);
      checkFilters(timeline);
      checkAxis(timeline);
      checkOrder(timeline);
    }
    checkSafety();
    const ready = performance.getEntriesByType("navigation")[0].domContentLoadedEventStart;
    page.dataset.selfcheck = `passed; opened in ${ready.toFixed(0)} ms, ${frames(timeline)}`;
  } catch (error) {
    page.dataset.selfcheck = `failed: ${error.message} ${error.stack.split("\n")[1]}`;
  }
});
