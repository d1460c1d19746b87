// A caller that does what a test tells it, in any browser.

class Call {
  messages = []; // from the WebSocket
  errors = [];
  states = []; // of the connection
  tracks = [];
  streams = [];
  channels = []; // opened by the gateway
  candidates = []; // of ours, as they were sent
  late = 0; // milliseconds until an answer is taken
  closed = null; // the WebSocket's { code, reason }
  #answered = null;

  // `policy` is RTCConfiguration's iceTransportPolicy: 'relay' by the servers that the gateway names.
  static async create(campaign = 'echo', policy = 'all') {
    const response = await fetch('/api/websession/initiate', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ campaignId: campaign, transportType: 'WebRTC' }),
    });
    const { websocketUrl, iceServers } = await response.json();
    const ws = new WebSocket(websocketUrl);
    await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onerror = reject; });
    return new Call(ws, policy === 'relay' ? { iceServers, iceTransportPolicy: policy } : {});
  }

  constructor(ws, configuration = {}) {
    this.pc = new RTCPeerConnection(configuration);
    this.pc.onicecandidate = ({ candidate }) => {
      if (candidate) this.candidates.push(candidate.candidate);
      this.#signal({ type: 'candidate', candidate });
    };
    this.pc.onconnectionstatechange = () => this.states.push(this.pc.connectionState);
    this.pc.ontrack = ({ track, streams }) => { this.tracks.push(track); this.streams.push(...streams); };
    this.pc.ondatachannel = ({ channel }) => this.channels.push(new Channel(channel));
    this.#use(ws);
  }

  // Comes back by another WebSocket, of the same session.
  async resume() {
    const { data } = this.messages.findLast(({ type, name }) => type === 'event' && name === 'resume');
    const ws = new WebSocket(data.websocketUrl);
    this.#use(ws);
    await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onerror = reject; });
  }

  #use(ws) {
    this.ws = ws;
    ws.onmessage = ({ data }) => this.#receive(JSON.parse(data)).catch((error) => this.errors.push(String(error)));
    ws.onclose = ({ code, reason }) => { this.closed = { code, reason }; };
  }

  // Offers what there is now, as `change` has it; resolves when the answer is applied.
  async negotiate(change = null) {
    const answered = new Promise((resolve, reject) => { this.#answered = { resolve, reject }; });
    const offer = change && await this.pc.createOffer();
    await this.pc.setLocalDescription(offer ? { type: 'offer', sdp: change(offer.sdp) } : undefined);
    this.#signal({ type: 'offer', sdp: this.pc.localDescription.sdp });
    await answered;
  }

  async speak() {
    const stream = await speaker();
    return this.pc.addTrack(stream.getAudioTracks()[0], stream);
  }

  open(label, options) {
    return new Channel(this.pc.createDataChannel(label, options));
  }

  #signal(message) {
    if (this.ws.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify(message));
  }

  async #receive(message) {
    this.messages.push(message);
    if (message.type === 'candidate') await this.pc.addIceCandidate(message.candidate);
    if (message.type === 'error') this.#answered?.reject(new Error(message.code));
    if (message.type === 'answer') {
      await new Promise((resolve) => setTimeout(resolve, this.late));
      await this.pc.setRemoteDescription(message)
        .then(this.#answered.resolve, (error) => { this.#answered.reject(error); throw error; });
    }
  }
}

class Channel {
  received = []; // strings and ArrayBuffers that nobody has asked for yet
  #wanted = [];

  constructor(channel) {
    this.channel = channel;
    channel.binaryType = 'arraybuffer';
    this.opened = channel.readyState === 'open'
      ? Promise.resolve() : new Promise((resolve) => { channel.onopen = resolve; });
    this.closed = new Promise((resolve) => { channel.onclose = resolve; });
    channel.onmessage = ({ data }) => {
      const wanted = this.#wanted.shift();
      if (wanted) wanted(data);
      else this.received.push(data);
    };
  }

  send(data) {
    this.channel.send(data);
  }

  // Chromium may deliver the first message before it says that the channel is open.
  async next() {
    await this.opened;
    return this.received.length ? this.received.shift() : new Promise((resolve) => this.#wanted.push(resolve));
  }

  // Whether what comes back is what was sent.
  async echoes(data) {
    this.send(data);
    return same(await this.next(), data);
  }
}

function same(one, other) {
  if (typeof one === 'string' || typeof other === 'string') return one === other;
  const [left, right] = [new Uint8Array(one), new Uint8Array(other)];
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

// Reproducible bytes without a pattern that a fragment could fall into.
function noise(size) {
  let state = 1;
  return Uint8Array.from({ length: size }, () => (state = (state * 48271) % 2147483647) & 255);
}

// Text of so many bytes in UTF-8, none of which is a brace.
function words(size) {
  return Array.from(noise(size), (byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

// Somebody who speaks: Chromium's fake microphone plays the speech file, Firefox's knows nothing but a tone.
async function speaker() {
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  if (!HTMLMediaElement.prototype.mozCaptureStream) return navigator.mediaDevices.getUserMedia({ audio: raw });
  const element = new Audio(SPEECH);
  element.loop = true;
  await element.play();
  globalThis.players = [...(globalThis.players ?? []), element]; // or it would be collected
  return element.mozCaptureStream();
}

// The audio energy that is received in this time.
async function energy(seconds) {
  const measure = async () => [...(await call.pc.getStats()).values()]
    .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio')
    .reduce((sum, { totalAudioEnergy }) => sum + totalAudioEnergy, 0);
  const element = new Audio();
  element.srcObject = call.streams.at(-1);
  await element.play();
  const before = await measure();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return await measure() - before;
}

// A recording of the stream in the browser's own container, as base64.
async function record(stream, seconds) {
  const element = new Audio(); // without one Chromium does not decode what comes
  element.srcObject = stream;
  await element.play();
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  recorder.stop();
  await stopped;
  element.srcObject = null;
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob(parts));
  });
  return url.slice(url.indexOf(',') + 1);
}
