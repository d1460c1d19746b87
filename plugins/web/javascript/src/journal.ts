// What has happened in a call, for its report: without tokens, keys and passwords.

import type { Report } from "./types.js";

const LIMIT = 300;

export class Journal {
  readonly began = performance.now();
  readonly events: Report["events"] = [];

  /** Milliseconds since `connect`. */
  get now(): number {
    return Math.round(performance.now() - this.began);
  }

  note(type: string, detail: unknown): void {
    this.events.push({ ms: this.now, type, detail });
    if (this.events.length > LIMIT) this.events.shift();
  }
}

export function withoutPasswords(sdp: string | null): string | null {
  return sdp && sdp.replace(/^a=ice-pwd:.*$/gm, "a=ice-pwd:…");
}
