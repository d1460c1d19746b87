// The last minute of one figure, as a small line above a tinted ground.

const SVG = "http://www.w3.org/2000/svg";
const SAMPLES = 60;
const FEWEST = 20; // that the line is as wide as, though there are less
const WIDTH = 120;
const HEIGHT = 28;
const MARGIN = 2;

/** Points of an SVG polyline; the newest sample is at the right, and `floor` the least that fills the height. */
export function pointsOf(samples: readonly number[], floor: number): string {
  const top = Math.max(floor, ...samples);
  const step = WIDTH / (Math.max(FEWEST, samples.length) - 1);
  return samples.map((value, index) => {
    const x = WIDTH - (samples.length - 1 - index) * step;
    const y = HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  }).join(" ");
}

export class Sparkline {
  readonly element = document.createElementNS(SVG, "svg");
  #ground = this.element.appendChild(document.createElementNS(SVG, "polygon"));
  #line = this.element.appendChild(document.createElementNS(SVG, "polyline"));
  #samples: number[] = [];

  /** `floor` as in `pointsOf`. */
  constructor(private readonly floor: number) {
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("aria-hidden", "true");
  }

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
    const points = pointsOf(this.#samples, this.floor);
    const [first = ""] = points.split(",", 1);
    this.#line.setAttribute("points", points);
    this.#ground.setAttribute("points", points && `${first},${HEIGHT} ${points} ${WIDTH},${HEIGHT}`);
  }
}
