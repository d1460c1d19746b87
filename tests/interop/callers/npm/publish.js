// Voice and picture for a WHIP endpoint, as OBS Studio has them: libdatachannel, an offer for both at once, no candidates
// after it, and DELETE at the end. It sends and hears nothing.

import { Audio, PeerConnection, Video } from "node-datachannel";
import { Packets } from "./sound.js";

const [OPUS, H264] = [111, 96];
const [AUDIO_SSRC, VIDEO_SSRC] = [1, 2];
const ATTEMPTS = 5;
const { endpoint, seconds, ...files } = JSON.parse(process.argv[2]);

// The tracks and what ends them, or null: where its thread is held up, libdatachannel may have shaken hands before it
// knows the fingerprint in the answer, and then it takes the certificate for a wrong one.
async function publish() {
  const pc = new PeerConnection("publisher", { iceServers: [], disableAutoNegotiation: true });
  const audio = new Audio("0", "SendOnly");
  audio.addOpusCodec(OPUS);
  audio.addSSRC(AUDIO_SSRC, "cname", "stream", "stream-audio");
  const voice = pc.addTrack(audio);
  const video = new Video("1", "SendOnly");
  video.addH264Codec(H264);
  video.addSSRC(VIDEO_SSRC, "cname", "stream", "stream-video");
  const picture = pc.addTrack(video);

  const gathered = new Promise((resolve) => pc.onGatheringStateChange((state) => state === "complete" && resolve()));
  pc.setLocalDescription("offer");
  await gathered;
  const state = new Promise((resolve) => pc.onStateChange((to) => /connected|failed|closed/.test(to) && resolve(to)));
  const headers = { "Content-Type": "application/sdp" };
  const answer = await fetch(endpoint, { method: "POST", headers, body: pc.localDescription().sdp });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  const end = () => fetch(new URL(answer.headers.get("location"), endpoint), { method: "DELETE" });
  try {
    pc.setRemoteDescription(await answer.text(), "answer");
  } catch (error) {
    if (!error.message.includes("without ICE transport")) throw error;
  }
  if ((await state) === "connected") return { pc, voice, picture, end };
  await end();
  pc.close();
  return null;
}

let published = null;
for (let attempt = 1; published === null && attempt <= ATTEMPTS; attempt++) published = await publish();
const { pc, voice, picture, end } = published;

new Packets({ ...files }).play((payload, number) => {
  const header = Buffer.from([2 << 6, OPUS, ...new Array(10)]);
  header.writeUInt16BE(number, 2);
  header.writeUInt32BE(number * Packets.timestampStep, 4);
  header.writeUInt32BE(AUDIO_SSRC, 8);
  if (voice.isOpen()) voice.sendMessageBinary(Buffer.concat([header, payload]));
});
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const ended = await end();
process.stdout.write(JSON.stringify({ picture: picture.isOpen(), ended: ended.status }));
pc.close();
process.exit();
