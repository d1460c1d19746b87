// Asks the gateway for a session: POST /api/websession/initiate.

import { refusal, unreachable } from "./errors.js";
import type { CallOptions, ClientOptions, Codec, Session, Transport } from "./types.js";

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

export async function createSession(options: ClientOptions, request: Record<string, unknown>): Promise<Session> {
  if (options.session) return options.session(request);
  const gateway = gatewayOf(options);
  const headers = await headersOf(options);
  const url = `${gateway}/api/websession/initiate`;
  const signal = AbortSignal.timeout?.(ANSWER_MS) ?? null;
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(request), signal })
    .catch(() => { throw unreachable(gateway, pageOrigin()); });
  const answer = await response.json().catch(() => ({})) as Session & Record<string, unknown>;
  if (!response.ok) throw refusal(response.status, answer, response.headers.get("Retry-After"));
  if (!answer.websocketUrl) throw unreachable(gateway, pageOrigin()); // somebody else's answer
  return answer;
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
