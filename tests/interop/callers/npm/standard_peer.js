// What a stack with the RTCPeerConnection of the W3C has in common with the others of its kind.

import { EventEmitter } from "node:events";

export class StandardPeer extends EventEmitter {
  constructor(pc) {
    super();
    this.pc = pc;
    this.chat = pc.createDataChannel("chat");
    this.chat.onmessage = ({ data }) => this.emit("text", data);
    pc.onicecandidate = ({ candidate }) => this.emit("candidate", candidate ?? null);
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "connected") this.emit("connected");
    };
  }

  async offer() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return this.pc.localDescription.sdp;
  }

  async accept(sdp) {
    await this.pc.setRemoteDescription({ type: "answer", sdp });
  }

  async addCandidate(candidate) {
    await this.pc.addIceCandidate(candidate);
  }

  write(text) {
    this.chat.send(text);
  }

  close() {
    this.pc.close();
  }
}
