// The tables of running calls and of those that have ended.

import type { Call, Overview } from "./api.js";
import { $, make, pointsOf, say } from "./dom.js";
import { Table, type Column } from "./table.js";
import { both, duration, milliseconds, percent, qualityOf, score, timeOfDay } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WORST = 5; // of a mean opinion score: calls of which nothing is known come after those that fare badly

const most = (...values: (number | null | undefined)[]) => Math.max(-1, ...values.map((value) => value ?? -1));

const session: Column<Call> = {
  title: "Session", by: (call) => call.id, show: (call) => call.id, className: "id",
  fill(cell, call) {
    if (cell.firstChild) return;
    const link = make("a", "", call.id);
    link.href = `#${encodeURIComponent(call.id)}`;
    cell.append(link);
  },
};
const campaign: Column<Call> = { title: "Campaign", by: (call) => call.campaign, show: (call) => call.campaign, className: "campaign" };
const caller: Column<Call> = { title: "Caller", by: callerOf, show: callerOf, className: "aside" };
const quality: Column<Call> = {
  title: "MOS", by: (call) => call.mos ?? WORST, show: (call) => score(call.mos), className: "number",
  fill(cell, call) {
    const kind = qualityOf(call.mos);
    if (cell.dataset.quality !== kind) cell.dataset.quality = kind;
    say(cell, kind === "unknown" ? score(call.mos) : `${score(call.mos)} ${kind}`);
  },
};
const RUNNING: Column<Call>[] = [
  session, campaign, caller,
  { title: "Age", by: (call) => call.age, show: (call) => duration(call.age), className: "number" },
  { title: "State", by: (call) => call.state, show: (call) => call.state, className: "aside" },
  { title: "Path", by: (call) => call.path, show: (call) => call.path || "–", className: "aside" },
  { title: "Loss", by: (call) => most(call.lossReceived, call.lossSent), show: (call) => both(percent, call.lossReceived, call.lossSent), className: "number" },
  { title: "Jitter", by: (call) => most(call.jitterReceived, call.jitterSent), show: (call) => both(milliseconds, call.jitterReceived, call.jitterSent), className: "number aside" },
  { title: "Round trip", by: (call) => most(call.roundTrip), show: (call) => milliseconds(call.roundTrip), className: "number aside" },
  quality,
  { title: "Trend", by: (call) => call.mos ?? WORST, show: () => "", fill: drawTrend, className: "trend aside" },
];
const ENDED: Column<Call>[] = [
  session, campaign, caller,
  { title: "Ended", by: (call) => call.created + call.age, show: (call) => timeOfDay(call.created + call.age), className: "number" },
  { title: "Length", by: (call) => call.age, show: (call) => duration(call.age), className: "number aside" },
  { title: "Reason", by: (call) => call.reason, show: (call) => call.reason },
  quality,
];

export class Calls {
  #running = new Table<Call>($<HTMLTableElement>("running"), RUNNING, ({ id }) => id, RUNNING.indexOf(quality));
  #ended = new Table<Call>($<HTMLTableElement>("ended"), ENDED, ({ id }) => id, 3, true);
  #overview: Overview | null = null;

  constructor() {
    for (const id of ["search", "quality"]) $(id).addEventListener("input", () => this.#overview && this.show(this.#overview));
  }

  show(overview: Overview): void {
    this.#overview = overview;
    const all = overview.workers.flatMap(({ calls }) => calls);
    const ended = overview.workers.flatMap((worker) => worker.ended).filter(isSought);
    const shown = all.filter(isSought).filter(isOfQuality);
    this.#running.show(shown);
    this.#ended.show(ended);
    say($("shown"), `${shown.length} of ${countOf(overview)} calls`);
    $("no-calls").hidden = shown.length > 0;
    $("no-ended").hidden = ended.length > 0;
  }
}

/** All of the gateway, those of campaigns that are not watched among them. */
export function countOf({ workers }: Overview): number {
  return workers.flatMap(({ sessions }) => sessions).reduce((sum, [, , count]) => sum + count, 0);
}

function callerOf({ client, principal }: Call): string {
  return client || principal;
}

function isSought(call: Call): boolean {
  const words = $<HTMLInputElement>("search").value.toLowerCase().split(/\s+/);
  const text = [call.id, call.campaign, call.client, call.principal, call.host, call.state, call.path, call.reason].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function isOfQuality({ mos }: Call): boolean {
  const wanted = $<HTMLSelectElement>("quality").value;
  return !wanted || wanted.split(" ").includes(qualityOf(mos));
}

function drawTrend(cell: HTMLElement, { spark }: Call): void {
  let line = cell.querySelector("polyline");
  if (!line) {
    const picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("viewBox", "0 0 120 28");
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("aria-hidden", "true");
    line = picture.appendChild(document.createElementNS(SVG, "polyline"));
    cell.append(picture);
  }
  const [received = [], sent = []] = spark;
  const worse = received.map((value, index) => Math.min(value ?? WORST, sent[index] ?? WORST)).filter((value) => value < WORST);
  line.setAttribute("points", pointsOf(worse.map((value) => value - 1), 3.5));
}
