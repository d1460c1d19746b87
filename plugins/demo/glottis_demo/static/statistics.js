// Reads a peer connection's statistics (W3C webrtc-stats) into the few lines that the page shows.

export async function readStatistics(peer) {
  const reports = [...(await peer.getStats()).values()];
  const find = (type) => reports.find((report) => report.type === type && (report.kind ?? "audio") === "audio");
  const inbound = find("inbound-rtp");
  const remoteInbound = find("remote-inbound-rtp");
  const codecId = inbound?.codecId ?? find("outbound-rtp")?.codecId;
  const pair = reports.find((report) => report.type === "candidate-pair" && report.nominated && report.state === "succeeded");
  return {
    "codec": reports.find((report) => report.id === codecId)?.mimeType.replace("audio/", ""),
    "round-trip": milliseconds(remoteInbound?.roundTripTime ?? pair?.currentRoundTripTime),
    "lost-in": inbound && percent(inbound.packetsLost / (inbound.packetsLost + inbound.packetsReceived)),
    "lost-out": remoteInbound && percent(remoteInbound.fractionLost),
    "jitter": milliseconds(inbound?.jitter),
  };
}

function milliseconds(seconds) {
  return seconds === undefined ? undefined : `${Math.round(seconds * 1000)} ms`;
}

function percent(share) {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : undefined;
}
