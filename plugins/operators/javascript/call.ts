// One call: what it is, its plots, events and trace, and the button that ends it.

import { endCall, fetchCall, fetchStatistics, fetchTrace, type CallPage } from "./api.js";
import { $, make, say } from "./dom.js";
import { Plot, SPAN, type Samples } from "./plot.js";
import { duration, kilobits, milliseconds, percent, score, timeOfDay } from "./words.js";

const TEXT_EVERY = 5; // looks at the call for one at its trace
const MOS_FLOOR = 1;

const received = (name: string) => ({ label: "from the caller", name: `${name}Received` });
const sent = (name: string) => ({ label: "to the caller", name: `${name}Sent` });

const makePlots = () => [
  new Plot("Mean opinion score", [received("mos"), sent("mos")], score, 4.5, MOS_FLOOR),
  new Plot("Loss", [received("loss"), sent("loss")], percent, 0.02),
  new Plot("Jitter", [received("jitter"), sent("jitter")], milliseconds, 0.02),
  new Plot("Round trip", [{ label: "there and back", name: "roundTrip" }], milliseconds, 0.05),
  new Plot("Jitter buffer", [{ label: "delay", name: "bufferDelay" }, { label: "target", name: "bufferTarget" }], milliseconds, 0.1),
  new Plot("Bitrate", [received("bitrate"), sent("bitrate")], kilobits, 40_000),
];

export class CallView {
  #id = "";
  #plots: Plot[] = [];
  #samples: Samples = { names: [], rows: [] };
  #since = -1;
  #looks = 0;

  constructor() {
    $("end").addEventListener("click", () => $<HTMLDialogElement>("confirm").showModal());
    $("confirm").addEventListener("close", () => void this.#confirmed());
    for (const id of ["trace-fold", "statistics-fold"]) $(id).addEventListener("toggle", () => void this.#tellTexts());
  }

  open(id: string): void {
    this.#id = id;
    this.#samples = { names: [], rows: [] };
    this.#since = -1;
    this.#looks = 0;
    this.#plots = makePlots();
    $("plots").replaceChildren(...this.#plots.map(({ element }) => element));
    $("call-events").replaceChildren();
    for (const text of ["facts", "trace", "statistics", "call-said"]) $(text).replaceChildren();
    say($("call-title"), `Session ${id}`);
    $<HTMLButtonElement>("end").disabled = true;
  }

  /** Look at it once more; false if it has ended. */
  async look(): Promise<boolean> {
    const id = this.#id;
    const call = await fetchCall(id, this.#since);
    if (id !== this.#id) return true;
    this.#since = call.now;
    this.#keep(call);
    for (const plot of this.#plots) plot.draw(this.#samples, call.now);
    showFacts(call);
    for (const event of call.events) $("call-events").append(eventLine(event));
    const alive = call.state !== "ended";
    $<HTMLButtonElement>("end").disabled = !alive;
    if (this.#looks++ % TEXT_EVERY === 0 || !alive) await this.#tellTexts();
    return alive;
  }

  #keep({ names, samples, now }: CallPage): void {
    const last = this.#samples.rows.at(-1)?.[0] ?? -1;
    const rows = [...this.#samples.rows, ...samples.filter(([age]) => age! > last)];
    this.#samples = { names, rows: rows.filter(([age]) => age! >= now - SPAN) };
  }

  async #tellTexts(): Promise<void> {
    const id = this.#id;
    const texts = [
      ["trace", () => fetchTrace(id)],
      ["statistics", async () => JSON.stringify(await fetchStatistics(id), null, 2)],
    ] as const;
    for (const [name, tell] of texts) {
      if (!$<HTMLDetailsElement>(`${name}-fold`).open) continue;
      const text = await tell().catch(({ message }: Error) => message);
      if (id === this.#id) say($(name), text);
    }
  }

  async #confirmed(): Promise<void> {
    const dialog = $<HTMLDialogElement>("confirm");
    if (dialog.returnValue !== "end") return;
    dialog.returnValue = "";
    const said = await endCall(this.#id).then(() => "The call was ended.", ({ message }: Error) => message);
    say($("call-said"), said);
  }
}

function showFacts(call: CallPage): void {
  const facts: [string, string][] = [
    ["State", call.reason ? `${call.state}: ${call.reason}` : call.state],
    ["Campaign", call.campaign],
    ["Caller", call.client],
    ["Principal", call.principal],
    ["Address", call.host],
    ["Created", timeOfDay(call.created)],
    [call.state === "ended" ? "Length" : "Age", duration(call.age)],
    ["Set up in", call.setup === null ? "" : milliseconds(call.setup)],
    ["Transport", call.transport],
    ["Path", call.path],
    ["Codec", call.codec],
    ...Object.entries(call.metadata),
  ];
  const list = $("facts");
  const told = facts.filter(([, value]) => value);
  if (list.childElementCount !== told.length) {
    list.replaceChildren(...told.map(([name]) => make("div", "", make("dt", "", name), make("dd"))));
  }
  told.forEach(([, value], index) => say(list.children[index]!.lastElementChild!, value));
}

function eventLine([age, name, words]: [number, string, string]): HTMLElement {
  return make("li", "", make("time", "", age.toFixed(2)), make("b", "", name), make("span", "", words));
}
