// What was said and written, as bubbles: of the agent's what was interrupted is struck through, guesses are dimmed.

import type { Transcript } from "../src/index.js";
import { $, keepLast, make } from "./dom.js";

const MAX_BUBBLES = 200;
const MAX_WRITTEN = 8; // that wait to be told as transcripts

type Role = Transcript["role"];

interface Bubble {
  item: HTMLLIElement;
  words: HTMLElement;
  text: string;
  isFinal: boolean;
}

export class Conversation {
  #lines = $<HTMLOListElement>("lines");
  #open: Record<Role, Bubble | null> = { user: null, agent: null }; // which transcripts replace
  #written: Record<Role, Bubble[]> = { user: [], agent: [] }; // perhaps told as transcripts, too
  #told = ""; // the agent's last transcript
  #reply: { words: string; details: string } | null = null; // for the next bubble of the agent
  #inAll: { words: string; details: string } | null = null; // came before what it completes
  #isInPart = false; // what was told last of an answer is not all of it
  #time: HTMLElement | null = null; // of its latest

  clear(): void {
    this.#lines.replaceChildren();
    this.#open = { user: null, agent: null };
    this.#written = { user: [], agent: [] };
    this.#told = "";
    this.#reply = this.#time = null;
  }

  /** By the agent, or the caller. */
  wrote(role: Role, text: string): void {
    if (role === "agent" && this.#told.endsWith(text)) return;
    this.#written[role] = [...this.#written[role].slice(-MAX_WRITTEN), this.#add(role, text, true)];
  }

  said({ role, text, final, interrupted }: Transcript): void {
    const bubble = this.#open[role] = this.#bubbleOf(role, text);
    const unheard = interrupted ? restOf(bubble.text, text) : "";
    bubble.text = text;
    bubble.isFinal = final;
    if (role === "agent") this.#told = text;
    if (final) this.#open[role] = null;
    this.#show(bubble, unheard);
  }

  /** The agent fell silent before a word of what it had begun was heard. */
  unsaid(): void {
    const bubble = this.#open.agent;
    if (!bubble) return;
    const unheard = bubble.text;
    bubble.text = "";
    bubble.isFinal = true;
    this.#open.agent = null;
    this.#show(bubble, unheard);
  }

  /** Belongs to the agent's words that come next. */
  tookToAnswer(words: string, details: string): void {
    this.#reply = this.#inAll ?? { words, details };
    this.#isInPart = !this.#inAll;
    this.#inAll = null;
  }

  /**
   * The same from mouth to ear, which is known when the first sound has left: before those words are told, or after; even
   * before `tookToAnswer`, for agents speak by the data channel where there is one, and the gateway by the WebSocket.
   */
  tookInAll(words: string, details: string): void {
    if (!this.#isInPart) this.#inAll = { words, details };
    else if (this.#reply) this.#reply = { words, details };
    else this.#time?.replaceWith(this.#time = timeOf({ words, details }));
    this.#isInPart = false;
  }

  note(text: string): void {
    this.#append(make("li", "note", text));
  }

  /** What was written and is told once more stands there once. */
  #bubbleOf(role: Role, text: string): Bubble {
    const written = this.#written[role].find((each) => text.trim().endsWith(each.text.trim()));
    const open = this.#open[role];
    this.#written[role] = this.#written[role].filter((each) => each !== written);
    if (open && written) written.item.remove();
    return open ?? written ?? this.#add(role, "", false);
  }

  #add(role: Role, text: string, isFinal: boolean): Bubble {
    const words = make("p", "words");
    const item = make("li", role, make("span", "hidden", role === "user" ? "You: " : "Agent: "), words);
    const bubble = { item, words, text, isFinal };
    if (role === "agent" && this.#reply) item.append(this.#time = timeOf(this.#reply));
    if (role === "agent") this.#reply = null;
    this.#append(item);
    this.#show(bubble, "");
    return bubble;
  }

  #show({ item, words, text, isFinal }: Bubble, unheard: string): void {
    item.classList.toggle("partial", !isFinal);
    item.classList.toggle("interrupted", Boolean(unheard));
    words.replaceChildren(text);
    if (unheard) words.append(text && " ", make("s", "", make("span", "hidden", "not heard: "), unheard));
    this.#scroll();
  }

  #append(item: HTMLLIElement): void {
    this.#lines.append(item);
    keepLast(this.#lines, MAX_BUBBLES);
    this.#scroll();
  }

  #scroll(): void {
    const log = $("log");
    log.scrollTop = log.scrollHeight;
  }
}

function timeOf({ words, details }: { words: string; details: string }): HTMLElement {
  const time = make("span", "reply-time", make("span", "hidden", "answered "), words);
  time.title = details;
  return time;
}

/** What of `said` comes after the words of `heard`. */
function restOf(said: string, heard: string): string {
  if (said.startsWith(heard)) return said.slice(heard.length).trim();
  const count = heard.split(/\s+/).filter(Boolean).length;
  return said.split(/\s+/).slice(count).join(" ");
}
