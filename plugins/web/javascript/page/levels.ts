// How loud both are, as the custom property --level (0–1) of elements, and to screen readers.

import { $ } from "./dom.js";

const QUIETEST = -60; // dBFS

export function showLevels({ microphone, agent }: { microphone: number; agent: number }): void {
  draw("level-out", microphone);
  draw("level-in", agent);
  $("call").style.setProperty("--mine", share(microphone));
  $("call").style.setProperty("--theirs", share(agent));
}

function draw(id: string, level: number): void {
  $(id).setAttribute("aria-valuenow", String(Math.round(Math.max(QUIETEST, level))));
  $(id).style.setProperty("--level", share(level));
}

function share(level: number): string {
  return Math.max(0, 1 - level / QUIETEST).toFixed(3);
}
