// The timeline of one element: what is shown, and what people do to it.

class OperationTimeline {
  constructor(root, { permalinks = false, height = null } = {}) {
    this.root = root;
    this.permalinks = permalinks;
    this.wishedHeight = height;
    this.history = readHistory(root);
    this.history.nature = this.history.functions.map(natureOf);
    const { history } = this;
    this.axes = {};
    this.axis = this.axisNamed(history.timed ? "time" : "order");
    this.viewport = new Viewport(this.axis);
    this.roles = new Map();
    this.orderPlace = null;
    this.stepAt = -1;
    this.selected = null;
    this.hovered = null;
    this.scroll = 0;
    this.laneHeight = null;
    this.filters = { key: this.witnessKey(), processes: "", outcomes: 7, witness: false };
    this.witnessCalls = this.callsOfWitness();
    if (history.order) {
      this.orderPlace = new Int32Array(history.count).fill(-1);
      history.order.forEach((call, place) => (this.orderPlace[call] = place));
    }
    this.build();
    this.colours = coloursOf(this.root, this.context);
    this.refilter();
    if (!(permalinks && this.openLink(location.hash))) this.showFirst();
  }

  axisNamed(name) {
    const axis = (this.axes[name] ??= axisOf(this.history, name));
    this.points = this.history.order ? pointsOf(this.history, axis) : null;
    return axis;
  }

  witnessKey() {
    const { witness, keys } = this.history;
    return witness?.key && keys.length > 1 ? keys.indexOf(witness.key) : -1;
  }

  callsOfWitness() {
    const { witness } = this.history;
    const failing = new Set(witness?.failing);
    const calls = (witness?.ops ?? []).map((index) => ({ call: callAt(this.history, index), failing: failing.has(index) }));
    return calls.filter(({ call }) => call >= 0);
  }

  build() {
    const { root } = this;
    const stage = root.querySelector(".tl-stage");
    const canvas = (label, properties) => element("canvas", { role: "img", "aria-label": label, ...properties });
    this.controls = new Controls(this);
    this.overview = canvas("overview of the whole history; click to go there", { class: "tl-overview" });
    this.canvas = canvas("operations by process; arrow keys move, plus and minus zoom, full stop and comma choose", {
      class: "tl-canvas", tabindex: 0,
    });
    this.context = this.canvas.getContext("2d");
    this.tip = element("div", { class: "tl-tip", hidden: "" });
    this.pinned = element("div", { class: "tl-tip tl-pinned", hidden: "", "aria-live": "polite" });
    this.nothing = element("p", { class: "tl-nothing", hidden: "" });
    this.picture = element("div", { class: "tl-picture" }, this.canvas, this.nothing, this.tip, this.pinned);
    stage.replaceChildren(this.controls.element, this.overview, this.picture, helpLine());
    for (const row of root.querySelectorAll("[data-op]")) {
      const index = Number(row.dataset.op);
      this.roles.set(index, row.lastElementChild.textContent);
      row.addEventListener("click", () => this.goTo(index));
    }
    listen(this);
  }

  // What is shown

  accepts(call) {
    return this.accepted === null || this.accepted[call] === 1;
  }

  filter(changes) {
    Object.assign(this.filters, changes);
    this.refilter();
  }

  refilter() {
    const { history, filters } = this;
    const { key, outcomes, witness } = filters;
    this.accepted = null;
    if (key >= 0 || filters.processes.trim() || outcomes !== 7 || witness) {
      const wanted = processTest(filters.processes);
      const processes = Uint8Array.from(history.processes, (name) => (wanted(name) ? 1 : 0));
      const ofWitness = new Set(this.witnessCalls.map(({ call }) => call));
      this.accepted = Uint8Array.from(history.process, (process, call) =>
        processes[process] && (outcomes >> history.outcome[call]) & 1
          && (key < 0 || history.key[call] === key || history.key[call] < 0)
          && (!witness || ofWitness.has(call)) ? 1 : 0);
    }
    this.sorted = lanesOf(history, this.axis, (call) => this.accepts(call));
    this.bars = null;
    this.nothing.hidden = this.sorted.lanes.length > 0;
    this.nothing.textContent = history.count ? "No operation passes the filters." : "No operations.";
    this.controls.update();
    this.resize();
  }

  useAxis(name) {
    if (name === this.axis.name) return;
    // The same operations stay in sight.
    const { start, end } = this.axis;
    let [low, high] = [Infinity, -Infinity];
    const to = this.axisNamed(name);
    for (let call = 0; call < this.history.count; call++) {
      if (end[call] < this.viewport.from || start[call] > this.viewport.to || !this.accepts(call)) continue;
      low = Math.min(low, to.start[call]);
      high = Math.max(high, to.end[call]);
    }
    this.axis = to;
    this.viewport.axis = to;
    if (low <= high) this.viewport.show(low - (high - low) * 0.03, high + (high - low) * 0.03);
    else this.viewport.fit();
    this.refilter();
  }

  showFirst() {
    if (this.history.witness) this.showWitness();
    else this.fit();
  }

  // The window of the witness with as much around it as tells where one is.
  showWitness() {
    if (!this.history.witness) return;
    const [from, to] = witnessSpan(this.history, this.axis);
    const margin = Math.max((to - from) * 0.3, this.axis.name === "time" ? 1e5 : 3);
    this.viewport.show(from - margin, to + margin);
    const failing = this.witnessCalls.find(({ failing }) => failing) ?? this.witnessCalls[0];
    if (failing) this.scrollTo(failing.call);
    this.moved();
  }

  fit() {
    this.viewport.fit();
    this.moved();
  }

  zoom(factor, at) {
    this.viewport.zoom(factor, at);
    this.moved();
  }

  pan(pixels) {
    this.viewport.pan(pixels);
    this.moved();
  }

  scrollBy(pixels) {
    this.scroll = Math.min(Math.max(this.scroll + pixels, 0), this.layout.hidden);
    this.moved();
  }

  scrollTo(call) {
    const row = this.sorted.rowOf.get(this.history.lane[call]);
    if (row === undefined) return;
    const { laneHeight, laneTop, height, hidden } = this.layout;
    const wished = row * laneHeight - (height - laneTop) / 2;
    const inSight = row * laneHeight >= this.scroll && (row + 1) * laneHeight <= this.scroll + height - laneTop;
    if (!inSight) this.scroll = Math.min(Math.max(wished, 0), hidden);
  }

  resizeLanes(factor) {
    this.laneHeight = Math.min(Math.max(this.layout.laneHeight * factor, LANE_HEIGHT_MIN), LANE_HEIGHT_MAX);
    this.resize();
  }

  // Choosing

  goTo(index) {
    const call = callAt(this.history, index);
    if (call < 0) return false;
    if (!this.accepts(call)) this.filter({ key: -1, processes: "", outcomes: 7, witness: false });
    this.reveal(call);
    this.select(call);
    return true;
  }

  // Moves as little as shows the operation with a few pixels of its own.
  reveal(call) {
    const { viewport, axis } = this;
    const [from, to] = [axis.start[call], axis.end[call]];
    if ((to - from) / viewport.perPixel < 3) viewport.show(from - (to - from) * 40, to + (to - from) * 40);
    if (from < viewport.from || to > viewport.to) {
      const half = Math.max((viewport.to - viewport.from) / 2, (to - from) * 0.7);
      viewport.show((from + to) / 2 - half, (from + to) / 2 + half);
    }
    this.scrollTo(call);
  }

  select(thing) {
    this.selected = typeof thing === "number" ? thing : null;
    this.tip.hidden = true;
    this.pinned.hidden = thing === null;
    for (const row of this.root.querySelectorAll("[data-op]")) {
      const chosen = this.selected !== null && Number(row.dataset.op) === this.history.index[this.selected];
      row.classList.toggle("tl-chosen", chosen);
    }
    if (thing !== null) {
      const close = element("button", { type: "button", class: "tl-close", "aria-label": "close", onclick: () => this.select(null) }, "×");
      this.pinned.replaceChildren(close, ...detailsOf(this, thing));
      const box = typeof thing === "number" ? boxOf(this, thing) : null;
      placeBeside(this.pinned, box ? Math.max(Math.min(box.right, this.layout.right), 0) : this.layout.gutter, box?.bottom ?? this.layout.laneTop, this.picture);
    }
    this.moved();
  }

  // The next or previous operation by invocation, of those that are shown.
  selectNext(by) {
    const { history, viewport, axis } = this;
    let call = this.selected ?? lowerBound(axis.start, 0, history.count, viewport.from) - Math.max(by, 0);
    do call += by; while (call >= 0 && call < history.count && !this.accepts(call));
    if (call < 0 || call >= history.count) return;
    this.reveal(call);
    this.select(call);
  }

  stepOrder(by) {
    const { order } = this.history;
    if (!order?.length) return;
    this.stepAt = Math.min(Math.max(this.stepAt + by, 0), order.length - 1);
    this.controls.update();
    this.goTo(this.history.index[order[this.stepAt]]);
  }

  // Drawing

  resize() {
    const width = this.picture.clientWidth || 800;
    const lanes = this.sorted.lanes.length;
    const room = this.wishedHeight ?? Math.max(360, innerHeight - this.picture.getBoundingClientRect().top - scrollY - 40);
    const needed = layoutOf(width, room, this.history, lanes, this.laneHeight);
    const full = needed.laneTop + lanes * Math.max(needed.laneHeight, Math.min(26, this.laneHeight ?? 26)) + 12;
    const height = Math.round(Math.max(Math.min(room, full), 150));
    this.layout = layoutOf(width, height, this.history, lanes, this.laneHeight);
    this.viewport.place(this.layout.gutter, this.layout.right - this.layout.gutter);
    this.scroll = Math.min(this.scroll, this.layout.hidden);
    this.overviewContext = sized(this.overview, width, OVERVIEW_HEIGHT);
    this.context = sized(this.canvas, width, height);
    this.bars = null;
    this.moved();
  }

  moved() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const began = performance.now();
    paint(this.context, this);
    this.bars ??= histogram(this.history, this.axis, (call) => this.accepts(call), this.layout.width);
    paintOverview(this.overviewContext, this, this.bars);
    this.drawnInMs = performance.now() - began;
    if (this.permalinks) rememberLink(this);
  }

  openLink(hash) {
    const link = new URLSearchParams(hash.slice(1));
    if (this.history.timed && link.get("axis") === "order") this.useAxis("order");
    if (link.has("key")) this.filter({ key: this.history.keys.indexOf(link.get("key")) });
    const [from, to] = [link.get("from"), link.get("to")].map((text) => parseFloat(text) * linkUnit(this.axis));
    if (to > from) this.viewport.show(from, to);
    this.moved();
    return (link.has("op") && this.goTo(Number(link.get("op")))) || to > from;
  }
}

// Permalinks tell milliseconds or the indices of ops.
function linkUnit(axis) {
  return axis.name === "time" ? 1e6 : 1;
}

function linkOf({ viewport, axis, history, selected, filters }) {
  const place = (value) => String(+(value / linkUnit(axis)).toFixed(axis.name === "time" ? 4 : 1));
  const link = new URLSearchParams({ from: place(viewport.from), to: place(viewport.to) });
  if (history.timed && axis.name === "order") link.set("axis", "order");
  if (selected !== null) link.set("op", history.index[selected]);
  if (filters.key >= 0) link.set("key", history.keys[filters.key]);
  return `#${link}`;
}

// Not at every frame: browsers refuse too many.
function rememberLink(timeline) {
  clearTimeout(timeline.linking);
  timeline.linking = setTimeout(() => {
    timeline.link = linkOf(timeline);
    history.replaceState(null, "", timeline.link);
  }, 300);
}

function sized(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

function helpLine() {
  const text = "wheel or + − zooms · drag or arrow keys move · double click fits · click pins the details · , and . go from one to the next · Esc lets go";
  return element("p", { class: "tl-help" }, text);
}

const mounted = [];

function mount(root, options) {
  const timeline = new OperationTimeline(root, options);
  mounted.push(timeline);
  return timeline;
}

window.OperationTimeline = {
  mount,
  mountAll: (options) => [...document.querySelectorAll("section.tl")].map((root) => mount(root, options)),
  mounted,
};
