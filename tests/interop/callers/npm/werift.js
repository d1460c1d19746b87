// werift: WebRTC in TypeScript. It has no codec.

import { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket, useOPUS } from "werift";
import { placeCall } from "./call.js";
import { Packets } from "./sound.js";
import { StandardPeer } from "./standard_peer.js";

const TIMESTAMPS_PER_FRAME = 960;

class WeriftPeer extends StandardPeer {
  static Sound = Packets;
  #track = new MediaStreamTrack({ kind: "audio" });
  #said = 0;

  constructor(iceServers) {
    super(new RTCPeerConnection({ iceServers, codecs: { audio: [useOPUS()], video: [] } }));
    this.pc.addTransceiver(this.#track, { direction: "sendrecv" });
    this.pc.ontrack = ({ track }) => track.onReceiveRtp.subscribe(({ payload }) => this.emit("sound", payload));
  }

  say(payload) {
    const timestamp = this.#said * TIMESTAMPS_PER_FRAME;
    this.#track.writeRtp(new RtpPacket(new RtpHeader({ sequenceNumber: this.#said++, timestamp }), payload));
  }
}

placeCall(WeriftPeer);
