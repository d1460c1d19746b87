// werift: WebRTC in TypeScript. It has no codec.

import { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket, useOPUS } from "werift";
import { placeCall } from "./call.js";
import { Packets } from "./sound.js";
import { StandardPeer } from "./standard_peer.js";

class WeriftPeer extends StandardPeer {
  static Sound = Packets;
  #track = new MediaStreamTrack({ kind: "audio" });

  constructor(iceServers) {
    super(new RTCPeerConnection({ iceServers, codecs: { audio: [useOPUS()], video: [] } }));
    this.pc.addTransceiver(this.#track, { direction: "sendrecv" });
    this.pc.ontrack = ({ track }) => track.onReceiveRtp.subscribe(({ payload }) => this.emit("sound", payload));
  }

  say(payload, number) {
    const header = new RtpHeader({ sequenceNumber: number, timestamp: number * Packets.timestampStep });
    this.#track.writeRtp(new RtpPacket(header, payload));
  }
}

placeCall(WeriftPeer);
