// A gateway, a browser's WebRTC and a microphone of lines of text, for tests without any of them.

export class FakeGateway {
  requests = []; // bodies
  sockets = [];
  answer = { status: 200, body: { sessionId: "s1", websocketUrl: "ws://voice.test/ws/1?token=secret", iceServers: [] } };
  graceSeconds = 30;
  takes = true; // whether WebSockets open
  answers = true; // whether offers are answered
  media = "connected";
  peers = [];

  /** Puts it where a browser has its own. */
  install() {
    const gateway = this;
    globalThis.fetch = async (url, { body }) => {
      if (!gateway.answer) throw new TypeError("Failed to fetch");
      gateway.requests.push({ url, body: JSON.parse(body) });
      return new Response(JSON.stringify(gateway.answer.body), { status: gateway.answer.status, headers: gateway.answer.headers });
    };
    globalThis.WebSocket = class extends FakeSocket {
      constructor(url) { super(url, gateway); }
    };
    return this;
  }

  get webrtc() {
    const gateway = this;
    return {
      RTCPeerConnection: class extends FakePeer {
        constructor(configuration) { super(configuration, gateway); }
      },
      mediaDevices: { getUserMedia: async () => new FakeStream(), enumerateDevices: async () => gateway.devices ?? [] },
    };
  }

  get socket() { return this.sockets.at(-1); }
  get peer() { return this.peers.at(-1); }
}

class FakeSocket {
  readyState = 0;
  sent = [];

  constructor(url, gateway) {
    this.url = url;
    this.gateway = gateway;
    gateway.sockets.push(this);
    queueMicrotask(() => (gateway.takes ? this.#open() : this.drop(1006)));
  }

  send(data) {
    const message = JSON.parse(data);
    this.sent.push(message);
    if (message.type !== "offer" || !this.gateway.answers) return;
    this.say({ type: "answer", sdp: `v=0\r\na=ice-pwd:secret\r\na=for:${message.sdp}\r\n` });
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  say(message) {
    queueMicrotask(() => this.onmessage?.({ data: JSON.stringify(message) }));
  }

  drop(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  #open() {
    this.readyState = 1;
    this.onopen?.();
    const { graceSeconds, sockets } = this.gateway;
    this.say({ type: "event", name: "resume", data: { websocketUrl: `ws://voice.test/ws/${sockets.length + 1}?token=secret`, graceSeconds } });
  }
}

class FakePeer {
  connectionState = "new";
  signalingState = "stable";
  localDescription = null;
  remoteDescription = null;
  channel = { readyState: "connecting", sent: [], send(text) { this.sent.push(text); } };
  #offers = 0;

  constructor(configuration, gateway) {
    this.configuration = configuration;
    this.gateway = gateway;
    gateway.peers.push(this);
  }

  addTransceiver(track, { direction }) {
    const dtmf = { canInsertDTMF: true, toneBuffer: "", insertDTMF(digits) { this.toneBuffer = digits; } };
    this.transceiver = { direction, sender: { track, dtmf, replaceTrack: async () => {} } };
    return this.transceiver;
  }

  createDataChannel() { return this.channel; }
  restartIce() {}
  getStats() { return Promise.resolve(new Map([["a", { id: "a", type: "inbound-rtp", kind: "audio", packetsReceived: 3, packetsLost: 1 }]])); }

  async setLocalDescription(description) {
    this.signalingState = description?.type === "rollback" ? "stable" : "have-local-offer";
    if (!description) this.localDescription = { type: "offer", sdp: `offer ${++this.#offers}` };
  }

  async setRemoteDescription(description) {
    if (this.signalingState !== "have-local-offer") throw new Error("an answer to nothing");
    this.signalingState = "stable";
    this.remoteDescription = description;
    if (this.gateway.media) this.become(this.gateway.media);
  }

  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  open() {
    this.channel.readyState = "open";
    this.channel.onopen?.();
  }

  hear(data) { this.channel.onmessage({ data }); }
  close() { this.connectionState = "closed"; }
}

export class FakeStream {
  track = { enabled: true, kind: "audio", stop: () => { this.track.isStopped = true; } };
  getAudioTracks() { return [this.track]; }
  getTracks() { return [this.track]; }
}

/** Resolves when `look` finds something: looked at after each turn of the event loop. */
export async function until(look) {
  for (let turn = 0; turn < 20_000; turn++) {
    const found = look();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`in vain: ${look}`);
}
