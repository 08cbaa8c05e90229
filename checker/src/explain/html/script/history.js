// The history of one timeline, from the columns that html/calls.rs wrote: arrays by number of operation,
// in the order of invocation.

const OK = 0;
const FAILED = 1;
const UNKNOWN = 2;
const OUTCOMES = ["ok", "failed", "unknown"];

function readHistory(root) {
  const embedded = (name) => root.querySelector(`script[data-name="${name}"]`);
  // Taken out of the page: a large history should not be in memory twice.
  const taken = (name) => {
    const element = embedded(name);
    element?.remove();
    return element?.textContent;
  };
  const about = JSON.parse(taken("about"));
  const count = about.calls;
  const column = (name) => {
    const text = taken(name);
    return text ? numbersOf(text, count) : new Float64Array(count);
  };
  const integers = running(numbersOf(taken("integers")), 0);
  const texts = JSON.parse(taken("texts"));
  const notes = JSON.parse(taken("notes"));

  const kind = column("kind");
  const asked = Uint32Array.from(column("asked"));
  const index = running(column("index"), 0);
  const span = column("span").map(step);
  const time = running(column("time"), 0);
  const duration = column("duration").map(step);
  const process = Uint32Array.from(column("process"));
  const order = taken("order");

  return {
    ...about,
    count,
    f: Uint16Array.from(kind, (number) => Math.floor(number / 3)),
    outcome: Uint8Array.from(kind, (number) => number % 3),
    process,
    lane: process.map((number) => about.lanes[number]),
    laneCount: about.lanes.reduce((most, lane) => Math.max(most, lane + 1), 0),
    // -1 for none.
    key: Int32Array.from(column("key"), (number) => number - 1),
    asked,
    // 0 for none, else 1 more than the number of the value.
    result: Uint32Array.from(column("result"), (number, at) =>
      number === 0 ? 0 : number === 1 ? asked[at] + 1 : number - 1),
    index,
    endIndex: index.map((from, at) => from + span[at]),
    completed: Uint8Array.from(span, (length) => (length === 0 ? 0 : 1)),
    time,
    endTime: time.map((from, at) => from + duration[at]),
    intended: column("intended"),
    note: Uint32Array.from(column("note")),
    notes,
    order: order === undefined ? null : Uint32Array.from(running(numbersOf(order), 0)),
    valueText(number) {
      if (number === 0) return "nil";
      return number <= integers.length ? String(integers[number - 1]) : texts[number - 1 - integers.length];
    },
  };
}

// The operation invoked at an index; -1 if there is none.
function callAt(history, index) {
  const place = lowerBound(history.index, 0, history.count, index);
  return history.index[place] === index ? place : -1;
}

// The first place in [low, high) of a rising array whose value is at least this one.
function lowerBound(array, low, high, value) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (array[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
