// @roamhq/wrtc: libwebrtc, which browsers are built on. It codes by itself, and takes and gives samples by 10 ms.

import wrtc from "@roamhq/wrtc";
import { placeCall } from "./call.js";
import { Samples } from "./sound.js";
import { StandardPeer } from "./standard_peer.js";

const { RTCAudioSink, RTCAudioSource } = wrtc.nonstandard;

class LibwebrtcPeer extends StandardPeer {
  static Sound = Samples;
  #source = new RTCAudioSource();

  constructor(iceServers) {
    super(new wrtc.RTCPeerConnection({ iceServers }));
    this.pc.addTrack(this.#source.createTrack());
    this.pc.ontrack = ({ track }) => {
      this.sink = new RTCAudioSink(track);
      this.sink.ondata = (data) => this.#hear(data);
    };
  }

  say(frame) {
    const samples = new Int16Array(new Uint8Array(frame).buffer);
    this.#source.onData({ samples, sampleRate: Samples.rate });
  }

  #hear({ samples, sampleRate }) {
    // Until the first packet there is silence, at another rate.
    if (sampleRate === Samples.rate) this.emit("sound", Buffer.from(samples.buffer));
  }
}

placeCall(LibwebrtcPeer);
