// The gateway as a whole, above the table of its calls.

import type { Overview, Worker } from "./api.js";
import { countOf } from "./calls.js";
import { $, make, say } from "./dom.js";
import { milliseconds } from "./words.js";

const sum = (workers: Worker[], of: (worker: Worker) => number) => workers.reduce((total, worker) => total + of(worker), 0);
const share = (value: number) => `${Math.round(value * 100)} %`;

export function showTotals(overview: Overview): void {
  const { workers } = overview;
  const late = workers.map(({ lateness }) => lateness).filter((value) => value !== null);
  say($("total-calls"), String(countOf(overview)));
  say($("total-setups"), String(sum(workers, ({ createdInAMinute }) => createdInAMinute)));
  say($("total-lateness"), late.length ? milliseconds(Math.max(...late)) : "–");
  say($("total-cpu"), workers.map(({ cpu }) => share(cpu)).join(" · ") || "–");
  say($("total-load"), workers.map(({ load }) => share(load)).join(" · ") || "–");
  showRefusals(workers);
  const listed = sum(workers, ({ calls }) => calls.length);
  const hidden = sum(workers, ({ running }) => running) - listed;
  const unwatched = countOf(overview) - listed - hidden;
  say($("hidden"), [
    hidden > 0 ? `${hidden} more calls, which fare better, are not listed.` : "",
    unwatched > 0 ? `${unwatched} calls are not watched: their campaigns are without the extension operators, or the machine was too busy for it.` : "",
  ].filter(Boolean).join(" "));
}

function showRefusals(workers: Worker[]): void {
  const counts = new Map<string, number>();
  for (const { refusals } of workers) {
    for (const [code, count] of Object.entries(refusals)) counts.set(code, (counts.get(code) ?? 0) + count);
  }
  const all = [...counts.values()].reduce((total, count) => total + count, 0);
  say($("total-refusals"), String(all));
  const list = $("refusals");
  const lines = [...counts].sort(([, one], [, other]) => other - one).map(([code, count]) => `${code} ${count}`);
  if (list.textContent !== lines.join("")) list.replaceChildren(...lines.map((line) => make("li", "", line)));
}
