// How long to wait for what a network may never bring.

import { problem } from "./errors.js";

/** After so long a sentence says what may be the matter. */
const DOUBT_MS = 1800;

/** Calls `doubt` if a promise takes long. */
export async function doubting<Value>(promise: Promise<Value>, doubt: () => void): Promise<Value> {
  const timer = setTimeout(doubt, DOUBT_MS);
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
