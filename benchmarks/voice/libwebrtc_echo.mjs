// libwebrtc (@roamhq/wrtc) as the server of echo calls: what its NetEQ plays goes to its encoder, 10 ms at a time.
// Signaling is that of ../aiortc_echo.py: one JSON line with the offer, one with the answer.

import { createRequire } from "node:module";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../tests/interop/callers/npm/package.json", import.meta.url));
const wrtc = require("@roamhq/wrtc");
const { RTCAudioSink, RTCAudioSource } = wrtc.nonstandard;

async function answerTo(offer, pc) {
  const source = new RTCAudioSource();
  pc.ontrack = ({ track }) => {
    pc.sink = new RTCAudioSink(track);
    pc.sink.ondata = (data) => source.onData(data);
  };
  await pc.setRemoteDescription({ type: "offer", sdp: offer });
  pc.addTrack(source.createTrack());
  await pc.setLocalDescription(await pc.createAnswer());
  while (pc.iceGatheringState !== "complete") {
    await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  return pc.localDescription.sdp;
}

function serveCall(socket) {
  const pc = new wrtc.RTCPeerConnection({ iceServers: [] });
  socket.on("error", () => {});
  socket.on("close", () => {
    pc.sink?.stop();
    pc.close();
  });
  createInterface({ input: socket }).once("line", async (line) => {
    const sdp = await answerTo(JSON.parse(line).sdp, pc);
    socket.write(`${JSON.stringify({ sdp })}\n`);
  });
}

createServer(serveCall).listen(Number(process.argv[2]), "127.0.0.1");
