// The figures of a call, each with its line of the last minute.

import type { Call, Statistics } from "../src/index.js";
import { $, make } from "./dom.js";
import { Sparkline } from "./sparkline.js";

const INTERVAL_MS = 1000;

interface Figure {
  name: string;
  label: string;
  /** The least that fills the height of the line. */
  floor: number;
  show(value: number): string;
}

const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
const milliseconds = (value: number) => `${Math.round(value)} ms`;

const FIGURES: Figure[] = [
  { name: "round-trip", label: "Round trip", floor: 50, show: milliseconds },
  { name: "jitter", label: "Jitter", floor: 20, show: milliseconds },
  { name: "lost-in", label: "Lost from agent", floor: 0.05, show: percent },
  { name: "lost-out", label: "Lost to agent", floor: 0.05, show: percent },
  { name: "rate-in", label: "Heard", floor: 64, show: (value) => `${Math.round(value)} kbit/s` },
  { name: "rate-out", label: "Sent", floor: 64, show: (value) => `${Math.round(value)} kbit/s` },
];
const REPLY: Figure = { name: "reply", label: "Time to answer", floor: 1000, show: milliseconds };

export class Figures {
  #lines = new Map<string, Sparkline>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #bytes: { at: number; received: number; sent: number } | null = null;

  constructor() {
    for (const figure of [REPLY, ...FIGURES]) $("statistics").append(this.#card(figure));
  }

  watch(call: Call): void {
    this.stop();
    for (const line of this.#lines.values()) line.clear();
    for (const { name } of [REPLY, ...FIGURES]) $(`stat-${name}`).textContent = "–";
    this.#bytes = null;
    this.#timer = setInterval(() => void this.#measure(call), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Milliseconds from the caller's last word to the first sound of an answer. */
  answered(latency: number): void {
    this.#show(REPLY, latency);
  }

  async #measure(call: Call): Promise<void> {
    if (call.state !== "active") return;
    const statistics = await call.getStatistics();
    $("stat-codec").textContent = [statistics.codec, statistics.path].filter(Boolean).join(" · ") || "–";
    const values = this.#values(statistics);
    for (const figure of FIGURES) {
      const value = values[figure.name];
      if (value !== undefined && Number.isFinite(value)) this.#show(figure, value);
    }
  }

  #values({ roundTripTime, jitter, lostIn, lostOut, bytesReceived = 0, bytesSent = 0 }: Statistics): Record<string, number | undefined> {
    const now = { at: performance.now(), received: bytesReceived, sent: bytesSent };
    const { at, received, sent } = this.#bytes ?? { at: NaN, received: 0, sent: 0 };
    this.#bytes = now;
    return {
      "round-trip": roundTripTime && roundTripTime * 1000,
      "jitter": jitter && jitter * 1000,
      "lost-in": lostIn,
      "lost-out": lostOut,
      "rate-in": (now.received - received) * 8 / (now.at - at), // bits in a millisecond
      "rate-out": (now.sent - sent) * 8 / (now.at - at),
    };
  }

  #show({ name, show }: Figure, value: number): void {
    $(`stat-${name}`).textContent = show(value);
    this.#lines.get(name)!.add(value);
  }

  #card({ name, label, floor }: Figure): HTMLElement {
    const value = make("dd", "", "–");
    value.id = `stat-${name}`;
    const line = new Sparkline(floor);
    this.#lines.set(name, line);
    const card = make("div", "card", make("dt", "", label), value);
    card.append(line.element);
    return card;
  }
}
