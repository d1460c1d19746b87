// The few numbers of W3C webrtc-stats that tell how a call is.

import type { Statistics } from "./types.js";

// The members that are read here, of whatever object.
export interface Stats extends Record<string, unknown> {
  id: string; type: string; kind?: string;
  codecId?: string; mimeType?: string;
  packetsLost?: number; packetsReceived?: number; packetsSent?: number; bytesReceived?: number; bytesSent?: number;
  jitter?: number; fractionLost?: number; roundTripTime?: number; audioLevel?: number;
  nominated?: boolean; state?: string; currentRoundTripTime?: number;
  localCandidateId?: string; candidateType?: string; protocol?: string; relayProtocol?: string;
}

export function statisticsOf(stats: Stats[]): Statistics {
  const find = (type: string) => stats.find((each) => each.type === type && (each.kind ?? "audio") === "audio");
  const byId = (id: string | undefined) => stats.find((each) => each.id === id);
  const inbound = find("inbound-rtp");
  const outbound = find("outbound-rtp");
  const remote = find("remote-inbound-rtp");
  const pair = stats.find((each) => each.type === "candidate-pair" && each.nominated && each.state === "succeeded");
  const local = byId(pair?.localCandidateId);
  return defined({
    codec: byId(inbound?.codecId ?? outbound?.codecId)?.mimeType?.replace(/^audio\//, ""),
    roundTripTime: remote?.roundTripTime ?? pair?.currentRoundTripTime,
    jitter: inbound?.jitter,
    lostIn: share(inbound?.packetsLost, inbound?.packetsReceived),
    lostOut: remote?.fractionLost,
    packetsReceived: inbound?.packetsReceived,
    packetsSent: outbound?.packetsSent,
    bytesReceived: inbound?.bytesReceived,
    bytesSent: outbound?.bytesSent,
    path: local?.candidateType === "relay" ? "relay" : local?.protocol,
  });
}

function share(lost: number | undefined, received: number | undefined): number | undefined {
  if (lost === undefined || received === undefined || lost + received <= 0) return undefined;
  return Math.max(0, lost) / (Math.max(0, lost) + received);
}

function defined(values: { [Name in keyof Statistics]: Statistics[Name] | undefined }): Statistics {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Statistics;
}
