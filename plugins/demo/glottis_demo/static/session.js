// Asks the gateway for a session. What goes wrong is thrown as an Error whose message is for people.

const SAMPLE_RATES = { OPUS: 48000, G722: 16000, PCMU: 8000, PCMA: 8000 };

export async function createSession({ campaign, codec, apiKey }) {
  const headers = { "Content-Type": "application/json" };
  if (apiKey) headers["X-API-Key"] = apiKey;
  const response = await fetch("/api/websession/initiate", {
    method: "POST",
    headers,
    body: JSON.stringify({
      campaignId: campaign,
      transportType: "WebRTC",
      audioConfig: { inputCodec: codec, outputCodec: codec, sampleRate: SAMPLE_RATES[codec] },
    }),
  }).catch(() => { throw new Error("The gateway cannot be reached."); });
  if (!response.ok) throw new Error(await problemIn(response));
  return response.json();
}

// The sentence of a problem document (RFC 9457).
async function problemIn(response) {
  const problem = await response.json().catch(() => ({}));
  return problem.detail || problem.title || `The gateway refuses the call (status ${response.status}).`;
}
