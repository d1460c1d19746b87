// Audio by the WebSocket (CONTRACT §5): for networks without UDP, and browsers without WebRTC.

import { asGlottisError, problem } from "./errors.js";
import type { Leg, LegOwner } from "./leg.js";
import { Meter, QUIETEST } from "./levels.js";
import type { Message } from "./signaling.js";
import type { Statistics } from "./types.js";
import { WORKLETS } from "./worklets.js";

const FASTEST = 48000; // samples a second that gateways take

/** The context of a call's audio, with its worklets. `urls` are tried where the page's policy forbids `blob:`. */
export async function openAudio(urls: string[]): Promise<AudioContext> {
  if (!globalThis.AudioContext) throw problem("NO_AUDIO_WORKLET");
  let context = new AudioContext();
  if (context.sampleRate > FASTEST) {
    void context.close();
    context = new AudioContext({ sampleRate: FASTEST });
  }
  const blob = URL.createObjectURL(new Blob([WORKLETS], { type: "text/javascript" }));
  try {
    for (const url of [blob, ...urls]) {
      const isThere = await context.audioWorklet?.addModule(url).then(() => true, () => false);
      if (isThere) return context;
    }
  } finally {
    URL.revokeObjectURL(blob);
  }
  void context.close();
  throw problem("NO_AUDIO_WORKLET");
}

export class WebSocketLeg implements Leg {
  readonly transport = "websocket";
  #play: AudioWorkletNode;
  #capture: AudioWorkletNode;
  #source: MediaStreamAudioSourceNode | null = null;
  #meters: { microphone?: Meter; agent: Meter };
  #counts = { packetsReceived: 0, bytesReceived: 0, packetsSent: 0, bytesSent: 0 };

  constructor(
    private readonly owner: LegOwner,
    private readonly context: AudioContext,
    microphone: MediaStream | null,
    private readonly loudspeaker: string | undefined,
  ) {
    this.#play = new AudioWorkletNode(context, "glottis-play", { numberOfInputs: 0 });
    this.#play.connect(context.destination);
    this.#play.port.onmessage = ({ data }: MessageEvent<string>) => owner.signal(JSON.parse(data) as Message);
    const sound = context.createMediaStreamDestination();
    this.#play.connect(sound);
    this.#meters = { agent: new Meter(sound.stream) };
    this.#capture = new AudioWorkletNode(context, "glottis-capture", { numberOfOutputs: 0 });
    this.#capture.port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#send(data);
    if (microphone) this.#listen(microphone);
  }

  async start(): Promise<void> {
    if (this.loudspeaker) await this.setLoudspeaker(this.loudspeaker).catch((error) => this.owner.note("error", asGlottisError(error)));
    this.context.onstatechange = () => this.owner.blocked(this.context.state === "suspended");
    if (this.context.state === "suspended") this.owner.blocked(true);
    this.owner.media("connected");
  }

  received({ type, name, ...rest }: Message): void {
    if (type !== "event") return;
    if (name === "mark") this.#play.port.postMessage(JSON.stringify({ type, name, ...rest }));
    if (name === "flush") this.silence();
  }

  heard(audio: ArrayBuffer): void {
    this.#counts.packetsReceived += 1;
    this.#counts.bytesReceived += audio.byteLength;
    this.#play.port.postMessage(audio, [audio]);
  }

  async restart(): Promise<void> {} // TCP knows one way

  async replaceMicrophone(microphone: MediaStream): Promise<void> {
    this.#listen(microphone);
  }

  async setLoudspeaker(id: string): Promise<void> {
    const context = this.context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
    if (!context.setSinkId) throw problem("LOUDSPEAKER_UNAVAILABLE");
    await context.setSinkId(id).catch(() => { throw problem("LOUDSPEAKER_UNAVAILABLE"); });
  }

  sendText(): boolean {
    return false; // the call's own way
  }

  sendDtmf(digits: string, durationMs: number): void {
    for (const digit of digits.replace(/,/g, "")) {
      this.owner.signal({ type: "event", name: "dtmf", data: { digit, durationMs } });
    }
  }

  silence(): void {
    this.#play.port.postMessage(null);
  }

  async unlock(): Promise<void> {
    await Promise.all([this.context.resume(), this.#meters.agent.resume()]);
  }

  async levels(): Promise<{ microphone: number; agent: number }> {
    return { microphone: this.#meters.microphone?.level ?? QUIETEST, agent: this.#meters.agent.level };
  }

  async statistics(): Promise<{ statistics: Statistics; stats: Record<string, unknown>[] }> {
    const statistics = { codec: "PCM", path: "websocket", ...this.#counts };
    return { statistics, stats: [{ type: "websocket", sampleRate: this.context.sampleRate, ...this.#counts }] };
  }

  descriptions() {
    return { offer: null, answer: null };
  }

  close(): void {
    this.#meters.microphone?.close();
    this.#meters.agent.close();
    this.context.onstatechange = null;
    void this.context.close();
  }

  #listen(microphone: MediaStream): void {
    this.#source?.disconnect();
    this.#source = this.context.createMediaStreamSource(microphone);
    this.#source.connect(this.#capture);
    this.#meters.microphone?.close();
    this.#meters.microphone = new Meter(microphone);
  }

  #send(block: ArrayBuffer): void {
    if (!this.owner.signal(block)) return;
    this.#counts.packetsSent += 1;
    this.#counts.bytesSent += block.byteLength;
  }
}
