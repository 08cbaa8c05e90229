// Buttons and filters above the picture. Each only calls the timeline; the timeline calls `update` back.

const KEYS_LISTED_MAX = 500;

class Controls {
  constructor(timeline) {
    this.timeline = timeline;
    const { history } = timeline;
    this.element = element("div", { class: "tl-controls", role: "toolbar", "aria-label": "view and filters" });
    const groups = [this.axes(), this.moves(), this.filters(), this.legend()];
    if (history.order) groups.push(this.steps());
    this.element.append(...groups.filter(Boolean));
  }

  button(text, title, onclick, properties = {}) {
    return element("button", { type: "button", title, "aria-label": title, onclick, ...properties }, text);
  }

  group(...children) {
    return element("span", { class: "tl-group" }, ...children);
  }

  axes() {
    const { timeline } = this;
    if (!timeline.history.timed) return null;
    const axis = (name, text, title) => this.button(text, title, () => timeline.useAxis(name));
    this.axisButtons = {
      time: axis("time", "time", "true to time (t)"),
      order: axis("order", "order", "by the order of events, which is what the verdict rests on (t)"),
    };
    return this.group(...Object.values(this.axisButtons));
  }

  moves() {
    const { timeline } = this;
    const buttons = [
      this.button("−", "zoom out (-)", () => timeline.zoom(2)),
      this.button("+", "zoom in (+)", () => timeline.zoom(0.5)),
      this.button("all", "the whole history (0, double click)", () => timeline.fit()),
    ];
    if (timeline.history.witness) {
      buttons.push(this.button("witness", "where it went wrong (w)", () => timeline.showWitness()));
    }
    buttons.push(this.button("▁", "lower lanes", () => timeline.resizeLanes(1 / 1.4)));
    buttons.push(this.button("▇", "higher lanes", () => timeline.resizeLanes(1.4)));
    return this.group(...buttons);
  }

  filters() {
    const { timeline } = this;
    const { history } = timeline;
    const parts = [];
    if (history.keys.length > 1) parts.push(element("label", {}, "key ", this.keyInput()));
    const placeholder = "all, or 1 5 7–9";
    const onchange = () => timeline.filter({ processes: this.processes.value });
    this.processes = element("input", { type: "text", size: 11, placeholder, onchange, "aria-label": "processes" });
    parts.push(element("label", {}, "process ", this.processes));
    if (history.witness) {
      const only = () => timeline.filter({ witness: !timeline.filters.witness });
      this.only = this.button("witness only", "only the operations of the witness", only);
      parts.push(this.only);
    }
    return this.group(...parts);
  }

  keyInput() {
    const { timeline } = this;
    const names = timeline.history.keys.map((name, number) => [name, number]);
    const collator = new Intl.Collator("en", { numeric: true });
    names.sort(([a], [b]) => collator.compare(a, b));
    const change = (name) => timeline.filter({ key: name === "" ? -1 : timeline.history.keys.indexOf(name) });
    if (names.length <= KEYS_LISTED_MAX) {
      const options = names.map(([name]) => element("option", { value: name }, name));
      this.key = element("select", { onchange: () => change(this.key.value) });
      this.key.append(element("option", { value: "" }, `all ${names.length}`), ...options);
    } else {
      const placeholder = `all ${grouped(names.length)}`;
      this.key = element("input", { type: "text", size: 9, placeholder, onchange: () => change(this.key.value) });
    }
    return this.key;
  }

  // The outcomes explain the colours and can be switched off.
  legend() {
    const { timeline } = this;
    this.outcomes = OUTCOMES.map((name, outcome) => {
      const swatch = element("i", { class: `tl-swatch tl-swatch-${name}` });
      const onclick = () => timeline.filter({ outcomes: timeline.filters.outcomes ^ (1 << outcome) });
      return element("button", { type: "button", onclick, title: `show or hide ${name} operations` }, swatch, name);
    });
    const read = element("span", { class: "tl-legend" }, element("i", { class: "tl-swatch tl-swatch-read" }), "read");
    return this.group(...this.outcomes, read);
  }

  steps() {
    const { timeline } = this;
    this.step = element("span", { class: "tl-step", "aria-live": "polite" });
    return this.group(
      this.button("‹", "one operation back in the order ([)", () => timeline.stepOrder(-1)),
      this.step,
      this.button("›", "next operation in the order (])", () => timeline.stepOrder(1)),
    );
  }

  update() {
    const { timeline } = this;
    const { filters, history } = timeline;
    const pressed = (button, on) => button?.setAttribute("aria-pressed", on);
    for (const [name, button] of Object.entries(this.axisButtons ?? {})) pressed(button, timeline.axis.name === name);
    this.outcomes.forEach((button, outcome) => pressed(button, Boolean(filters.outcomes & (1 << outcome))));
    pressed(this.only, filters.witness);
    if (this.key) this.key.value = filters.key < 0 ? "" : history.keys[filters.key];
    this.processes.value = filters.processes;
    if (this.step) {
      const at = timeline.stepAt < 0 ? "order" : grouped(timeline.stepAt + 1);
      this.step.textContent = `${at} of ${grouped(history.order.length)}`;
    }
  }
}

// "1 5 7-9" as a test of process names; everything for nothing.
function processTest(text) {
  const words = text.split(/[\s,]+/).filter(Boolean);
  if (words.length === 0) return () => true;
  const names = new Set(words);
  const ranges = words.map((word) => word.match(/^(\d+)[-–](\d+)$/)).filter(Boolean);
  return (name) => names.has(name) || ranges.some(([, from, to]) => +from <= +name && +name <= +to);
}
