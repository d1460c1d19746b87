// How long to wait for what a network may never bring.

import { problem } from "./errors.js";

/** After so long a sentence says what may be the matter: people wait for two seconds, and timers may be late. */
const DOUBT_MS = 1500;
const LEAST_MS = 800;

/** Calls `doubt` if a promise takes long; `spent` milliseconds have gone before it, for things that were well. */
export async function doubting<Value>(promise: Promise<Value>, doubt: () => void, spent = 0): Promise<Value> {
  const timer = setTimeout(doubt, Math.max(LEAST_MS, DOUBT_MS - spent));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects with `NO_UDP` where the time is over first. */
export async function within<Value>(ms: number | undefined, promise: Promise<Value>): Promise<Value> {
  if (ms === undefined) return promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_, reject) => { timer = setTimeout(() => reject(problem("NO_UDP")), ms); });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
