// One call, as ../README.md describes it. What differs between the stacks is their `Peer`: an emitter of "candidate",
// "connected", "text" and "sound" (a frame), with `offer`, `accept`, `addCandidate`, `say`, `write` and `close`.

import { on, once } from "node:events";
import WebSocket from "ws";

const HANG_UP = "hangup"; // makes the agent `echo` do it

export async function placeCall(Peer) {
  const order = JSON.parse(process.argv[2]);
  const session = await createSession(order);
  const socket = new WebSocket(session.websocketUrl);
  const closed = once(socket, "close").then(([, reason]) => String(reason));
  await once(socket, "open");
  const peer = new Peer(session.iceServers);
  const sound = new Peer.Sound(order);
  await talk(peer, socket, sound, order);
  hangUp(peer, socket, order.ending);
  tell({ event: "closed", reason: await closed });
  sound.save();
  process.exit();
}

async function createSession({ url, campaign }) {
  const response = await fetch(`${url}/api/websession/initiate`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ campaignId: campaign }),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function talk(peer, socket, sound, { texts, seconds, trickle }) {
  const received = on(peer, "text");
  const read = async () => tell({ event: "text", text: (await received.next()).value[0] });
  const connected = once(peer, "connected");
  peer.on("sound", (frame) => sound.hear(frame));
  await negotiate(peer, socket, trickle);
  await connected;
  tell({ event: "connected" });
  sound.play((frame, number) => peer.say(frame, number));
  await read();
  peer.write(texts[0]);
  await read();
  await sound.heard(seconds);
  peer.write(texts[1]);
  await read();
}

async function negotiate(peer, socket, trickle) {
  const send = (message) => socket.send(JSON.stringify(message));
  const answered = new Promise((resolve) => {
    socket.on("message", async (data) => {
      const message = JSON.parse(data);
      if (message.type === "answer") resolve(await peer.accept(message.sdp));
      if (message.type === "candidate") await peer.addCandidate(message.candidate);
      if (message.type === "error" && message.code !== "TOO_MANY_DATAGRAMS") throw new Error(`${message.code}: ${message.message}`);
    });
  });
  peer.on("candidate", async (candidate) => {
    if (trickle === "late") await answered;
    if (trickle !== "none") send({ type: "candidate", candidate });
  });
  const sdp = await peer.offer();
  send({ type: "offer", sdp: trickle === "normal" ? sdp : withoutCandidates(sdp) });
  await answered;
}

function withoutCandidates(sdp) {
  return sdp.replace(/^a=(candidate:|end-of-candidates).*\r\n/gm, "");
}

function hangUp(peer, socket, ending) {
  if (ending === "gateway") return peer.write(HANG_UP);
  socket.close();
  peer.close();
}

function tell(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
