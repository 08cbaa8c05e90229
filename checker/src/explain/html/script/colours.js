// The colours of the style sheet, for the canvas.

function coloursOf(root, context) {
  const style = getComputedStyle(root);
  const colour = (name) => style.getPropertyValue(`--tl-${name}`).trim();
  const names = {
    ground: "ground", text: "text", faint: "faint", line: "line", grid: "grid", shade: "shade", ok: "ok",
    okEdge: "ok-edge", onOk: "on-ok", look: "look", failed: "failed", unknown: "unknown",
    unknownGone: "unknown-gone", onUnknown: "on-unknown", witness: "witness", windowFill: "window",
    fault: "fault", faultHover: "fault-hover", faultEdge: "fault-edge", faultShade: "fault-shade",
    faultText: "fault-text",
  };
  const colours = Object.fromEntries(Object.entries(names).map(([name, property]) => [name, colour(property)]));
  colours.crowd = [1, 2, 3, 4].map((level) => colour(`crowd-${level}`));
  colours.hatch = hatch(context, colours);
  return colours;
}

// Diagonal lines, for what did not happen.
function hatch(context, { failed, ground }) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const brush = tile.getContext("2d");
  brush.fillStyle = ground;
  brush.fillRect(0, 0, 6, 6);
  brush.strokeStyle = failed;
  brush.globalAlpha = 0.55;
  for (const shift of [-6, 0, 6]) {
    brush.moveTo(shift, 6);
    brush.lineTo(shift + 6, 0);
  }
  brush.stroke();
  return context.createPattern(tile, "repeat");
}
