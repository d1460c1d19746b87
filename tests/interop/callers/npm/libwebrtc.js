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
      this.sink.ondata = ({samples, ...rest}) => { if (process.env.DBG) console.error(rest); this.emit("sound", samples) };
    };
  }

  say(samples) {
    this.#source.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: samples.length });
  }
}

placeCall(LibwebrtcPeer);
