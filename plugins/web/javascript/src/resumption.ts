// Coming back to a session whose WebSocket is lost: by which URL, until when, after which pauses (CONTRACT §3).

import { asGlottisError, problem } from "./errors.js";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** A pause is this part of the time since the loss: Firefox tells no page that there is a network again. */
const PAUSES = 1 / 8;
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
    if (this.#deadline) await this.#pause(FIRST_PAUSE_MS); // it was lost again at once
    else this.#deadline = performance.now() + this.#graceMs;
    const lostAt = this.#deadline - this.#graceMs;
    while (isWanted()) {
      try {
        return await open(this.#url);
      } catch (error) {
        if (HOPELESS.test(asGlottisError(error).code)) throw error;
      }
      const pause = Math.min(Math.max(PAUSES * (performance.now() - lostAt), FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      if (performance.now() + pause > this.#deadline) throw problem("GATEWAY_LOST");
      await this.#pause(pause);
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
