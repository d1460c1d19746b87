// What a call plays and what it hears, frame by frame.

import { EventEmitter, once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";

const SAMPLES_PER_FRAME = 480;

class Sound extends EventEmitter {
  received = [];

  /** Say the frames over and over, each when it is due. */
  play(say) {
    const start = performance.now();
    let count = 0;
    setInterval(() => {
      while (performance.now() - start >= count * this.frameMs) say(this.frames[count++ % this.frames.length]);
    }, this.frameMs / 2);
  }

  hear(frame) {
    this.received.push(frame);
    this.emit("heard");
  }

  async heard(seconds) {
    while (this.received.length * this.frameMs < seconds * 1000) await once(this, "heard");
  }
}

/** Opus payloads of 20 ms, for stacks without a codec. */
export class Packets extends Sound {
  frameMs = 20;

  constructor({ packets, received_packets }) {
    super();
    this.frames = split(readFileSync(packets));
    this.target = received_packets;
  }

  save() {
    writeFileSync(this.target, join(this.received));
  }
}

/** Samples (48 kHz, mono) by 10 ms, as libwebrtc does it; the silence before the first sound is left out. */
export class Samples extends Sound {
  frameMs = 10;

  constructor({ pcm, received_pcm }) {
    super();
    const samples = new Int16Array(new Uint8Array(readFileSync(pcm)).buffer);
    const count = Math.floor(samples.length / SAMPLES_PER_FRAME);
    this.frames = Array.from({ length: count }, (_, i) => samples.slice(i * SAMPLES_PER_FRAME, (i + 1) * SAMPLES_PER_FRAME));
    this.target = received_pcm;
  }

  hear(frame) {
    if (this.received.length || frame.some((sample) => sample)) super.hear(frame);
  }

  save() {
    writeFileSync(this.target, Buffer.concat(this.received.map(({ buffer }) => Buffer.from(buffer))));
  }
}

/** Takes apart what `join` has put together: before each payload its length, as two bytes in network order. */
function split(data) {
  const payloads = [];
  for (let at = 0; at < data.length; at += 2 + data.readUInt16BE(at)) {
    payloads.push(data.subarray(at + 2, at + 2 + data.readUInt16BE(at)));
  }
  return payloads;
}

function join(payloads) {
  return Buffer.concat(payloads.flatMap((payload) => [Buffer.from([payload.length >> 8, payload.length & 255]), payload]));
}
