// What the users of this package see, apart from its classes.

import type { GlottisError } from "./errors.js";

export type Codec = "OPUS" | "G722" | "PCMU" | "PCMA";
export type Transport = "webrtc" | "websocket";

/**
 * - `idle`: not started yet
 * - `connecting`: microphone, session, media
 * - `active`: caller and agent can hear each other
 * - `reconnecting`: the network or the gateway is gone, and is sought
 * - `ended`: for good
 */
export type CallState = "idle" | "connecting" | "active" | "reconnecting" | "ended";

/** What a gateway answers to a request for a session (`POST /api/websession/initiate`). */
export interface Session {
  sessionId: string;
  websocketUrl: string;
  iceServers: RTCIceServer[];
}

/** What this package needs of WebRTC: `react-native-webrtc` exports as much. */
export interface WebRtc {
  RTCPeerConnection: typeof RTCPeerConnection;
  mediaDevices?: Pick<MediaDevices, "getUserMedia" | "enumerateDevices"> | undefined;
  MediaStream?: typeof MediaStream;
  RTCRtpReceiver?: Pick<typeof RTCRtpReceiver, "getCapabilities">;
}

export interface ClientOptions {
  /** Where the gateway is, as in `https://voice.example.org`. Without it: where the page came from. */
  url?: string;
  /** For the auth scheme `api-keys`. A key in a public page is no secret: let your server create sessions (`session`). */
  apiKey?: string;
  /** For the auth scheme `jwt`; a function is asked before each call. */
  token?: string | (() => string | Promise<string>);
  /** Other headers of the request for a session. */
  headers?: Record<string, string>;
  /** Has a session created in another way: it gets the body for the gateway, and gives the gateway's answer. */
  session?: (request: Record<string, unknown>) => Promise<Session>;
  /** Where there is no global `RTCPeerConnection`: `import * as webrtc from "react-native-webrtc"`. */
  webrtc?: WebRtc;
  /** The URL of `worklets.js`, for pages whose policy allows no `blob:` scripts and that do not come from the gateway. */
  worklets?: string;
}

export interface CallOptions {
  /** An entry of the gateway's configuration. */
  campaign: string;
  /** `OPUS` by default. Of the WebSocket it is always PCM. */
  codec?: Codec;
  /** For the agent. */
  metadata?: Record<string, unknown>;
  dynamicVariables?: Record<string, unknown>;
  /** At most 256 characters, no slash and no backslash. */
  clientIdentifier?: string;
  businessId?: number | string;
  /** `auto` by default: WebRTC, and where no media comes through within `fallbackAfterMs`, the WebSocket. */
  transport?: "auto" | Transport;
  /** 5000 by default. */
  fallbackAfterMs?: number;
  /** A device's id, a stream of your own, or false for none. The default device by default. */
  microphone?: string | MediaStream | false;
  /** Whether the call fails without a microphone (the default), or listens only, and tells of it by an `error`. */
  withoutMicrophone?: "fail" | "listen";
  /** Echo cancellation, noise suppression and gain control by the browser: true by default. */
  processing?: boolean;
  /** A device's id, where the browser has `setSinkId`. */
  loudspeaker?: string;
  /** Plays the agent; by default an element of the call's own, which is in no document. Unused by the WebSocket. */
  audioElement?: HTMLAudioElement;
  /**
   * Keep the call when the page is loaded anew: the next page goes on with it by the same options, within the time that the
   * gateway waits, and only by WebRTC. `client.isKept(campaign)` says whether there is one.
   */
  survivesReload?: boolean;
  /** Begin muted. */
  muted?: boolean;
}

export type AgentState = "listening" | "thinking" | "speaking";

export interface Transcript {
  role: "user" | "agent";
  /** Of what was interrupted: what was heard. */
  text: string;
  /** Those of a role that are not final are replaced by the next one of the role. */
  final: boolean;
  interrupted: boolean;
}

/** Milliseconds; each is missing until it is known. */
export interface Timings {
  microphone?: number;
  session?: number;
  socket?: number;
  answer?: number;
  media?: number;
  /** From `connect` to `active`. */
  total?: number;
}

/** Of the moment. Members are missing while they are not measured. */
export interface Statistics {
  codec?: string;
  /** Seconds. */
  roundTripTime?: number;
  /** Seconds. */
  jitter?: number;
  /** Shares from 0 to 1, since the call began, and of the last report. */
  lostIn?: number;
  lostOut?: number;
  /** Since the call began. */
  packetsReceived?: number;
  packetsSent?: number;
  bytesReceived?: number;
  bytesSent?: number;
  /** How the media travels: `udp`, `tcp`, `relay` or `websocket`. */
  path?: string;
}

export interface Report {
  version: string;
  userAgent: string;
  gateway: string;
  campaign: string;
  sessionId: string | null;
  transport: Transport | null;
  state: CallState;
  words: string;
  timings: Timings;
  statistics: Statistics;
  /** The objects of `RTCPeerConnection.getStats()`. */
  stats: Record<string, unknown>[];
  /** Without passwords. */
  offer: string | null;
  answer: string | null;
  /** The last 300: milliseconds since `connect`, the event's type, and what it holds. Without tokens. */
  events: { ms: number; type: string; detail: unknown }[];
}

/** What `call.on(type, listener)` tells, by its type. */
export interface CallEvents {
  /** `words` is a sentence for people. With `ended`, `error` says what went wrong, if something did. */
  state: { state: CallState; words: string; error?: GlottisError };
  /** Of agents that converse. */
  transcript: Transcript;
  agentState: { state: AgentState };
  /** From the caller's last word to the first sound of the answer, and the parts of it, in milliseconds. */
  turn: { latencyMs: number; parts: Record<string, number> };
  /** From the agent. */
  text: { text: string };
  /** A binary message of the agent. */
  data: { bytes: ArrayBuffer };
  /** Each event of the gateway, its extensions and the agent, those above included. */
  event: { name: string; data: Record<string, unknown> };
  /** A key that the agent pressed. By the WebSocket only: in WebRTC it is in the sound. */
  dtmf: { digit: string };
  /** Ten times a second, in dBFS from -60 to 0, while anybody listens to this event. */
  level: { microphone: number; agent: number };
  /** What went wrong, in words. The call goes on, but for `fatal` ones. */
  error: { error: GlottisError; fatal: boolean };
  /** The connection is lost, and is sought. `state` tells it, too. */
  reconnecting: { because: "socket" | "media" };
  reconnected: Record<string, never>;
  /** The transport in use, when it is known: again after a fallback. */
  transport: { transport: Transport };
  /** The agent's sound, for a page that plays or draws it itself. Not by the WebSocket. */
  sound: { stream: MediaStream };
  /** The browser plays nothing before a click. The next one in the page, or `unlockAudio()` in its handler, begins it. */
  audioBlocked: { blocked: boolean };
}

export interface Device {
  id: string;
  /** Empty before the microphone was allowed once. */
  label: string;
}

export interface Devices {
  microphones: Device[];
  /** Empty where the browser cannot choose. */
  loudspeakers: Device[];
}
