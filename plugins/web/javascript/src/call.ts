// One call: microphone, session, signaling and a leg, and what becomes of them when the network is lost.

import { Emitter } from "./emitter.js";
import { asGlottisError, GlottisError, problem } from "./errors.js";
import { eventIn, tellEvent } from "./events.js";
import { Journal, withoutPasswords } from "./journal.js";
import { keep, takeKept } from "./kept.js";
import type { Leg, LegOwner } from "./leg.js";
import { openMicrophone } from "./microphone.js";
import { PageWatch } from "./page.js";
import { doubting, within } from "./patience.js";
import { Resumption } from "./resumption.js";
import { createSession, gatewayOf, sessionRequest } from "./session.js";
import { Signaling, type Message, type SignalingOwner } from "./signaling.js";
import type {
  CallEvents, CallOptions, CallState, ClientOptions, Report, Session, Statistics, Timings, Transport, WebRtc,
} from "./types.js";
import { VERSION } from "./version.js";
import { WebRtcLeg } from "./webrtc_leg.js";
import { openAudio, WebSocketLeg } from "./websocket_leg.js";

const FALLBACK_MS = 5000;
/** Texts that wait for a WebSocket which is lost. */
const MAX_UNSENT = 100;
/** Media that is interrupted for longer is sought by another way. */
const RESTART_MS = 500;
/** Patience with the answer of a WebSocket from before media was lost: most likely both are of a network that is gone. */
const SUSPICION_MS = 1000;
const LEVEL_MS = 100;
/** A page that is there so long after it was about to be left is not left. */
const STAY_MS = 1000;
/** What the gateway says first on each data channel (CONTRACT §4). */
const GREETING = "Backend connected";

export class Call extends Emitter<CallEvents> {
  /** What the caller says, if the microphone is open. */
  microphone: MediaStream | null = null;
  sessionId: string | null = null;
  readonly timings: Timings = {};
  #state: CallState = "idle";
  #words = "Ready.";
  #muted: boolean;
  #isOwnMicrophone = false;
  #journal = new Journal();
  #resumption = new Resumption();
  #signaling: Signaling;
  #leg: Leg | null = null;
  #lost = { socket: false, media: false };
  #wasActive = false;
  #unsent: string[] = [];
  #restartOn = 0; // the WebSocket by which a restart is under way
  #restartTimer: ReturnType<typeof setTimeout> | undefined;
  #levelTimer: ReturnType<typeof setInterval> | undefined;
  #page: PageWatch | null = null;
  #isBlocked = false;
  #isKept = false; // for the page that follows
  #isElsewhere = false; // the machine may be in another network than the media connection
  #abort!: (error: GlottisError) => void;
  #over: Promise<never>;

  constructor(private readonly client: ClientOptions, private readonly webrtc: WebRtc | null, private readonly options: CallOptions) {
    super();
    this.#muted = options.muted ?? false;
    this.#signaling = new Signaling(this.#signalingOwner());
    this.#over = new Promise((_, reject) => { this.#abort = reject; });
    this.#over.catch(() => {});
  }

  get state(): CallState { return this.#state; }
  /** The state, in a sentence for people. */
  get words(): string { return this.#words; }
  get muted(): boolean { return this.#muted; }
  get transport(): Transport | null { return this.#leg?.transport ?? null; }
  get audioBlocked(): boolean { return this.#isBlocked; }
  /** Of calls by WebRTC, for what this class has no word for. */
  get peer(): RTCPeerConnection | null { return this.#leg instanceof WebRtcLeg ? this.#leg.peer : null; }

  /** Resolves when the call is active. Throws `GlottisError`, and the call has ended then. */
  async connect(): Promise<this> {
    if (this.#state !== "idle") throw problem("ENDED");
    try {
      this.#watchPage();
      await this.#openMicrophone();
      await this.#establish();
    } catch (error) {
      this.#end(asGlottisError(error));
      throw asGlottisError(error);
    }
    return this;
  }

  /** The agent hears silence from now on, or the caller again. */
  mute(muted = true): void {
    this.#muted = muted;
    for (const track of this.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** To the agent, by the data channel or the WebSocket. */
  sendText(text: string): void {
    if (this.#state === "ended" || this.#state === "idle") throw problem("ENDED");
    this.#journal.note("sendText", { length: text.length });
    if (this.#leg?.sendText(text) || this.#signaling.send({ type: "text", text })) return;
    this.#unsent.push(text);
    if (this.#unsent.length > MAX_UNSENT) this.#unsent.shift();
  }

  /** A typed message: an object with a `type`, of at most 16 KiB, which agents get as such. */
  sendEvent(type: string, data: Record<string, unknown> = {}): void {
    this.sendText(JSON.stringify({ ...data, type }));
  }

  /** Presses keys, one after the other: `0`–`9`, `*`, `#`, `A`–`D`; a comma is a pause of two seconds (WebRTC only). */
  sendDtmf(digits: string, { durationMs = 100 }: { durationMs?: number } = {}): void {
    if (!this.#leg) throw problem("ENDED");
    this.#leg.sendDtmf(digits, durationMs);
    this.#journal.note("sendDtmf", { count: digits.length });
  }

  /** Asks the agent to fall silent, as speaking would. */
  interrupt(): void {
    this.#leg?.silence();
    this.sendEvent("interrupt");
  }

  /** Speak by another device, or by a stream of your own; also where the call began without a microphone. */
  async setMicrophone(microphone: string | MediaStream = ""): Promise<void> {
    const stream = await openMicrophone(this.webrtc ?? missing(), { ...this.options, microphone });
    try {
      await this.#leg?.replaceMicrophone(stream!);
    } catch (error) {
      if (stream !== microphone) stream!.getTracks().forEach((track) => track.stop());
      throw error;
    }
    this.#closeMicrophone();
    this.#use(stream, microphone);
  }

  /** Hear by another device: an id of `client.devices()`, `""` for the default one. */
  async setLoudspeaker(id: string): Promise<void> {
    await this.#leg?.setLoudspeaker(id);
  }

  /** Begin to play, in the handler of a user's gesture, after the event `audioBlocked`. */
  async unlockAudio(): Promise<void> {
    await this.#leg?.unlock();
  }

  hangUp(reason = "the caller hung up"): void {
    this.#end(null, "You hung up.", reason);
  }

  async getStatistics(): Promise<Statistics> {
    return (await this.#leg?.statistics())?.statistics ?? {};
  }

  /** All that helps to find out what is wrong with a call. JSON can hold it; it has no tokens and no passwords. */
  async getReport(): Promise<Report> {
    const measured = await this.#leg?.statistics().catch(() => undefined);
    const { offer = null, answer = null } = this.#leg?.descriptions() ?? {};
    return {
      version: VERSION,
      userAgent: globalThis.navigator?.userAgent ?? "",
      gateway: gatewayOf(this.client),
      campaign: this.options.campaign,
      sessionId: this.sessionId,
      transport: this.transport,
      state: this.#state,
      words: this.#words,
      timings: { ...this.timings },
      statistics: measured?.statistics ?? {},
      stats: measured?.stats ?? [],
      offer: withoutPasswords(offer),
      answer: withoutPasswords(answer),
      events: [...this.#journal.events],
    };
  }

  // The beginning

  async #openMicrophone(): Promise<void> {
    if (this.options.microphone === false) return;
    this.#become("connecting", "Waiting for the microphone …");
    try {
      const { microphone } = this.options;
      const opened = openMicrophone(this.webrtc ?? missing(), this.options).then((stream) => this.#use(stream, microphone));
      await Promise.race([opened, this.#over]);
    } catch (error) {
      if (this.#state === "ended" || this.options.withoutMicrophone !== "listen") throw error;
      this.#complain(asGlottisError(error));
    }
    this.timings.microphone = this.#journal.now;
  }

  #use(microphone: MediaStream | null, given: CallOptions["microphone"]): void {
    this.microphone = microphone;
    this.#isOwnMicrophone = microphone !== given;
    if (this.#state === "ended") this.#closeMicrophone();
    else this.mute(this.#muted);
  }

  async #establish(): Promise<void> {
    const { transport = "auto", fallbackAfterMs = FALLBACK_MS, campaign, survivesReload } = this.options;
    const kept = survivesReload ? takeKept(gatewayOf(this.client), campaign) : null;
    if (kept) return this.#open("webrtc", undefined, kept);
    if (transport === "websocket" || (transport === "auto" && !this.webrtc?.RTCPeerConnection)) return this.#open("websocket");
    if (!this.webrtc?.RTCPeerConnection) throw problem("NO_WEBRTC");
    const isFallback = transport === "auto" && Boolean(globalThis.AudioWorkletNode);
    const opened = this.#open("webrtc", isFallback ? fallbackAfterMs : undefined);
    const isOpen = await opened.then(() => true, (error) => {
      if (this.#state === "ended" || !isFallback || error.code !== "NO_UDP") throw error;
      return false;
    });
    if (isOpen) return;
    this.#become("connecting", "No audio comes through by UDP; trying the WebSocket …");
    this.#leg?.close();
    this.#leg = null;
    this.#signaling.hangUp("no media came through");
    await this.#open("websocket");
  }

  async #open(transport: Transport, patienceMs?: number, kept: Session | null = null): Promise<void> {
    const alive = <T>(promise: Promise<T>) => Promise.race([promise, this.#over]);
    this.#become("connecting", "Asking the gateway for a session …");
    const began = this.#journal.now;
    const context = transport === "websocket" ? await openAudio(this.#worklets()) : null;
    try {
      const request = sessionRequest(this.options, transport, context?.sampleRate ?? 0);
      const session = kept ?? await alive(createSession(this.client, request, () => {
        this.#become("connecting", `The gateway${gatewayOf(this.client) && ` at ${gatewayOf(this.client)}`} does not answer yet …`);
      }, (place, ms) => {
        this.#become("connecting", `All lines are busy: you are number ${place} in the queue …`);
        return alive(new Promise((resolve) => setTimeout(resolve, ms)));
      }));
      this.sessionId = session.sessionId;
      this.timings.session = this.#journal.now;
      this.#become("connecting", "Connecting …");
      await alive(this.#signaling.open(session.websocketUrl));
      this.timings.socket = this.#journal.now;
      this.#leg = context
        ? new WebSocketLeg(this.#legOwner(), context, this.microphone, this.options.loudspeaker)
        : new WebRtcLeg(this.#legOwner(), this.options, this.microphone, this.webrtc!, session);
    } catch (error) {
      void context?.close();
      throw error;
    }
    this.#tell("transport", { transport });
    const doubt = () => this.timings.answer && this.#complain(problem("NO_UDP"));
    const connected = doubting(this.#leg.start(), doubt, this.#journal.now - began);
    await alive(within(patienceMs, connected));
  }

  /** Where the gateway serves them, for pages whose policy forbids `blob:`. */
  #worklets(): string[] {
    return [...(this.client.worklets ? [this.client.worklets] : []), `${gatewayOf(this.client)}/client/worklets.js`];
  }

  // What comes

  #signalingOwner(): SignalingOwner {
    return {
      received: (message) => this.#receive(message),
      heard: (audio) => this.#leg?.heard(audio),
      closed: (reason, error, isOver) => this.#socketClosed(reason, error, isOver),
      failed: (error) => this.#end(asGlottisError(error)),
    };
  }

  #legOwner(): LegOwner {
    return {
      signal: (message) => this.#signaling.send(message),
      note: (type, detail) => {
        if (type === "answer") this.timings.answer ??= this.#journal.now;
        this.#journal.note(type, detail);
      },
      text: (text) => this.#receiveText(text),
      data: (bytes) => this.#tell("data", { bytes }, { length: bytes.byteLength }),
      sound: (stream) => this.#tell("sound", { stream }, {}),
      blocked: (isBlocked) => this.#blocked(isBlocked),
      media: (state) => this.#mediaChanged(state),
    };
  }

  async #receive(message: Message): Promise<void> {
    if (this.#state === "ended") return;
    await this.#leg?.received(message);
    switch (message.type) {
      case "text": return this.#receiveText(String(message["text"]));
      case "event": return this.#receiveEvent(String(message["name"]), (message["data"] ?? {}) as Record<string, unknown>);
      case "error": return this.#complain(new GlottisError(String(message["code"]), String(message["message"])));
      case "bye": return this.#end(null, `The call has ended: ${message["reason"] || "the agent hung up"}.`);
    }
  }

  #receiveText(text: string): void {
    const event = eventIn(text);
    if (event) this.#receiveEvent(event.name, event.data);
    else if (text === GREETING && this.transport === "webrtc") this.#journal.note("greeting", {});
    else this.#tell("text", { text });
  }

  #receiveEvent(name: string, data: Record<string, unknown>): void {
    if (name === "resume") this.#resumption.learn(data);
    // The gateway may have lost a relay or an address of its own, which this end would be late to see.
    const isFailed = name === "connection" && data["state"] === "failed";
    if (this.#wasActive && (isFailed || (name === "restart_ice" && this.#resumption.isPossible))) void this.#restart();
    tellEvent((type, detail) => this.#tell(type, detail), name, data);
  }

  #socketClosed(reason: string, error: GlottisError | null, isOver: boolean): void {
    if (this.#state === "ended") return;
    if (!error) this.#end(null, `The call has ended${reason ? `: ${reason}` : ""}.`);
    else if (isOver || !this.#wasActive || !this.#resumption.isPossible) this.#end(error.code === "SOCKET_CLOSED" ? problem("GATEWAY_LOST") : error);
    else void this.#resume();
  }

  #mediaChanged(state: "connected" | "disconnected" | "failed"): void {
    if (this.#state === "ended") return;
    clearTimeout(this.#restartTimer);
    if (state === "connected") return this.#found("media");
    if (!this.#wasActive) return; // the leg's start tells
    this.#lose("media", "The connection is interrupted; looking for another way …");
    if (state === "failed") void this.#restart(SUSPICION_MS);
    else this.#restartTimer = setTimeout(() => void this.#restart(SUSPICION_MS), RESTART_MS);
  }

  // Losses

  async #resume(): Promise<void> {
    this.#lose("socket", "The connection to the gateway is lost; connecting again …");
    try {
      await this.#resumption.resume((url) => this.#signaling.open(url), () => this.#state !== "ended");
      if (this.state === "ended") return this.#signaling.hangUp("the caller hung up");
      for (const text of this.#unsent.splice(0)) this.sendText(text);
      this.#found("socket");
      await this.#restart(); // the network may be another one
    } catch (error) {
      this.#end(asGlottisError(error));
    }
  }

  /** Without an answer the WebSocket is dead, too. One at a time by each WebSocket: answers have no names. */
  async #restart(patienceMs?: number): Promise<void> {
    const socket = this.#signaling.opened;
    if (this.#state === "ended" || this.#lost.socket || this.#restartOn === socket) return;
    if (!this.#resumption.isPossible) return this.#lost.media ? this.#end(problem("MEDIA_LOST")) : undefined;
    this.#restartOn = socket;
    try {
      await this.#leg?.restart(patienceMs, this.#isElsewhere || this.#lost.media);
      this.#isElsewhere = false;
    } catch (error) {
      this.#journal.note("restart", { failed: asGlottisError(error).message });
      if (this.state === "ended" || asGlottisError(error).code !== "GATEWAY_LOST" || this.#signaling.opened !== socket) return;
      this.#signaling.letGo();
      if (!this.#lost.socket) await this.#resume();
    } finally {
      if (this.#restartOn === socket) this.#restartOn = 0;
    }
  }

  #lose(what: "socket" | "media", words: string): void {
    if (!this.#lost[what]) this.#tell("reconnecting", { because: what });
    this.#lost[what] = true;
    this.#become("reconnecting", words);
  }

  #found(what: "socket" | "media"): void {
    this.#lost[what] = false;
    if (this.#lost.socket || this.#lost.media || this.#state === "active") return;
    if (this.#wasActive) this.#tell("reconnected", {});
    else this.timings.total = this.timings.media = this.#journal.now;
    this.#wasActive = true;
    this.#become("active", this.microphone ? "In call." : "In call, listening only.");
  }

  // The page

  #watchPage(): void {
    this.#page = new PageWatch({
      offline: () => { this.#isElsewhere = true; }, // the gateway may be found before the page is told of a network
      online: () => {
        this.#isElsewhere = true;
        if (this.#lost.socket) this.#resumption.hurry();
        else if (this.#wasActive && this.#resumption.isPossible) {
          this.#signaling.letGo(); // it may be of the network that is gone, of which TCP tells nothing
          void this.#resume();
        }
      },
      leaving: () => void this.#keep(),
      left: () => this.#isKept || this.#keep() || this.hangUp("the page was left"),
      gesture: () => void this.unlockAudio().catch(() => {}),
    });
    this.#levelTimer = setInterval(() => void this.#measure(), LEVEL_MS);
  }

  /** The page goes, and the next one shall go on. Firefox closes WebSockets, to hang up, before the page is left. */
  #keep(): boolean {
    const way = this.#resumption.way;
    if (!this.options.survivesReload || !this.#wasActive || !way || !(this.#leg instanceof WebRtcLeg)) return false;
    const session = { sessionId: this.sessionId!, websocketUrl: way.url, iceServers: this.#leg.iceServers };
    const until = Date.now() + way.graceMs;
    this.#isKept = keep({ gateway: gatewayOf(this.client), campaign: this.options.campaign, until, session });
    if (!this.#isKept) return false;
    this.#signaling.letGo();
    setTimeout(() => void this.#stay(), STAY_MS);
    return true;
  }

  /** It is still there. */
  async #stay(): Promise<void> {
    this.#isKept = false;
    if (this.state !== "ended" && takeKept(gatewayOf(this.client), this.options.campaign)) await this.#resume();
  }

  #blocked(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    this.#page?.awaitGesture(isBlocked);
    this.#tell("audioBlocked", { blocked: isBlocked });
  }

  async #measure(): Promise<void> {
    if (!this.#wasActive || !this.#leg || !this.listens("level")) return;
    const levels = await this.#leg.levels().catch(() => null);
    if (levels && this.#state !== "ended") this.emit("level", levels);
  }

  // The end

  /** Also after the end: what was still being opened then must be closed, too. */
  #end(error: GlottisError | null, words = error?.message ?? "", reason = "the client failed"): void {
    if (this.#state !== "ended") {
      if (error) this.#complain(error, true);
      this.#become("ended", words, error);
      this.#abort(error ?? problem("ENDED"));
    }
    this.#page?.close();
    clearInterval(this.#levelTimer);
    this.#blocked(false);
    clearTimeout(this.#restartTimer);
    this.#signaling.hangUp(reason);
    this.#leg?.close();
    this.#closeMicrophone();
  }

  #closeMicrophone(): void {
    if (this.#isOwnMicrophone) this.microphone?.getTracks().forEach((track) => track.stop());
  }

  // Telling

  #become(state: CallState, words: string, error: GlottisError | null = null): void {
    this.#state = state;
    this.#words = words;
    this.#tell("state", { state, words, ...(error && { error }) }, { state, words });
  }

  #complain(error: GlottisError, fatal = false): void {
    this.#tell("error", { error, fatal }, { code: error.code, message: error.message, fatal });
  }

  #tell<Type extends keyof CallEvents>(type: Type, detail: CallEvents[Type], noted: unknown = detail): void {
    this.#journal.note(type, noted);
    this.emit(type, detail);
  }
}

function missing(): never {
  throw problem("NO_WEBRTC");
}
