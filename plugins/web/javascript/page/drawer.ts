// What is under the hood: events, descriptions, and the report to be copied.

import type { Call } from "../src/index.js";
import { $, keepLast, make } from "./dom.js";

const MAX_EVENTS = 300;

export class Drawer {
  #call: Call | null = null;
  #began = 0;

  constructor() {
    $<HTMLDetailsElement>("descriptions").addEventListener("toggle", () => void this.#describe());
    $("copy").addEventListener("click", () => void this.#copy());
  }

  watch(call: Call): void {
    this.#call = call;
    this.#began = performance.now();
    $("events").replaceChildren();
    $<HTMLButtonElement>("copy").disabled = false;
    call.on("state", ({ state, words }) => { this.#note(state, words); void this.#describe(); });
    call.on("event", ({ name, data }) => this.#note(name, JSON.stringify(data)));
    call.on("error", ({ error }) => this.#note("error", `${error.code}: ${error.message}`));
  }

  #note(name: string, detail: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(2);
    $("events").append(make("li", "", make("time", "", seconds), make("b", "", name), make("span", "", detail)));
    keepLast($("events"), MAX_EVENTS);
  }

  async #describe(): Promise<void> {
    if (!$<HTMLDetailsElement>("descriptions").open) return;
    const { offer, answer } = await this.#report() ?? {};
    $("offer").textContent = offer ?? "There is none.";
    $("answer").textContent = answer ?? "There is none.";
  }

  async #copy(): Promise<void> {
    const text = JSON.stringify(await this.#report(), null, 2);
    $("copied").textContent = await toClipboard(text) ? "The report is in the clipboard." : "The browser refuses: copy it from below.";
    $("report").textContent = text;
    $("report").hidden = false;
  }

  #report() {
    return this.#call?.getReport();
  }
}

/** Pages from other machines without https have no clipboard. */
async function toClipboard(text: string): Promise<boolean> {
  return navigator.clipboard?.writeText(text).then(() => true, () => false) ?? false;
}
