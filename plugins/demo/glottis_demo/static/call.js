// One call: microphone, session, signaling, peer connection. It knows nothing of the page.
//
// Events: "state" { state, words, failed }, "sound" { stream }, "text" { text }, "note" { text }.
// States: connecting → in-call → ended.

import { createSession } from "./session.js";

const AUXILIARY_CODECS = ["telephone-event", "cn"];
const OWN_EVENTS = [ // the gateway's view of what this side sees by itself
  "state", "connection", "media", "statistics", "interrupted", "resumed",
];
const RESUME_RETRY_MS = 1000;
const GATEWAY_LOST = "The connection to the gateway is lost: it has stopped, or the network has failed.";

export class Call extends EventTarget {
  state = "idle";
  microphone = null;
  peer = null;
  #options;
  #socket = null;
  #channel = null;
  #resumption = null; // where and how long the call can be resumed
  #candidates = []; // trickled only after the offer
  #offered = false;
  #wasConnected = false; // whether media has ever flowed
  #messages = Promise.resolve(); // signaling messages are handled one after the other

  // options: campaign, codec, processing (of the microphone's sound, by the browser), apiKey
  constructor(options) {
    super();
    this.#options = options;
  }

  async start() {
    try {
      this.#become("connecting", "Waiting for the microphone …");
      await this.#openMicrophone();
      this.#throwIfEnded();
      this.#become("connecting", "Asking the gateway for a session …");
      const session = await createSession(this.#options);
      this.#become("connecting", "Connecting …");
      await this.#openSocket(session.websocketUrl);
      await this.#offer(session.iceServers);
    } catch (error) {
      this.#end(error.message, true);
    }
  }

  hangUp() {
    this.#signal({ type: "bye", reason: "the caller hung up" });
    this.#end("You hung up.");
  }

  mute(muted) {
    this.microphone?.getAudioTracks().forEach((track) => { track.enabled = !muted; });
  }

  // Over the data channel if it is open, else over the WebSocket.
  send(text) {
    if (this.#channel?.readyState === "open") this.#channel.send(text);
    else this.#signal({ type: "text", text });
  }

  // Without a microphone one can still listen.
  async #openMicrophone() {
    const wanted = this.#options.processing;
    const audio = { echoCancellation: wanted, noiseSuppression: wanted, autoGainControl: wanted };
    try {
      this.microphone = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      this.#emit("note", { text: microphoneProblem(error) });
    }
  }

  // Resolves when the socket is open; rejects if it closes before.
  #openSocket(url) {
    this.#throwIfEnded();
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.#messages = this.#messages
        .then(() => this.#receive(JSON.parse(data)))
        .catch((error) => this.#end(error.message, true));
    };
    return new Promise((resolve, reject) => {
      socket.onopen = () => {
        socket.onclose = ({ code, reason }) => {
          this.#messages = this.#messages.then(() => this.#socketClosed(code, reason));
        };
        resolve();
      };
      socket.onclose = ({ code, reason }) => {
        reject(new Error(code === 1006 ? handshakeProblem(url) : socketProblem(code, reason)));
      };
    });
  }

  // A call outlives its signaling connection for some time, in which a new one can take over.
  async #resume({ websocketUrl, graceSeconds }) {
    this.#emit("note", { text: "The signaling connection is lost; connecting again …" });
    const deadline = performance.now() + graceSeconds * 1000;
    while (this.state === "in-call" && performance.now() < deadline) {
      try {
        await this.#openSocket(websocketUrl);
        return await this.#restart(); // the network may be another one
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RESUME_RETRY_MS));
      }
    }
    this.#end(GATEWAY_LOST, true);
  }

  // Looks for a new way of the media, beside the one that there is or was.
  async #restart() {
    const { peer } = this;
    if (peer.signalingState !== "stable") await peer.setLocalDescription({ type: "rollback" }); // the answer was lost
    peer.restartIce();
    await peer.setLocalDescription();
    this.#signal({ type: "offer", sdp: peer.localDescription.sdp });
  }

  async #offer(iceServers) {
    this.#throwIfEnded();
    const peer = new RTCPeerConnection({ iceServers });
    this.peer = peer;
    peer.ontrack = ({ track, streams }) => {
      this.#emit("sound", { stream: streams[0] ?? new MediaStream([track]) });
    };
    peer.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    peer.onconnectionstatechange = () => this.#connectionChanged();
    this.#addAudio(peer);
    this.#watch(peer.createDataChannel("chat"));
    await peer.setLocalDescription();
    this.#signal({ type: "offer", sdp: peer.localDescription.sdp });
    this.#offered = true;
    this.#candidates.forEach((candidate) => this.#trickle(candidate));
  }

  #addAudio(peer) {
    const track = this.microphone?.getAudioTracks()[0];
    const transceiver = track
      ? peer.addTransceiver(track, { direction: "sendrecv", streams: [this.microphone] })
      : peer.addTransceiver("audio", { direction: "recvonly" });
    const wanted = [this.#options.codec.toLowerCase(), ...AUXILIARY_CODECS].map((name) => `audio/${name}`);
    const codecs = RTCRtpReceiver.getCapabilities("audio").codecs;
    transceiver.setCodecPreferences?.(codecs.filter(({ mimeType }) => wanted.includes(mimeType.toLowerCase())));
  }

  #watch(channel) {
    this.#channel = channel;
    channel.onmessage = ({ data }) => {
      const event = typeof data === "string" ? eventIn(data) : null;
      if (event) this.#noteEvent(event);
      else this.#emit("text", { text: typeof data === "string" ? data : `${data.byteLength ?? data.size} bytes` });
    };
  }

  #trickle(candidate) {
    if (!this.#offered) this.#candidates.push(candidate);
    else this.#signal({ type: "candidate", candidate: candidate && candidate.toJSON() }); // null: there are no more
  }

  async #receive(message) {
    if (this.state === "ended") return;
    switch (message.type) {
      case "answer": return this.peer.setRemoteDescription({ type: "answer", sdp: message.sdp });
      case "candidate": return this.peer.addIceCandidate(message.candidate ?? undefined).catch(() => {}); // others may do
      case "text": return this.#emit("text", { text: message.text });
      case "event": return this.#noteEvent(message);
      case "error": return this.#emit("note", { text: `The gateway complains: ${message.message} (${message.code})` });
      case "bye": return this.#end(`The call has ended: ${message.reason || "the agent hung up"}.`);
    }
  }

  #socketClosed(code, reason) {
    if (code === 1000) this.#end(`The call has ended${reason ? `: ${reason}` : ""}.`);
    else if (code === 1006 && this.state === "in-call" && this.#resumption) this.#resume(this.#resumption);
    else this.#end(socketProblem(code, reason), true);
  }

  #connectionChanged() {
    switch (this.peer.connectionState) {
      case "connected":
        this.#wasConnected = true;
        return this.#become("in-call", this.microphone ? "In call." : "In call, listening only.");
      case "disconnected": return this.#become("in-call", "The connection is interrupted; waiting for it to recover …");
      case "failed": return this.#mediaFailed();
    }
  }

  // The gateway waits for a restart as long as for a lost socket, which comes first if it is lost, too.
  #mediaFailed() {
    if (!this.#wasConnected || !this.#resumption) return this.#end(this.#mediaProblem(), true);
    this.#become("in-call", "The connection is broken; looking for another way …");
    if (this.#socket.readyState === WebSocket.OPEN) this.#restart().catch((error) => this.#end(error.message, true));
  }

  #mediaProblem() {
    if (this.#socket.readyState !== WebSocket.OPEN) return GATEWAY_LOST;
    if (this.#wasConnected) return "The media connection to the gateway has broken: the network may have changed. Call again.";
    return "No media connection to the gateway: UDP may be blocked on the way.";
  }

  #noteEvent({ name, data }) {
    if (name === "resume") this.#resumption = data;
    // The gateway may have lost a relay, which this end would be late to see.
    else if (name === "connection" && data.state === "failed" && this.peer?.connectionState === "connected") this.#mediaFailed();
    else if (name === "ice_servers") this.peer?.setConfiguration({ ...this.peer.getConfiguration(), ...data });
    else if (!OWN_EVENTS.includes(name)) this.#emit("note", { text: `${name} ${JSON.stringify(data ?? {})}` });
  }

  #signal(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #throwIfEnded() {
    if (this.state === "ended") throw new Error("The call has ended.");
  }

  #become(state, words, failed = false) {
    if (this.state === "ended") return;
    this.state = state;
    this.#emit("state", { state, words, failed });
  }

  // Also after the end: what was still being opened then must be closed, too.
  #end(words, failed = false) {
    this.#become("ended", words, failed);
    this.#socket?.close(1000);
    this.peer?.close();
    this.microphone?.getTracks().forEach((track) => track.stop());
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// The event that a data channel's text holds, if it holds one.
function eventIn(text) {
  try {
    const message = JSON.parse(text);
    return message?.type === "event" ? message : null;
  } catch {
    return null;
  }
}

function microphoneProblem(error) {
  if (!navigator.mediaDevices) return "Browsers give the microphone only to pages from https or this machine; you can listen.";
  if (error.name === "NotAllowedError") return "The microphone was refused; you can listen.";
  return "No microphone was found; you can listen.";
}

// Browsers do not tell why a WebSocket could not be opened; the gateway's log does.
function handshakeProblem(url) {
  const { host } = new URL(url);
  const origin = host === location.host ? "" : ` from this page of ${location.origin}`;
  return `The WebSocket to ${host} could not be opened${origin}. The gateway's log says why it was refused; `
    + "if it says nothing, see whether the host can be reached, and whether proxies on the way pass on WebSockets.";
}

function socketProblem(code, reason) {
  const sentence = reason.replace(/^[A-Z_]+: /, "");
  if (code === 1012 || code === 1013) return sentence || "The gateway is busy or restarting; try again later.";
  return sentence || `The connection to the gateway was closed (${code}).`;
}
