// What goes wrong, in words for people, with what can be done about it.

/** `message` is the problem and its remedy; `code` is stable: the gateway's own, or one of those below. */
export class GlottisError extends Error {
  override name = "GlottisError";

  constructor(
    readonly code: string,
    readonly problem: string,
    readonly remedy = "",
    /** Seconds, where the gateway said when to try again. */
    readonly retryAfter?: number,
  ) {
    super(remedy ? `${problem} ${remedy}` : problem);
  }
}

const PROBLEMS = {
  INSECURE_PAGE: [
    "Browsers give the microphone only to pages from https or from this machine.",
    "Open the page by https, or as http://localhost.",
  ],
  MICROPHONE_REFUSED: [
    "The microphone was refused.",
    "Allow it by the icon beside the page's address, and call again.",
  ],
  MICROPHONE_MISSING: ["No microphone was found.", "Connect one, and call again."],
  MICROPHONE_BUSY: ["The microphone cannot be opened.", "Close the program that uses it, and call again."],
  LOUDSPEAKER_UNAVAILABLE: ["This loudspeaker cannot be used.", "Choose another one, or the default one."],
  NO_WEBRTC: ["This browser has no WebRTC.", "Use another one, or the transport \"websocket\"."],
  NO_UDP: [
    "No audio comes through to the gateway: UDP is probably blocked on the way.",
    "Open the gateway's UDP ports, configure a TURN server, or use another network.",
  ],
  NO_AUDIO_WORKLET: [
    "This page cannot handle audio by the WebSocket.",
    "Open it by https in a current browser, and allow the worklets in its Content-Security-Policy.",
  ],
  GATEWAY_LOST: [
    "The connection to the gateway is lost: it has stopped, or the network has failed.",
    "See whether it runs and can be reached, and call again.",
  ],
  MEDIA_LOST: ["The media connection to the gateway has broken.", "The network may have changed. Call again."],
  NO_KEYS: ["Keys travel with the microphone's audio, which this call does not send.", "Call with a microphone."],
  FAILED: ["What was asked of the call has failed.", "Try again."],
  ENDED: ["The call has ended.", ""],
} satisfies Record<string, [problem: string, remedy: string]>;

export function problem(code: keyof typeof PROBLEMS): GlottisError {
  const [words, remedy] = PROBLEMS[code];
  return new GlottisError(code, words!, remedy);
}

/** What was thrown, as one of ours. */
export function asGlottisError(error: unknown): GlottisError {
  if (error instanceof GlottisError) return error;
  return new GlottisError("FAILED", error instanceof Error ? error.message : String(error));
}

export function microphoneProblem(error: unknown): GlottisError {
  switch ((error as Error | undefined)?.name) {
    case "NotAllowedError": case "SecurityError": return problem("MICROPHONE_REFUSED");
    case "NotFoundError": case "OverconstrainedError": return problem("MICROPHONE_MISSING");
    default: return problem("MICROPHONE_BUSY");
  }
}

/** No answer at all. Browsers do not tell whether the gateway, the network or the rules between origins are to blame. */
export function unreachable(gateway: string, page: string | undefined): GlottisError {
  const host = hostOf(gateway);
  const origins = page && hostOf(page) !== host
    ? ` and whether ${page} is one of its server.allowed_origins` : "";
  return new GlottisError(
    "GATEWAY_UNREACHABLE",
    `The gateway at ${host || "this address"} cannot be reached.`,
    `See whether it runs, whether its name and port are right${origins}.`,
  );
}

/** A WebSocket that did not open. Browsers do not tell why; the gateway's log does. */
export function socketRefused(url: string, page: string | undefined): GlottisError {
  const host = hostOf(url);
  const from = page && hostOf(page) !== host ? ` from this page of ${page}` : "";
  return new GlottisError(
    "SOCKET_REFUSED",
    `The WebSocket to ${host} could not be opened${from}.`,
    "The gateway's log says why it was refused; if it says nothing, see whether the host can be reached, "
      + "whether server.public_url names it rightly, and whether proxies on the way pass on WebSockets.",
  );
}

const REMEDIES: Record<string, string> = {
  TOKEN_INVALID: "Create a new session for each call, and connect by the URL as it is.",
  TOKEN_EXPIRED: "Connect sooner after the session was created: call again.",
  TOKEN_USED: "Create a new session for each call.",
  UNAUTHENTICATED: "Give the client the apiKey or token that the gateway expects.",
};

/** How a WebSocket was closed by the gateway: `CODE: sentence`, or a sentence, or nothing. */
export function socketClosed(code: number, reason: string): GlottisError {
  const [, name, sentence] = /^([A-Z_]+): (.*)$/s.exec(reason) ?? [null, "SOCKET_CLOSED", reason];
  const busy = code === 1012 || code === 1013;
  const words = sentence || (busy ? "The gateway is busy or restarting." : `The gateway closed the connection (${code}).`);
  return new GlottisError(name!, words, REMEDIES[name!] ?? (busy ? "Try again later." : ""));
}

/** A problem document (RFC 9457) of the gateway, or what stands in its place. */
export function refusal(status: number, document: Record<string, unknown>, retryAfter?: string | null): GlottisError {
  const code = typeof document["code"] === "string" ? document["code"] : `HTTP_${status}`;
  const words = document["detail"] || document["title"] || `The gateway refuses the call (status ${status}).`;
  return new GlottisError(code, String(words), REMEDIES[code] ?? "", retryAfter ? Number(retryAfter) : undefined);
}

function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return "";
  }
}
