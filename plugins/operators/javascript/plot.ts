// Lines over the last five minutes. Numbers and names are text beside the drawing, which may be stretched.

import { make, say } from "./dom.js";

export const SPAN = 300; // seconds
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 80;

export interface Series {
  label: string;
  /** Of the samples, as the gateway names it. */
  name: string;
}

export type Samples = { names: string[]; rows: (number | null)[][] };

export class Plot {
  readonly element: HTMLElement;
  #picture = document.createElementNS(SVG, "svg");
  #lines: SVGPathElement[];
  #values: HTMLElement[];
  #top = make("span");

  /** `least` is what the height is at least, above `floor`. */
  constructor(
    private readonly title: string, private readonly series: Series[], private readonly show: (value: number | null) => string,
    private readonly least: number, private readonly floor = 0,
  ) {
    this.#picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#picture.setAttribute("preserveAspectRatio", "none");
    this.#picture.setAttribute("role", "img");
    this.#lines = series.map(() => this.#picture.appendChild(document.createElementNS(SVG, "path")));
    this.#values = series.map(() => make("b", "", "–"));
    const legend = series.map(({ label }, index) => make("span", `series-${index}`, `${label} `, this.#values[index]!));
    const axis = make("div", "axis", make("span", "", "5 minutes ago"), make("span", "", "now"));
    const ground = make("div", "ground", make("div", "scale", this.#top, make("span", "", show(floor))));
    ground.append(this.#picture);
    this.element = make("figure", "plot", make("figcaption", "", make("strong", "", title), ...legend), ground, axis);
  }

  draw({ names, rows }: Samples, now: number): void {
    const seen = rows.filter(([age]) => age! >= now - SPAN);
    const columns = this.series.map(({ name }) => {
      const at = names.indexOf(name);
      return seen.map((row) => [row[0]!, row[at] ?? null] as const);
    });
    const highest = columns.flat().reduce((most, [, value]) => Math.max(most, value ?? 0), this.least);
    const top = this.floor + (highest - this.floor) * 1.05;
    say(this.#top, this.show(highest));
    const words = columns.map((column, index) => {
      this.#lines[index]!.setAttribute("d", pathOf(column, now, this.floor, top));
      const last = column.at(-1)?.[1] ?? null;
      say(this.#values[index]!, this.show(last));
      return `${this.series[index]!.label} ${this.show(last)}`;
    });
    this.#picture.setAttribute("aria-label", `${this.title}, now: ${words.join(", ")}`);
  }
}

/** What is not known is a gap. */
function pathOf(column: (readonly [number, number | null])[], now: number, floor: number, top: number): string {
  let drawing = false;
  return column.map(([age, value]) => {
    if (value === null) {
      drawing = false;
      return "";
    }
    const x = WIDTH - (now - age) / SPAN * WIDTH;
    const y = HEIGHT - Math.max(0, value - floor) / (top - floor) * HEIGHT;
    const step = `${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    drawing = true;
    return step;
  }).join("");
}
