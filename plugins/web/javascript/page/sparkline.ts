// A minute of one figure as a small line.

const SAMPLES = 60;
const WIDTH = 120;
const HEIGHT = 28;
const MARGIN = 2;

/** Points of an SVG polyline; the newest sample is at the right, and `floor` the least that fills the height. */
export function pointsOf(samples: readonly number[], floor: number): string {
  const top = Math.max(floor, ...samples);
  const step = WIDTH / (SAMPLES - 1);
  return samples.map((value, index) => {
    const x = WIDTH - (samples.length - 1 - index) * step;
    const y = HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  }).join(" ");
}

export class Sparkline {
  #samples: number[] = [];

  /** `floor` as in `pointsOf`. */
  constructor(private readonly line: SVGPolylineElement, private readonly floor: number) {}

  add(value: number): void {
    this.#samples.push(value);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#draw();
  }

  clear(): void {
    this.#samples = [];
    this.#draw();
  }

  #draw(): void {
    this.line.setAttribute("points", pointsOf(this.#samples, this.floor));
  }
}
