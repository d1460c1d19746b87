// node-datachannel: libdatachannel, in C++. It has no codec, and leaves RTP to the application.

import { EventEmitter } from "node:events";
import { Audio, PeerConnection } from "node-datachannel";
import { placeCall } from "./call.js";
import { Packets } from "./sound.js";

const OPUS = 111;
const SSRC = 1;
const TIMESTAMPS_PER_FRAME = 960;

class LibdatachannelPeer extends EventEmitter {
  static Sound = Packets;
  #said = 0;

  constructor(iceServers) {
    super();
    this.pc = new PeerConnection("caller", {
      iceServers: iceServers.flatMap(({ urls }) => urls),
      disableAutoNegotiation: true,
    });
    this.pc.onLocalCandidate((candidate, sdpMid) => this.emit("candidate", { candidate, sdpMid }));
    this.pc.onStateChange((state) => {
      if (state === "connected") this.emit("connected");
    });
    const audio = new Audio("audio", "SendRecv");
    audio.addOpusCodec(OPUS);
    audio.addSSRC(SSRC, "caller", "stream", "track");
    this.track = this.pc.addTrack(audio);
    this.track.onMessage((packet) => this.#hear(packet));
    this.chat = this.pc.createDataChannel("chat");
    this.chat.onMessage((text) => this.emit("text", text));
  }

  offer() {
    return new Promise((resolve) => {
      this.pc.onLocalDescription(resolve);
      this.pc.setLocalDescription("offer");
    });
  }

  accept(sdp) {
    this.pc.setRemoteDescription(sdp, "answer");
  }

  addCandidate({ candidate, sdpMid }) {
    if (candidate) this.pc.addRemoteCandidate(candidate, sdpMid);
  }

  say(payload) {
    const header = Buffer.alloc(12);
    header[0] = 2 << 6;
    header[1] = OPUS;
    header.writeUInt16BE(this.#said % 2**16, 2);
    header.writeUInt32BE(this.#said++ * TIMESTAMPS_PER_FRAME, 4);
    header.writeUInt32BE(SSRC, 8);
    if (this.track.isOpen()) this.track.sendMessageBinary(Buffer.concat([header, payload]));
  }

  #hear(packet) {
    if ((packet[1] & 0x7f) === OPUS) this.emit("sound", packet.subarray(12));
  }

  write(text) {
    this.chat.sendMessage(text);
  }

  close() {
    this.pc.close();
  }
}

placeCall(LibdatachannelPeer);
