// One RTCPeerConnection of a call, with its audio and its data channel. A call may have another after it.

import type { Codec, WebRtc } from "./types.js";

const AUXILIARY_CODECS = ["telephone-event", "cn"];
/** The last texts, which may have to be sent again by another connection. */
const MAX_SENT = 100;

export interface ConnectionOwner {
  trickle(candidate: RTCIceCandidate | null): void;
  changed(connection: Connection, state: RTCPeerConnectionState): void;
  came(connection: Connection, data: string | ArrayBuffer): void;
  opened(connection: Connection): void;
}

export class Connection {
  readonly peer: RTCPeerConnection;
  transceiver!: RTCRtpTransceiver;
  channel!: RTCDataChannel;
  /** What the agent says, once there is an answer. */
  stream: MediaStream | null = null;
  /** By the channel. */
  received = 0;
  sent = 0;
  texts: string[] = [];
  /** Of what comes first, how much has come by the connection before. */
  skip = 0;
  #candidates: RTCIceCandidate[] | null = []; // those before the offer

  #types = new Set<string | null>();

  /** In `frame`, if there is one, which is removed with it. */
  constructor(
    private readonly owner: ConnectionOwner,
    private readonly webrtc: WebRtc,
    configuration: RTCConfiguration,
    readonly frame: HTMLIFrameElement | null = null,
  ) {
    const { RTCPeerConnection } = (frame?.contentWindow as unknown as WebRtc) ?? webrtc;
    this.peer = new RTCPeerConnection(configuration);
    this.peer.ontrack = ({ track, streams }) => { this.stream = streams[0] ?? new (webrtc.MediaStream ?? MediaStream)([track]); };
    this.peer.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    this.peer.onconnectionstatechange = () => owner.changed(this, this.peer.connectionState);
  }

  /** Whether it has found no address of the machine: of a network that is gone there may be one for TCP. */
  get isStuck(): boolean {
    return this.peer.iceConnectionState === "new" || (this.#types.has("tcp") && !this.#types.has("udp"));
  }

  prepare(codec: Codec, microphone: MediaStream | null): void {
    this.#addAudio(codec, microphone);
    const channel = this.channel = this.peer.createDataChannel("chat");
    channel.binaryType = "arraybuffer";
    channel.onopen = () => this.owner.opened(this);
    channel.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      this.received += 1;
      if (this.skip > 0) this.skip -= 1;
      else this.owner.came(this, data);
    };
  }

  /** The description is on its way: candidates may follow. */
  offered(): void {
    const candidates = this.#candidates ?? [];
    this.#candidates = null;
    candidates.forEach((candidate) => this.#trickle(candidate));
  }

  send(text: string): void {
    this.channel.send(text);
    this.sent += 1;
    this.texts.push(text);
    if (this.texts.length > MAX_SENT) this.texts.shift();
  }

  /** Texts after the first `count`. */
  textsAfter(count: number): string[] {
    return this.texts.slice(Math.max(0, this.texts.length - (this.sent - count)));
  }

  close(): void {
    this.peer.onconnectionstatechange = this.peer.onicecandidate = this.peer.ontrack = null;
    this.channel.onmessage = this.channel.onopen = null;
    this.peer.close();
    this.frame?.remove();
  }

  #addAudio(codec: Codec, microphone: MediaStream | null): void {
    const track = microphone?.getAudioTracks()[0];
    this.transceiver = track
      ? this.peer.addTransceiver(track, { direction: "sendrecv", streams: [microphone!] })
      : this.peer.addTransceiver("audio", { direction: "recvonly" });
    const wanted = [codec.toLowerCase(), ...AUXILIARY_CODECS].map((name) => `audio/${name}`);
    const receiver = this.webrtc.RTCRtpReceiver ?? globalThis.RTCRtpReceiver;
    const codecs = receiver?.getCapabilities?.("audio")?.codecs ?? [];
    const chosen = codecs.filter(({ mimeType }) => wanted.includes(mimeType.toLowerCase()));
    if (chosen.length) this.transceiver.setCodecPreferences?.(chosen);
  }

  #trickle(candidate: RTCIceCandidate | null): void {
    if (candidate) this.#types.add(candidate.protocol);
    if (this.#candidates) candidate && this.#candidates.push(candidate);
    else this.owner.trickle(candidate);
  }
}
