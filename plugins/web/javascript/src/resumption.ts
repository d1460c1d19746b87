// Coming back to a session whose WebSocket is lost: by which URL, until when, after which pauses (CONTRACT §3).

import { asGlottisError, problem } from "./errors.js";

const SHORT_PAUSE_MS = 100;
/** Between attempts by WebSocket: Firefox lets each wait longer than the one that failed before it, from 0.2 s on. */
const PAUSE_MS = 1000;
/** Of a question by HTTP, which waits for none of that: Firefox tells no page that there is a network again. */
const PROBE_MS = 1000;
/** The gateway is there and has no such session. */
const HOPELESS = /^(TOKEN_|SESSION_NOT_FOUND|TRANSPORT_MISMATCH)/;

export class Resumption {
  #url: string | null = null;
  #graceMs = 0;
  #deadline = 0; // of the present loss; 0: nothing is lost
  #wake: (() => void) | null = null;

  get isPossible(): boolean {
    return this.#url !== null;
  }

  /** By which URL, and for how long after the loss. */
  get way(): { url: string; graceMs: number } | null {
    return this.#url === null ? null : { url: this.#url, graceMs: this.#graceMs };
  }

  /** What the event `resume` says, which comes on each WebSocket that the gateway has taken. */
  learn(data: { websocketUrl?: unknown; graceSeconds?: unknown }): void {
    if (typeof data.websocketUrl !== "string" || !(Number(data.graceSeconds) > 0)) return;
    this.#url = data.websocketUrl;
    this.#graceMs = Number(data.graceSeconds) * 1000;
    this.#deadline = 0;
  }

  /** Try at once: there may be a network again. */
  hurry(): void {
    this.#wake?.();
  }

  /** Calls `open` until it succeeds, and throws when the session is lost. */
  async resume(open: (url: string) => Promise<void>, isWanted: () => boolean): Promise<void> {
    if (!this.#url) throw problem("GATEWAY_LOST");
    if (this.#deadline) await this.#pause(SHORT_PAUSE_MS); // it was lost again at once
    else this.#deadline = performance.now() + this.#graceMs;
    let isSought = false;
    while (isWanted()) {
      try {
        return await open(this.#url);
      } catch (error) {
        if (HOPELESS.test(asGlottisError(error).code)) throw error;
      }
      if (performance.now() + PAUSE_MS > this.#deadline) throw problem("GATEWAY_LOST");
      if (!isSought) void this.#seek(this.#url, isWanted, this.#deadline);
      isSought = true;
      await this.#pause(PAUSE_MS);
    }
  }

  /** Until the gateway answers; whatever the answer is, there is a network. */
  async #seek(url: string, isWanted: () => boolean, deadline: number): Promise<void> {
    const { origin } = new URL(url.replace(/^ws/, "http"));
    while (isWanted() && this.#deadline === deadline && performance.now() < deadline) {
      try {
        await fetch(`${origin}/healthz`, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout?.(PROBE_MS) ?? null });
        return this.hurry();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, SHORT_PAUSE_MS));
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
    this.#wake = null;
  }
}
