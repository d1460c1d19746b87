// How a call's audio, texts and keys travel: by WebRTC (webrtc_leg.ts) or by the WebSocket itself (websocket_leg.ts).

import type { Message } from "./signaling.js";
import type { Statistics, Transport } from "./types.js";

export interface Leg {
  readonly transport: Transport;
  /** Resolves when caller and agent can hear each other. */
  start(): Promise<void>;
  /** What the gateway says that is about the leg. */
  received(message: Message): Promise<void> | void;
  heard(audio: ArrayBuffer): void;
  /** After the WebSocket was resumed, or when the way of the media may have changed; `anew` if it has, or is lost. */
  restart(patienceMs?: number, anew?: boolean): Promise<void>;
  replaceMicrophone(microphone: MediaStream): Promise<void>;
  setLoudspeaker(id: string): Promise<void>;
  /** Whether it went by a way of the leg's own. */
  sendText(text: string): boolean;
  sendDtmf(digits: string, durationMs: number): void;
  /** Drop what was not played yet. */
  silence(): void;
  /** In a user's gesture. */
  unlock(): Promise<void>;
  levels(): Promise<{ microphone: number; agent: number }>;
  statistics(): Promise<{ statistics: Statistics; stats: Record<string, unknown>[] }>;
  descriptions(): { offer: string | null; answer: string | null };
  close(): void;
}

export interface LegOwner {
  signal(message: Message | ArrayBuffer): boolean;
  /** Something that belongs into the call's report. */
  note(type: string, detail: unknown): void;
  text(text: string): void;
  data(bytes: ArrayBuffer): void;
  sound(stream: MediaStream): void;
  blocked(isBlocked: boolean): void;
  /** The media: there again, gone for the moment, or for good without a restart. */
  media(state: "connected" | "disconnected" | "failed"): void;
}
