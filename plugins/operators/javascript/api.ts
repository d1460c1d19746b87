// What the gateway tells, below /api/plugins/operators/, to who has the token. That is kept as long as the tab.

const KEY = "glottis.operators.token";
const FOLDER = "/api/plugins/operators";

export interface Call {
  id: string;
  campaign: string;
  client: string;
  principal: string;
  host: string;
  transport: string;
  state: string;
  reason: string;
  created: number;
  age: number;
  setup: number | null;
  codec: string;
  path: string;
  mos: number | null;
  spark: (number | null)[][];
  lossReceived?: number;
  lossSent?: number;
  jitterReceived?: number;
  jitterSent?: number;
  roundTrip?: number;
}

export interface CallPage extends Call {
  now: number;
  names: string[];
  samples: (number | null)[][];
  events: [number, string, string][];
  droppedEvents: number;
  metadata: Record<string, string>;
}

export interface Worker {
  worker: number;
  cpu: number;
  lateness: number | null;
  longestLateness: number;
  load: number;
  complexity: number;
  sessions: [string, string, number][];
  refusals: Record<string, number>;
  createdInAMinute: number;
  running: number;
  calls: Call[];
  ended: Call[];
}

export interface Overview {
  now: number;
  version: string;
  workers: Worker[];
}

/** The gateway wants another token, or one at all. */
export class Refused extends Error {}
/** There is no such call any more. */
export class Gone extends Error {}

export function keepToken(token: string): void {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

export function hasToken(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

export async function ask(path: string, method = "GET"): Promise<Response> {
  const token = sessionStorage.getItem(KEY);
  const answer = await fetch(`${FOLDER}${path}`, { method, ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}) });
  if (answer.ok) return answer;
  const { detail = answer.statusText } = await answer.json().catch(() => ({}));
  const Kind = answer.status === 401 || answer.status === 403 ? Refused : answer.status === 404 ? Gone : Error;
  throw new Kind(detail);
}

export const fetchOverview = async () => await (await ask("/overview")).json() as Overview;
export const fetchCall = async (id: string, since: number) =>
  await (await ask(`/calls/${encodeURIComponent(id)}?since=${since}`)).json() as CallPage;
export const fetchTrace = async (id: string) => await (await ask(`/calls/${encodeURIComponent(id)}/trace`)).text();
export const fetchStatistics = async (id: string) => await (await ask(`/calls/${encodeURIComponent(id)}/stats`)).json() as object;
export const endCall = (id: string) => ask(`/calls/${encodeURIComponent(id)}/end`, "POST");
