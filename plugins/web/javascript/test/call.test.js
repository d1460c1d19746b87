import assert from "node:assert/strict";
import { test, mock } from "node:test";
import { GlottisClient } from "../build/index.js";
import { FakeGateway, FakeStream, until } from "./gateway.js";

const URL = "https://voice.test";

function place(gateway, options = {}, settings = {}) {
  gateway.install();
  const call = new GlottisClient({ url: URL, webrtc: gateway.webrtc, ...settings }).call({ campaign: "echo", ...options });
  call.told = [];
  for (const type of ["state", "error", "text", "event", "transcript", "reconnecting", "reconnected"]) {
    call.on(type, (detail) => call.told.push([type, detail]));
  }
  return call;
}

async function dial(gateway, ...more) {
  const call = place(gateway, ...more);
  return call.connect();
}

function told(call, type) {
  return call.told.filter(([each]) => each === type).map(([, detail]) => detail);
}

test("what the agent is to know goes into the request", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway, { codec: "G722", metadata: { page: "/" }, clientIdentifier: "ada" }, { apiKey: "k", token: () => "t" });
  assert.deepEqual(gateway.requests, [{ url: `${URL}/api/websession/initiate`, body: {
    campaignId: "echo",
    transportType: "WebRTC",
    audioConfig: { inputCodec: "G722", outputCodec: "G722", sampleRate: 16000 },
    metadata: { page: "/" },
    clientIdentifier: "ada",
  } }]);
  call.hangUp();
});

test("a server of one's own may create the session", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway, {}, { session: async ({ campaignId }) => ({ ...gateway.answer.body, sessionId: `for ${campaignId}` }) });
  assert.equal(call.sessionId, "for echo");
  assert.equal(gateway.requests.length, 0);
  call.hangUp();
});

const MICROPHONES = { NotAllowedError: "MICROPHONE_REFUSED", NotFoundError: "MICROPHONE_MISSING", NotReadableError: "MICROPHONE_BUSY" };
for (const [name, code] of Object.entries(MICROPHONES)) {
  test(`${name} of the microphone is told in words with a remedy`, async () => {
    const gateway = new FakeGateway();
    const mediaDevices = { getUserMedia: async () => { throw new DOMException("", name); } };
    const call = place(gateway, {}, { webrtc: { ...gateway.webrtc, mediaDevices } });
    await assert.rejects(call.connect(), { name: "GlottisError", code });
    assert.equal(call.state, "ended");
    assert.match(call.words, /microphone.* call again\.$/);
    assert.equal(gateway.requests.length, 0);
  });
}

test("a page that browsers give no microphone is told how to get one, or listens", async () => {
  const gateway = new FakeGateway();
  const webrtc = { ...gateway.webrtc, mediaDevices: undefined };
  await assert.rejects(place(gateway, {}, { webrtc }).connect(), { code: "INSECURE_PAGE", message: /Open the page by https/ });
  const call = await dial(gateway, { withoutMicrophone: "listen" }, { webrtc });
  assert.deepEqual(told(call, "error").map(({ error, fatal }) => [error.code, fatal]), [["INSECURE_PAGE", false]]);
  assert.equal(gateway.peer.transceiver.direction, "recvonly");
  call.hangUp();
});

test("a gateway that cannot be reached is named, and so is the rule between origins", async () => {
  const gateway = new FakeGateway();
  gateway.answer = null;
  globalThis.location = { origin: "https://shop.test" };
  try {
    const message = /voice\.test cannot be reached.*https:\/\/shop\.test is one of its server\.allowed_origins/;
    await assert.rejects(dial(gateway), { code: "GATEWAY_UNREACHABLE", message });
  } finally {
    delete globalThis.location;
  }
});

test("a refusal is told in the gateway's words, with its code and when to try again", async () => {
  const gateway = new FakeGateway();
  gateway.answer = { status: 503, body: { code: "FULL", detail: "All lines are busy." }, headers: { "Retry-After": "7" } };
  await assert.rejects(dial(gateway), { code: "FULL", problem: "All lines are busy.", retryAfter: 7 });
});

test("who finds no room waits in the queue, sees the place, and asks with the ticket", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const gateway = new FakeGateway();
    const granted = gateway.answer;
    gateway.answer = { status: 202, body: { ticket: "a b", place: 2, retryAfterSeconds: 2 } };
    const call = place(gateway);
    const connecting = call.connect();
    await until(() => told(call, "state").some(({ words }) => /number 2 in the queue/.test(words)));
    assert.equal(gateway.requests.length, 1);
    gateway.answer = granted;
    mock.timers.tick(2000);
    await connecting;
    assert.deepEqual(gateway.requests.map(({ url }) => url.split("initiate")[1]), ["", "?ticket=a%20b"]);
    call.hangUp();
  } finally {
    mock.timers.reset();
  }
});

test("who hangs up in the queue asks no more", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const gateway = new FakeGateway();
    gateway.answer = { status: 202, body: { ticket: "t", place: 1, retryAfterSeconds: 2 } };
    const call = place(gateway);
    const connecting = call.connect().catch(() => {});
    await until(() => told(call, "state").some(({ words }) => /in the queue/.test(words)));
    call.hangUp();
    await connecting;
    mock.timers.tick(10_000);
    assert.equal(gateway.requests.length, 1);
  } finally {
    mock.timers.reset();
  }
});

test("somebody else's page in place of the gateway's answer is no session", async () => {
  const gateway = new FakeGateway();
  gateway.answer = { status: 200, body: "hello" };
  await assert.rejects(dial(gateway), { code: "GATEWAY_UNREACHABLE" });
});

test("a token that is refused is told with a remedy", async () => {
  const gateway = new FakeGateway();
  gateway.answers = false;
  const call = place(gateway);
  const connected = assert.rejects(call.connect(), { code: "TOKEN_EXPIRED", remedy: /call again/ });
  await until(() => gateway.socket?.sent.length);
  gateway.socket.drop(1008, "TOKEN_EXPIRED: The token has expired; create a new session.");
  await connected;
  assert.match(call.words, /^The token has expired; create a new session\. Connect sooner/);
});

test("a WebSocket that does not open is told with where to look", async () => {
  const gateway = new FakeGateway();
  gateway.takes = false;
  await assert.rejects(dial(gateway), { code: "SOCKET_REFUSED", message: /voice\.test could not be opened.*proxies/ });
});

test("media that does not come through is told as such, and the microphone is closed", async () => {
  const gateway = new FakeGateway();
  gateway.media = "failed";
  const call = place(gateway, { transport: "webrtc" });
  await assert.rejects(call.connect(), { code: "NO_UDP", message: /UDP is probably blocked.*TURN/ });
  assert.ok(call.microphone.track.isStopped);
  assert.deepEqual(gateway.socket.sent.at(-1), { type: "bye", reason: "the client failed" });
});

test("an offer that the gateway refuses ends the call in its words", async () => {
  const gateway = new FakeGateway();
  gateway.answers = false;
  const connected = assert.rejects(dial(gateway), { code: "NO_COMMON_CODEC", message: "No codec in common." });
  await until(() => gateway.socket?.sent.length);
  gateway.socket.say({ type: "error", code: "NO_COMMON_CODEC", message: "No codec in common." });
  await connected;
});

test("a socket that is lost is opened again by the newest URL, and ICE is restarted", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  gateway.socket.drop(1006);
  await until(() => told(call, "reconnected").length && gateway.peer.signalingState === "stable");
  assert.deepEqual(gateway.sockets.map(({ url }) => url), ["ws://voice.test/ws/1?token=secret", "ws://voice.test/ws/2?token=secret"]);
  await until(() => gateway.peer.remoteDescription.sdp.includes("offer 2"));
  assert.equal(call.state, "active");
  call.hangUp();
});

test("a gateway that wants another way of the media gets an offer that restarts ICE, and one at a time", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  let restarts = 0;
  gateway.peer.restartIce = () => { restarts += 1; };
  const event = { type: "event", name: "restart_ice", data: { reason: "the agent asks for it" } };
  gateway.socket.say(event);
  gateway.socket.say(event);
  await until(() => gateway.peer.remoteDescription.sdp.includes("offer 2"));
  assert.equal(restarts, 1);
  assert.equal(gateway.sockets.length, 1);
  assert.equal(call.state, "active");
  call.hangUp();
});

test("texts that are written meanwhile are sent when it is back", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  call.on("reconnecting", () => call.sendText("meanwhile"));
  gateway.socket.drop(1006);
  await until(() => told(call, "reconnected").length);
  assert.ok(gateway.sockets[1].sent.some(({ type, text }) => type === "text" && text === "meanwhile"));
  call.hangUp();
});

test("a gateway that does not come back is told when its time is over", async () => {
  const gateway = new FakeGateway();
  gateway.graceSeconds = 0.15;
  const call = await dial(gateway);
  gateway.takes = false;
  gateway.socket.drop(1006);
  await new Promise((resolve) => call.on("state", ({ state }) => state === "ended" && resolve()));
  assert.match(call.words, /^The connection to the gateway is lost: it has stopped/);
});

test("a gateway that knows the session no more is not asked again", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  gateway.answers = false;
  gateway.socket.drop(1006);
  await until(() => gateway.sockets.length === 2 && gateway.socket.sent.length);
  gateway.socket.drop(1008, "SESSION_NOT_FOUND: The session has ended.");
  await until(() => call.state === "ended");
  assert.match(call.words, /^The session has ended/);
});

test("a socket that is dead and not closed is left for another one", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  gateway.answers = false;
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    gateway.peer.become("failed");
    await until(() => gateway.socket.sent.filter(({ type }) => type === "offer").length === 2);
    gateway.answers = true;
    mock.timers.tick(1000);
    await until(() => gateway.sockets.length === 2 && call.state === "active");
    assert.equal(gateway.sockets[0].closedWith, 4000);
  } finally {
    mock.timers.reset();
    call.hangUp();
  }
});

test("media that is interrupted is sought after half a second, and found by itself before", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  mock.timers.enable({ apis: ["setTimeout"] });
  const offers = () => gateway.socket.sent.filter(({ type }) => type === "offer").length;
  try {
    gateway.peer.become("disconnected");
    assert.equal(call.state, "reconnecting");
    gateway.peer.become("connected");
    mock.timers.tick(500);
    assert.equal(call.state, "active");
    assert.equal(offers(), 1);
    gateway.peer.become("disconnected");
    mock.timers.tick(500);
    await until(() => call.state === "active");
    assert.equal(offers(), 2);
  } finally {
    mock.timers.reset();
    call.hangUp();
  }
});

test("media that is lost is taken up by another connection, and of texts none is lost and none comes twice", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  const before = gateway.peer;
  before.open();
  for (const text of ["Backend connected", "one", "two"]) before.hear(text);
  call.sendText("here");
  call.sendText("lost");
  before.become("failed");
  await until(() => call.state === "active" && gateway.peers.length === 2);
  assert.equal(before.connectionState, "closed");
  assert.equal(call.peer, gateway.peer);
  call.sendText("later");
  assert.deepEqual(gateway.peer.channel.sent, []);
  gateway.peer.open();
  gateway.peer.hear("Backend connected");
  gateway.peer.hear(JSON.stringify({ type: "event", name: "continued", data: { sent: 2, received: 1 } }));
  for (const text of ["two", "three"]) gateway.peer.hear(text);
  assert.deepEqual(gateway.peer.channel.sent, ["lost", "later"]);
  assert.deepEqual(told(call, "text").map(({ text }) => text), ["one", "two", "three"]);
  assert.deepEqual(told(call, "event").map(({ name }) => name), []);
  call.hangUp();
});

test("after a loss of the network the call goes on by another connection, though the page is not told that it is back", async () => {
  const page = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"]) globalThis[name] = page[name].bind(page);
  const gateway = new FakeGateway();
  try {
    const call = await dial(gateway);
    page.dispatchEvent(new Event("offline"));
    gateway.socket.drop(1006);
    await until(() => call.state === "active" && gateway.peers.length === 2);
    assert.equal(call.peer, gateway.peers[1]);
    call.hangUp();
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test("a new connection that does not come about is followed by another", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    gateway.media = "";
    gateway.peer.become("failed");
    await until(() => gateway.peer.remoteDescription && gateway.peers.length === 2);
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(150);
    gateway.media = "connected";
    mock.timers.tick(2000);
    await until(() => gateway.peers.length === 3 && call.state === "active");
    assert.equal(gateway.peers[1].connectionState, "closed");
  } finally {
    mock.timers.reset();
    call.hangUp();
  }
});

test("a conversation is told by its own events, and tokens by none", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  gateway.socket.say({ type: "event", name: "transcript", data: { role: "user", text: "Hel", final: false } });
  gateway.peer.channel.onmessage({ data: JSON.stringify({ type: "event", name: "form", data: { title: "Order" } }) });
  gateway.peer.channel.onmessage({ data: "Backend connected" });
  gateway.peer.channel.onmessage({ data: '{"type": "weather"}' });
  await until(() => told(call, "transcript").length);
  assert.deepEqual(told(call, "transcript"), [{ role: "user", text: "Hel", final: false, interrupted: false }]);
  assert.deepEqual(told(call, "event").map(({ name }) => name).sort(), ["form", "transcript"]);
  assert.deepEqual(told(call, "text"), [{ text: '{"type": "weather"}' }]);
  const report = JSON.stringify(await call.getReport());
  assert.ok(!report.includes("secret"), report);
  call.hangUp();
});

test("keys, typed messages and interruptions reach the agent", async () => {
  const gateway = new FakeGateway();
  const call = await dial(gateway);
  gateway.peer.channel.readyState = "open";
  call.sendDtmf("1");
  call.sendDtmf("2#");
  call.sendEvent("order", { flavour: "lemon" });
  call.interrupt();
  assert.equal(gateway.peer.transceiver.sender.dtmf.toneBuffer, "12#");
  assert.deepEqual(gateway.peer.channel.sent.map(JSON.parse), [{ flavour: "lemon", type: "order" }, { type: "interrupt" }]);
  call.hangUp();
});

test("who is muted at first is silent, and a stream of the page's own stays open", async () => {
  const gateway = new FakeGateway();
  const microphone = new FakeStream();
  const call = await dial(gateway, { microphone, muted: true });
  assert.equal(microphone.track.enabled, false);
  call.mute(false);
  assert.equal(microphone.track.enabled, true);
  call.hangUp();
  assert.ok(!microphone.track.isStopped);
});

test("hanging up while the microphone is asked for closes it when it comes", async () => {
  const gateway = new FakeGateway();
  const stream = new FakeStream();
  let allow;
  const mediaDevices = { getUserMedia: () => new Promise((resolve) => { allow = () => resolve(stream); }) };
  const call = place(gateway, {}, { webrtc: { ...gateway.webrtc, mediaDevices } });
  const connected = assert.rejects(call.connect(), { code: "ENDED" });
  call.hangUp();
  await connected;
  allow();
  await until(() => stream.track.isStopped);
  assert.equal(call.words, "You hung up.");
});

test("devices are listed by their kind", async () => {
  const gateway = new FakeGateway();
  gateway.devices = [
    { kind: "audioinput", deviceId: "m", label: "Headset" },
    { kind: "audiooutput", deviceId: "l", label: "Box" },
    { kind: "videoinput", deviceId: "c", label: "Camera" },
  ];
  const devices = await new GlottisClient({ webrtc: gateway.webrtc }).devices();
  assert.deepEqual(devices, { microphones: [{ id: "m", label: "Headset" }], loudspeakers: [{ id: "l", label: "Box" }] });
});

test("a listener that throws harms no other", async () => {
  const gateway = new FakeGateway();
  const call = place(gateway);
  mock.timers.enable({ apis: ["setTimeout"] }); // where it is thrown again
  const states = [];
  call.on("state", () => { throw new Error("of the page"); });
  call.on("state", ({ state }) => states.push(state));
  call.hangUp();
  mock.timers.reset();
  assert.deepEqual(states, ["ended"]);
});
