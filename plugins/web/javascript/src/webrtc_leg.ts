// Audio, texts and keys by WebRTC. The client makes the offers; the gateway's candidates follow its answer.

import { problem, GlottisError } from "./errors.js";
import { Meter, QUIETEST, dbfs } from "./levels.js";
import type { Leg, LegOwner } from "./leg.js";
import type { Message } from "./signaling.js";
import { statisticsOf, type Stats } from "./statistics.js";
import type { CallOptions, Codec, Session, WebRtc } from "./types.js";

const AUXILIARY_CODECS = ["telephone-event", "cn"];
/** Without an answer for so long the WebSocket is dead, though nobody has closed it. */
const ANSWER_MS = 5000;
/** Complaints that are of no offer. */
const OTHER_ERRORS = /^(CANDIDATE_UNMATCHED|UNKNOWN_|NOT_|TOO_MUCH|TOO_MANY_(?!OFFERS))/;

export class WebRtcLeg implements Leg {
  readonly transport = "webrtc";
  readonly peer: RTCPeerConnection;
  #transceiver: RTCRtpTransceiver | null = null;
  #channel: RTCDataChannel | null = null;
  #candidates: RTCIceCandidate[] | null = []; // those before the offer
  #answered: ((failure?: Error) => void) | null = null;
  #connected: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #element: HTMLAudioElement | null = null;
  #meters: { microphone?: Meter; agent?: Meter } = {};

  constructor(
    private readonly owner: LegOwner,
    private readonly options: CallOptions,
    private readonly microphone: MediaStream | null,
    private readonly webrtc: WebRtc,
    session: Session,
  ) {
    this.peer = new webrtc.RTCPeerConnection({ iceServers: session.iceServers });
    this.peer.ontrack = ({ track, streams }) => this.#play(streams[0] ?? new (webrtc.MediaStream ?? MediaStream)([track]));
    this.peer.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    this.peer.onconnectionstatechange = () => this.#changed();
  }

  async start(): Promise<void> {
    this.#addAudio(this.options.codec ?? "OPUS");
    this.#watch(this.peer.createDataChannel("chat"));
    if (this.microphone) this.#meters.microphone = new Meter(this.microphone);
    const connected = new Promise<void>((resolve, reject) => { this.#connected = { resolve, reject }; });
    await Promise.all([this.#offer(), connected]);
  }

  async received(message: Message): Promise<void> {
    switch (message.type) {
      case "answer":
        await this.peer.setRemoteDescription({ type: "answer", sdp: message["sdp"] as string });
        return this.#answered?.();
      case "candidate": // another one may do
        return this.peer.addIceCandidate((message["candidate"] ?? undefined) as RTCIceCandidateInit).catch(() => {});
      case "error": // of an offer, if one is under way
        if (OTHER_ERRORS.test(String(message["code"]))) return;
        return this.#answered?.(new GlottisError(String(message["code"]), String(message["message"])));
      case "event":
        if (message["name"] !== "ice_servers") return;
        return this.peer.setConfiguration?.({ ...this.peer.getConfiguration?.(), ...message["data"] as object });
    }
  }

  heard(): void {}

  /** Looks for a new way of the media, beside the one that there is or was. */
  async restart(patienceMs?: number): Promise<void> {
    if (this.peer.signalingState !== "stable") await this.peer.setLocalDescription({ type: "rollback" }); // lost answer
    this.peer.restartIce();
    await this.#offer(patienceMs);
    if (this.peer.connectionState === "connected") this.owner.media("connected"); // it may never have been anything else
  }

  async replaceMicrophone(microphone: MediaStream): Promise<void> {
    await this.#transceiver!.sender.replaceTrack(microphone.getAudioTracks()[0] ?? null);
    this.#meters.microphone?.close();
    this.#meters.microphone = new Meter(microphone);
    if (this.#transceiver!.direction === "sendrecv") return;
    this.#transceiver!.direction = "sendrecv";
    await this.#offer();
  }

  async setLoudspeaker(id: string): Promise<void> {
    const element = this.#element ?? this.options.audioElement;
    if (!element?.setSinkId) throw problem("LOUDSPEAKER_UNAVAILABLE");
    await element.setSinkId(id).catch(() => { throw problem("LOUDSPEAKER_UNAVAILABLE"); });
  }

  sendText(text: string): boolean {
    if (this.#channel?.readyState !== "open") return false;
    this.#channel.send(text);
    return true;
  }

  sendDtmf(digits: string, durationMs: number): void {
    const dtmf = this.#transceiver?.sender.dtmf;
    if (!dtmf?.canInsertDTMF) throw problem("NO_KEYS");
    dtmf.insertDTMF(dtmf.toneBuffer + digits, durationMs);
  }

  silence(): void {} // what the gateway has sent is heard within the delay of the line

  async unlock(): Promise<void> {
    await this.#element?.play();
    this.owner.blocked(false);
    await Promise.all([this.#meters.agent?.resume(), this.#meters.microphone?.resume()]);
  }

  async levels(): Promise<{ microphone: number; agent: number }> {
    const { microphone, agent } = this.#meters;
    if ((!microphone || microphone.runs) && agent?.runs) return { microphone: microphone?.level ?? QUIETEST, agent: agent.level };
    const stats = await this.#stats();
    const level = (type: string) => dbfs(stats.find((each) => each.type === type && each.kind === "audio")?.audioLevel ?? 0);
    return { microphone: level("media-source"), agent: level("inbound-rtp") };
  }

  async statistics() {
    const stats = await this.#stats();
    return { statistics: statisticsOf(stats), stats };
  }

  descriptions() {
    return {
      offer: this.peer.localDescription?.sdp ?? null,
      answer: this.peer.remoteDescription?.sdp ?? null,
    };
  }

  close(): void {
    this.#connected?.reject(problem("ENDED"));
    this.#answered?.(problem("ENDED"));
    this.peer.onconnectionstatechange = this.peer.onicecandidate = this.peer.ontrack = null;
    this.peer.close();
    this.#meters.microphone?.close();
    this.#meters.agent?.close();
    if (this.#element) this.#element.srcObject = null;
  }

  async #stats(): Promise<Stats[]> {
    const report = await this.peer.getStats();
    const stats: Stats[] = [];
    report.forEach((each) => stats.push(each as Stats));
    return stats;
  }

  #addAudio(codec: Codec): void {
    const track = this.microphone?.getAudioTracks()[0];
    const transceiver = track
      ? this.peer.addTransceiver(track, { direction: "sendrecv", streams: [this.microphone!] })
      : this.peer.addTransceiver("audio", { direction: "recvonly" });
    this.#transceiver = transceiver;
    const wanted = [codec.toLowerCase(), ...AUXILIARY_CODECS].map((name) => `audio/${name}`);
    const receiver = this.webrtc.RTCRtpReceiver ?? globalThis.RTCRtpReceiver;
    const codecs = receiver?.getCapabilities?.("audio")?.codecs ?? [];
    const chosen = codecs.filter(({ mimeType }) => wanted.includes(mimeType.toLowerCase()));
    if (chosen.length) transceiver.setCodecPreferences?.(chosen);
  }

  #watch(channel: RTCDataChannel): void {
    channel.binaryType = "arraybuffer";
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") this.owner.text(data);
      else this.owner.data(data);
    };
  }

  /** Resolves when the answer is applied. */
  async #offer(patienceMs = ANSWER_MS): Promise<void> {
    await this.peer.setLocalDescription();
    let patience: ReturnType<typeof setTimeout> | undefined;
    let settle!: (failure?: Error) => void;
    const answered = new Promise<void>((resolve, reject) => {
      settle = (failure) => (failure ? reject(failure) : resolve());
      patience = setTimeout(() => reject(problem("GATEWAY_LOST")), patienceMs);
    });
    this.#answered?.(problem("FAILED")); // the one before was lost
    this.#answered = settle;
    try {
      this.owner.signal({ type: "offer", sdp: this.peer.localDescription!.sdp });
      const candidates = this.#candidates ?? [];
      this.#candidates = null;
      candidates.forEach((candidate) => this.#trickle(candidate));
      await answered;
      this.owner.note("answer", {});
    } finally {
      clearTimeout(patience);
      if (this.#answered === settle) this.#answered = null;
    }
  }

  #trickle(candidate: RTCIceCandidate | null): void {
    if (this.#candidates) candidate && this.#candidates.push(candidate);
    else this.owner.signal({ type: "candidate", candidate: candidate?.toJSON?.() ?? candidate }); // null: no more
  }

  #changed(): void {
    const state = this.peer.connectionState;
    this.owner.note("connectionState", { state });
    if (state === "connected") this.#connected?.resolve();
    if (state === "failed") this.#connected?.reject(problem("NO_UDP"));
    if (state === "connected" || state === "disconnected" || state === "failed") this.owner.media(state);
  }

  #play(stream: MediaStream): void {
    this.owner.sound(stream);
    this.#meters.agent?.close();
    this.#meters.agent = new Meter(stream);
    if (!this.options.audioElement && !globalThis.Audio) return; // React Native plays by itself
    this.#element = this.options.audioElement ?? new Audio();
    this.#element.autoplay = true;
    this.#element.srcObject = stream;
    if (this.options.loudspeaker) void this.setLoudspeaker(this.options.loudspeaker).catch((error) => this.owner.note("error", error));
    this.#element.play().catch((error: Error) => { if (error.name === "NotAllowedError") this.owner.blocked(true); });
  }
}
