// Operations by lane, sorted, so that what is in sight is found by binary search and a million operations
// cost no more to draw than a screen is wide.

// Where operations lie: by time, or by their place in the history, which is what the verdict rests on.
function axisOf(history, name) {
  const byTime = name === "time";
  const start = byTime ? history.time : history.index;
  const end = byTime ? history.endTime.map((to, call) => Math.max(to, start[call])) : history.endIndex;
  const axis = { name, start, end, reach: Float64Array.from(end), first: 0, last: 1 };
  // An unknown outcome reaches on to whatever comes next in its lane.
  const next = new Float64Array(history.laneCount).fill(Infinity);
  for (let call = history.count - 1; call >= 0; call--) {
    const lane = history.lane[call];
    if (history.outcome[call] === UNKNOWN) axis.reach[call] = Math.max(next[lane], end[call]);
    next[lane] = start[call];
  }
  bound(axis, history, byTime ? "ns" : "index");
  return axis;
}

function bound(axis, history, unit) {
  let first = Infinity;
  let last = -Infinity;
  const reach = (from, to) => {
    first = Math.min(first, from);
    last = Math.max(last, to);
  };
  for (let call = 0; call < history.count; call++) reach(axis.start[call], axis.end[call]);
  for (const { from, to } of history.faults) reach(from[unit], (to ?? from)[unit]);
  if (first <= last) Object.assign(axis, { first, last: last > first ? last : first + 1 });
}

// The lanes that have any operation that is accepted, each a stretch of arrays common to all.
function lanesOf(history, axis, accepts) {
  const { count, laneCount } = history;
  const offsets = new Uint32Array(laneCount + 1);
  for (let call = 0; call < count; call++) if (accepts(call)) offsets[history.lane[call] + 1]++;
  for (let lane = 0; lane < laneCount; lane++) offsets[lane + 1] += offsets[lane];
  const call = new Uint32Array(offsets[laneCount]);
  const place = offsets.slice();
  for (let number = 0; number < count; number++) {
    if (accepts(number)) call[place[history.lane[number]]++] = number;
  }
  const lanes = [];
  for (let lane = 0; lane < laneCount; lane++) {
    const [low, high] = [offsets[lane], offsets[lane + 1]];
    if (low === high) continue;
    // Clocks may run back; the order of invocation then is not the order of times.
    const slice = call.subarray(low, high);
    if (slice.some((one, at) => at > 0 && axis.start[one] < axis.start[slice[at - 1]])) {
      slice.sort((a, b) => axis.start[a] - axis.start[b]);
    }
    lanes.push({ lane, low, high, row: lanes.length });
  }
  const sorted = { call, lanes, rowOf: new Map(lanes.map(({ lane, row }) => [lane, row])) };
  sorted.start = Float64Array.from(call, (one) => axis.start[one]);
  sorted.reach = Float64Array.from(call, (one) => axis.reach[one]);
  sorted.failedBefore = countsBefore(call, (one) => history.outcome[one] === FAILED);
  sorted.unknownBefore = countsBefore(call, (one) => history.outcome[one] === UNKNOWN);
  return sorted;
}

function countsBefore(calls, counted) {
  const before = new Uint32Array(calls.length + 1);
  for (let at = 0; at < calls.length; at++) before[at + 1] = before[at] + (counted(calls[at]) ? 1 : 0);
  return before;
}

// Walks through what a lane shows between two places of the axis. An operation wider than a pixel is
// given alone; the narrow ones that begin in one pixel are given together, by their number.
function walk(sorted, lane, viewport, alone, together) {
  const { start, reach } = sorted;
  const wide = 1.5 * viewport.perPixel;
  let at = lowerBound(reach, lane.low, lane.high, viewport.from);
  while (at < lane.high && start[at] <= viewport.to) {
    if (reach[at] - start[at] >= wide) {
      alone(at++);
      continue;
    }
    const pixel = Math.floor(viewport.x(start[at]));
    const end = Math.max(at + 1, lowerBound(start, at, lane.high, viewport.at(pixel + 1)));
    // Only the last that begins in a pixel can reach out of it.
    const lastIsWide = reach[end - 1] - start[end - 1] >= wide;
    together(pixel, at, lastIsWide ? end - 1 : end);
    if (lastIsWide) alone(end - 1);
    at = end;
  }
}
