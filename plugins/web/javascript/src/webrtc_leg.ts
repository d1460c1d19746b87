// Audio, texts and keys by WebRTC. The client makes the offers; the gateway's candidates follow its answer.

import { Connection, type ConnectionOwner } from "./connection.js";
import { problem, GlottisError } from "./errors.js";
import { eventIn } from "./events.js";
import { openFrame } from "./frame.js";
import { Meter, QUIETEST, dbfs } from "./levels.js";
import type { Leg, LegOwner } from "./leg.js";
import type { Message } from "./signaling.js";
import { statisticsOf, type Stats } from "./statistics.js";
import type { CallOptions, Session, WebRtc } from "./types.js";

/** Without an answer for so long the WebSocket is dead, though nobody has closed it. */
const ANSWER_MS = 5000;
/** A connection that has been begun anew is given so long before another is; of one that has no address one knows sooner. */
const ANEW_MS = 2000;
const STUCK_MS = 150;
/** Complaints that are of no offer. */
const OTHER_ERRORS = /^(CANDIDATE_UNMATCHED|UNKNOWN_|NOT_|TOO_MUCH|TOO_MANY_(?!OFFERS))/;

export class WebRtcLeg implements Leg, ConnectionOwner {
  readonly transport = "webrtc";
  #connection!: Connection;
  /** Is to take its place. */
  #next: Connection | null = null;
  #doubt: ReturnType<typeof setTimeout> | undefined;
  /** Whose place was taken, until it is known what came by its channel. */
  #before: Connection | null = null;
  /** Texts that wait for that. */
  #waiting: string[] = [];
  #configuration: RTCConfiguration;
  #answered: ((failure?: Error) => void) | null = null;
  #connected: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #playing: MediaStream | null = null;
  #element: HTMLAudioElement | null = null;
  #meters: { microphone?: Meter; agent?: Meter } = {};

  constructor(
    private readonly owner: LegOwner,
    private readonly options: CallOptions,
    private microphone: MediaStream | null,
    private readonly webrtc: WebRtc,
    session: Session,
  ) {
    this.#configuration = { iceServers: session.iceServers };
    this.#connection = new Connection(this, webrtc, this.#configuration);
  }

  get iceServers(): RTCIceServer[] { return this.#configuration.iceServers ?? []; }
  get peer(): RTCPeerConnection { return this.#connection.peer; }

  async start(): Promise<void> {
    if (this.microphone) this.#meters.microphone = new Meter(this.microphone);
    const connected = new Promise<void>((resolve, reject) => { this.#connected = { resolve, reject }; });
    await Promise.all([this.#describe(this.#connection), connected]);
  }

  async received(message: Message): Promise<void> {
    const { peer } = this.#next ?? this.#connection;
    switch (message.type) {
      case "answer":
        await peer.setRemoteDescription({ type: "answer", sdp: message["sdp"] as string });
        if (!this.#next) this.#play(this.#connection.stream);
        return this.#answered?.();
      case "candidate": // another one may do
        return peer.addIceCandidate((message["candidate"] ?? undefined) as RTCIceCandidateInit).catch(() => {});
      case "error": // of an offer, if one is under way
        if (OTHER_ERRORS.test(String(message["code"]))) return;
        return this.#answered?.(new GlottisError(String(message["code"]), String(message["message"])));
      case "event":
        if (message["name"] !== "ice_servers") return;
        this.#configuration = message["data"] as RTCConfiguration;
        return peer.setConfiguration?.({ ...peer.getConfiguration?.(), ...this.#configuration });
    }
  }

  heard(): void {}

  /** Looks for a new way of the media, beside the one that there is or was: by a connection of its own if it is to be `anew`. */
  async restart(patienceMs?: number, anew = false): Promise<void> {
    if (anew) return this.#beginAnew(patienceMs);
    const { peer } = this.#connection;
    this.#giveUpNext();
    if (peer.signalingState !== "stable") await peer.setLocalDescription({ type: "rollback" }); // lost answer
    peer.restartIce();
    await this.#offer(this.#connection, patienceMs);
    if (peer.connectionState === "connected") this.owner.media("connected"); // it may never have been anything else
  }

  async replaceMicrophone(microphone: MediaStream): Promise<void> {
    this.microphone = microphone;
    this.#meters.microphone?.close();
    this.#meters.microphone = new Meter(microphone);
    for (const { transceiver } of this.#connections) {
      await transceiver.sender.replaceTrack(microphone.getAudioTracks()[0] ?? null);
    }
    const { transceiver } = this.#connection;
    if (transceiver.direction === "sendrecv") return;
    transceiver.direction = "sendrecv";
    await this.#offer(this.#connection);
  }

  async setLoudspeaker(id: string): Promise<void> {
    const element = this.#element ?? this.options.audioElement;
    if (!element?.setSinkId) throw problem("LOUDSPEAKER_UNAVAILABLE");
    await element.setSinkId(id).catch(() => { throw problem("LOUDSPEAKER_UNAVAILABLE"); });
  }

  sendText(text: string): boolean {
    if (this.#next || this.#before) return Boolean(this.#waiting.push(text));
    if (this.#connection.channel.readyState !== "open") return false;
    this.#connection.send(text);
    return true;
  }

  sendDtmf(digits: string, durationMs: number): void {
    const { dtmf } = this.#connection.transceiver.sender;
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
    this.#giveUpNext();
    this.#connection.close();
    this.#meters.microphone?.close();
    this.#meters.agent?.close();
    if (this.#element) this.#element.srcObject = null;
  }

  // The connections call these

  trickle(candidate: RTCIceCandidate | null): void {
    this.owner.signal({ type: "candidate", candidate: candidate?.toJSON?.() ?? candidate }); // null: no more
  }

  changed(connection: Connection, state: RTCPeerConnectionState): void {
    this.owner.note("connectionState", { state });
    if (connection === this.#next) {
      if (state !== "connected") return;
      this.#takeOver(connection);
    }
    if (state === "connected") this.#connected?.resolve();
    if (state === "failed") this.#connected?.reject(problem("NO_UDP"));
    if (state === "connected" || state === "disconnected" || state === "failed") this.owner.media(state);
  }

  opened(connection: Connection): void {
    if (connection === this.#connection && this.#before && !this.#before.received) this.#goOn(0, 0); // it never was open
  }

  came(connection: Connection, data: string | ArrayBuffer): void {
    if (typeof data !== "string") return this.owner.data(data);
    const event = eventIn(data);
    if (event?.name !== "continued") return this.owner.text(data);
    if (connection === this.#connection) this.#goOn(Number(event.data["sent"]), Number(event.data["received"]));
  }

  // One after the other

  get #connections(): Connection[] {
    return this.#next ? [this.#connection, this.#next] : [this.#connection];
  }

  /** By a new connection, beside the one that there is: browsers are slow to leave a way by which they were connected. */
  async #beginAnew(patienceMs?: number, frame: HTMLIFrameElement | null = null): Promise<void> {
    this.#giveUpNext();
    const next = this.#next = new Connection(this, this.webrtc, this.#configuration, frame);
    await this.#describe(next, patienceMs);
    this.#expect(frame ? ANEW_MS : STUCK_MS, () => {
      const other = next.isStuck && !frame ? openFrame(this.webrtc) : null;
      if (other) void this.#beginAnew(patienceMs, other).catch((error) => this.owner.note("error", error));
      else this.#expect(ANEW_MS, () => this.peer.connectionState === "connected" ? this.#giveUpNext() : this.owner.media("failed"));
    });
  }

  /** Of what is to take the place of the connection that there is; else it is doubted. */
  #expect(ms: number, doubt: () => void): void {
    clearTimeout(this.#doubt);
    if (this.#next) this.#doubt = setTimeout(doubt, ms);
  }

  #giveUpNext(): void {
    clearTimeout(this.#doubt);
    this.#next?.close();
    this.#next = null;
  }

  #takeOver(connection: Connection): void {
    clearTimeout(this.#doubt);
    this.#before = this.#connection;
    this.#next = null;
    this.#connection = connection;
    this.#play(connection.stream);
    this.#before.close();
  }

  /** The gateway has `sent` so many messages by the channel before, which have surely come, and has got so many. */
  #goOn(sent: number, received: number): void {
    const before = this.#before;
    if (!before) return;
    this.#before = null;
    this.#connection.skip = Math.max(0, before.received - sent);
    for (const text of [...before.textsAfter(received), ...this.#waiting.splice(0)]) this.#connection.send(text);
  }

  async #stats(): Promise<Stats[]> {
    const report = await this.peer.getStats();
    const stats: Stats[] = [];
    report.forEach((each) => stats.push(each as Stats));
    return stats;
  }

  async #describe(connection: Connection, patienceMs?: number): Promise<void> {
    connection.prepare(this.options.codec ?? "OPUS", this.microphone);
    await this.#offer(connection, patienceMs);
  }

  /** Resolves when the answer is applied. */
  async #offer(connection: Connection, patienceMs = ANSWER_MS): Promise<void> {
    await connection.peer.setLocalDescription();
    let patience: ReturnType<typeof setTimeout> | undefined;
    let settle!: (failure?: Error) => void;
    const answered = new Promise<void>((resolve, reject) => {
      settle = (failure) => (failure ? reject(failure) : resolve());
      patience = setTimeout(() => reject(problem("GATEWAY_LOST")), patienceMs);
    });
    this.#answered?.(problem("FAILED")); // the one before was lost
    this.#answered = settle;
    try {
      const { survivesReload = false } = this.options; // what a page closes as it is left comes in any order
      this.owner.signal({ type: "offer", sdp: connection.peer.localDescription!.sdp, survivesReload });
      connection.offered();
      await answered;
      this.owner.note("answer", {});
    } finally {
      clearTimeout(patience);
      if (this.#answered === settle) this.#answered = null;
    }
  }

  #play(stream: MediaStream | null): void {
    if (!stream || stream === this.#playing) return;
    this.#playing = stream;
    this.owner.sound(stream);
    this.#meters.agent?.close();
    this.#meters.agent = new Meter(stream);
    if (!this.options.audioElement && !globalThis.Audio) return; // React Native plays by itself
    this.#element ??= this.options.audioElement ?? new Audio();
    this.#element.autoplay = true;
    this.#element.srcObject = stream;
    if (this.options.loudspeaker) void this.setLoudspeaker(this.options.loudspeaker).catch((error) => this.owner.note("error", error));
    this.#element.play().catch((error: Error) => { if (error.name === "NotAllowedError") this.owner.blocked(true); });
  }
}
