// Operations, times and numbers in words.

const SHORT = new Map(Object.entries({
  read: "r", write: "w", append: "app", enqueue: "enq", dequeue: "deq", acquire: "acq", release: "rel",
  increment: "inc", decrement: "dec", remove: "rem", contains: "has", transfer: "tx",
}));

// What a function does to its object decides how its operations are drawn.
const LOOKS = 0;
const UPDATES = 1;
const COMPARES = 2;

function natureOf(f) {
  if (/^(r|read|get|contains|has|peek|list|final-read|drain)$/.test(f)) return LOOKS;
  return /cas|compare/.test(f) ? COMPARES : UPDATES;
}

function shortName(f) {
  return SHORT.get(f) ?? f;
}

// What was asked and what came of it: "3→4", "nil ⇒ 7".
function valuesOf(history, call) {
  const asked = history.asked[call];
  const result = history.result[call];
  const text = asked === 0 ? "" : history.valueText(asked);
  if (result === 0 || result === asked + 1) {
    return text || (result !== 0 && natureOf(history.functions[history.f[call]]) === LOOKS ? "nil" : "");
  }
  if (result === 1) return text;
  return text ? `${text} ⇒ ${history.valueText(result - 1)}` : history.valueText(result - 1);
}

function labelOf(history, call) {
  const outcome = history.outcome[call];
  const mark = outcome === UNKNOWN ? " ?" : outcome === FAILED ? " ✗" : "";
  const f = shortName(history.functions[history.f[call]]);
  return [f, valuesOf(history, call)].filter(Boolean).join(" ") + mark;
}

function shortened(text, chars) {
  if (text.length <= chars) return text;
  return chars < 2 ? "" : `${text.slice(0, chars - 1)}…`;
}

function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

// A moment of the run: seconds with as many digits as this step needs.
function momentText(ns, stepNs = 1e3) {
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(stepNs / 1e9) - 1e-9)));
  return `${(ns / 1e9).toFixed(digits)} s`;
}

function durationText(ns) {
  const size = Math.abs(ns);
  if (size >= 1e9) return `${+(ns / 1e9).toPrecision(4)} s`;
  if (size >= 1e6) return `${+(ns / 1e6).toPrecision(4)} ms`;
  return size >= 1e3 ? `${+(ns / 1e3).toPrecision(4)} µs` : `${ns} ns`;
}
