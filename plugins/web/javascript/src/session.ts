// Asks the gateway for a session: POST /api/websession/initiate.

import { refusal, unreachable } from "./errors.js";
import { doubting } from "./patience.js";
import type { CallOptions, ClientOptions, Codec, Session, Transport } from "./types.js";

/** Of a gateway that has no room yet; 1 is the next. */
interface QueuePlace { ticket: string; place: number; retryAfterSeconds: number }

const SAMPLE_RATES: Record<Codec, number> = { OPUS: 48000, G722: 16000, PCMU: 8000, PCMA: 8000 };

/** A gateway's auth scheme may ask others. */
const ANSWER_MS = 15_000;

/** The origin of the page, if this runs in one. */
export function pageOrigin(): string | undefined {
  return globalThis.location?.origin;
}

export function gatewayOf(options: ClientOptions): string {
  return (options.url ?? pageOrigin() ?? "").replace(/\/+$/, "");
}

/** `sampleRate` is that of the samples which travel by the WebSocket. */
export function sessionRequest(call: CallOptions, transport: Transport, sampleRate: number): Record<string, unknown> {
  const codec = transport === "websocket" ? "PCM" : call.codec ?? "OPUS";
  const rate = codec === "PCM" ? sampleRate : SAMPLE_RATES[codec];
  const { campaign, metadata, dynamicVariables, clientIdentifier, businessId } = call;
  return {
    campaignId: campaign,
    transportType: transport === "websocket" ? "WebSocket" : "WebRTC",
    audioConfig: { inputCodec: codec, outputCodec: codec, sampleRate: rate },
    ...(metadata && { metadata }),
    ...(dynamicVariables && { dynamicVariables }),
    ...(clientIdentifier !== undefined && { clientIdentifier }),
    ...(businessId !== undefined && { businessId }),
  };
}

/** `doubt` is called if an answer takes long, and `waits` with each place in the gateway's queue, before it is asked again. */
export async function createSession(
  options: ClientOptions, request: Record<string, unknown>, doubt: () => void, waits: (place: number, ms: number) => Promise<void>,
): Promise<Session> {
  if (options.session) return doubting(options.session(request), doubt);
  const gateway = gatewayOf(options);
  for (let query = "";;) {
    const headers = await headersOf(options); // a token may have expired in the queue
    const signal = AbortSignal.timeout?.(ANSWER_MS) ?? null;
    const asked = fetch(`${gateway}/api/websession/initiate${query}`, { method: "POST", headers, body: JSON.stringify(request), signal });
    const response = await doubting(asked, doubt).catch(() => { throw unreachable(gateway, pageOrigin()); });
    const answer = await response.json().catch(() => ({})) as Session & QueuePlace & Record<string, unknown>;
    if (!response.ok) throw refusal(response.status, answer, response.headers.get("Retry-After"));
    if (answer.websocketUrl) return answer;
    if (!answer.ticket) throw unreachable(gateway, pageOrigin()); // somebody else's answer
    query = `?ticket=${encodeURIComponent(answer.ticket)}`;
    await waits(answer.place, Math.max(1, answer.retryAfterSeconds) * 1000);
  }
}

async function headersOf({ apiKey, token, headers }: ClientOptions): Promise<Record<string, string>> {
  const bearer = typeof token === "function" ? await token() : token;
  return {
    "Content-Type": "application/json",
    ...(apiKey && { "X-API-Key": apiKey }),
    ...(bearer && { Authorization: `Bearer ${bearer}` }),
    ...headers,
  };
}
