// node-datachannel: libdatachannel, in C++. It has no codec, and leaves RTP to the application.

import { EventEmitter } from "node:events";
import { Audio, PeerConnection } from "node-datachannel";
import { placeCall } from "./call.js";
import { Packets } from "./sound.js";

const OPUS = 111;
const SSRC = 1;

class LibdatachannelPeer extends EventEmitter {
  static Sound = Packets;

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

  say(payload, number) {
    if (!this.track.isOpen()) return;
    const header = Buffer.from([2 << 6, OPUS, ...new Array(10)]);
    header.writeUInt16BE(number, 2);
    header.writeUInt32BE(number * Packets.timestampStep, 4);
    header.writeUInt32BE(SSRC, 8);
    this.track.sendMessageBinary(Buffer.concat([header, payload]));
  }

  #hear(packet) {
    const isAudio = (packet[1] & 0x7f) === OPUS; // RTCP comes this way too
    if (isAudio) this.emit("sound", packet.subarray(12)); // the gateway's headers have neither sources nor extensions
  }

  write(text) {
    this.chat.sendMessage(text);
  }

  close() {
    this.pc.close();
  }
}

placeCall(LibdatachannelPeer);
