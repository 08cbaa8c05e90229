// What is known about one operation or fault, as text. Everything from a history becomes text content,
// never markup.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function detailsOf(scene, thing) {
  const [title, rows] = typeof thing === "number" ? operationRows(scene, thing)
    : thing.calls ? crowdRows(scene, thing) : faultRows(scene, thing);
  const list = element("dl");
  for (const [name, text] of rows) {
    if (text !== "") list.append(element("dt", {}, name), element("dd", {}, String(text)));
  }
  return [element("strong", {}, title), list];
}

function operationRows({ history, roles, orderPlace }, call) {
  const { functions, f, outcome, processes, process, key, keys } = history;
  const unknown = outcome[call] === UNKNOWN;
  const asked = history.asked[call];
  const result = history.result[call];
  const rows = [
    ["outcome", OUTCOMES[outcome[call]]],
    ["process", processes[process[call]]],
    ["key", key[call] < 0 ? "" : keys[key[call]]],
    ["asked", asked === 0 ? "" : history.valueText(asked)],
    ["result", result === 0 ? "" : history.valueText(result - 1)],
    ["ops", history.completed[call] ? `${history.index[call]}, ${history.endIndex[call]}` : history.index[call]],
  ];
  if (history.timed) rows.push(...timeRows(history, call));
  if (unknown) rows.push(["", history.completed[call] ? "given up; may still happen later" : "never answered"]);
  if (orderPlace?.[call] >= 0) rows.push(["order", `takes effect as number ${orderPlace[call] + 1}`]);
  if (roles.has(history.index[call])) rows.push(["part", roles.get(history.index[call])]);
  if (history.note[call] > 0) rows.push(...history.notes[history.note[call] - 1]);
  return [`${functions[f[call]]} ${valuesOf(history, call)}`, rows];
}

function timeRows(history, call) {
  const from = history.time[call];
  const rows = [["from", momentText(from)]];
  if (history.completed[call]) {
    rows.push(["to", momentText(history.endTime[call])]);
    rows.push(["took", durationText(history.endTime[call] - from)]);
  }
  const intended = history.intended[call];
  if (intended > 0) rows.push(["begun late", durationText(-step(intended - 1))]);
  return rows;
}

function crowdRows({ history }, { calls, first, failed, unknown }) {
  const rows = [
    ["process", history.processes[history.process[first]]],
    ["ok", grouped(calls - failed - unknown)],
    ["failed", failed || ""],
    ["unknown", unknown || ""],
    ["", "click to zoom in"],
  ];
  return [`${grouped(calls)} operations, from op ${history.index[first]}`, rows];
}

function faultRows({ history }, fault) {
  const moment = ({ index, ns }) => (history.timed ? `${momentText(ns)} (op ${index})` : `op ${index}`);
  const rows = [["process", "nemesis"], ["what", fault.value]];
  if (fault.lasting) {
    rows.push(["from", moment(fault.from)], ["to", fault.to ? moment(fault.to) : "never healed"]);
    if (fault.to && history.timed) rows.push(["lasted", durationText(fault.to.ns - fault.from.ns)]);
  } else {
    rows.push(["at", moment(fault.from)]);
  }
  return [fault.f, [...rows, ...fault.notes]];
}

// Puts a box beside a point, inside its parent.
function placeBeside(box, x, y, parent) {
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const left = x + 16 + width < parent.clientWidth ? x + 16 : Math.max(2, x - width - 16);
  const top = Math.max(2, Math.min(y + 14, parent.clientHeight - height - 2));
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}
