// A call that is kept while its page is loaded anew: what the next page needs of it, in the storage of the tab.

import type { Session } from "./types.js";

const KEY = "glottis";

export interface Kept {
  gateway: string;
  campaign: string;
  /** Milliseconds since 1970: how long the gateway waits. */
  until: number;
  /** With the URL to resume by. */
  session: Session;
}

/** Says whether there is such a storage. */
export function keep(kept: Kept): boolean {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
    return true;
  } catch {
    return false;
  }
}

/** Of this gateway and campaign. */
export function findKept(gateway: string, campaign: string): Session | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY)!) as Kept | null;
    return kept && kept.gateway === gateway && kept.campaign === campaign && kept.until > Date.now() ? kept.session : null;
  } catch {
    return null;
  }
}

/** Its URL works once. */
export function takeKept(gateway: string, campaign: string): Session | null {
  const session = findKept(gateway, campaign);
  if (session) sessionStorage.removeItem(KEY);
  return session;
}
