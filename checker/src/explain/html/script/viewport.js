// The stretch of the axis that is in sight, and how it lies on the screen.

class Viewport {
  constructor(axis) {
    this.axis = axis;
    this.left = 0;
    this.width = 1;
    this.fit();
  }

  // Where the picture of the axis is on the canvas.
  place(left, width) {
    this.left = left;
    this.width = Math.max(1, width);
  }

  get perPixel() {
    return (this.to - this.from) / this.width;
  }

  x(value) {
    return this.left + (value - this.from) / this.perPixel;
  }

  at(x) {
    return this.from + (x - this.left) * this.perPixel;
  }

  show(from, to) {
    const { first, last, name } = this.axis;
    const whole = last - first;
    const margin = whole * 0.02;
    const smallest = Math.min(whole, name === "time" ? 1e3 : 2);
    const span = Math.min(Math.max(to - from, smallest), whole + 2 * margin);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - span / 2, first - margin), last + margin - span);
    this.to = this.from + span;
  }

  fit() {
    this.show(this.axis.first, this.axis.last);
    this.zoom(2);
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(pixels) {
    const by = pixels * this.perPixel;
    this.show(this.from + by, this.to + by);
  }
}

// Round places on an axis, at least this many pixels apart.
function ticks(viewport, apart, smallest) {
  const least = Math.max(viewport.perPixel * apart, smallest);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= least * 0.999);
  const places = [];
  for (let n = Math.ceil(viewport.from / step); n * step <= viewport.to; n++) places.push(n * step);
  return { step, places };
}
