// What a call plays and what it hears, frame by frame.

import { EventEmitter, once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";

class Sound extends EventEmitter {
  received = [];

  /** Say the frames over and over, each with its number and when it is due. */
  play(say) {
    const start = performance.now();
    let number = 0;
    setInterval(() => {
      for (; performance.now() - start >= number * this.frameMs; number++) {
        say(this.frames[number % this.frames.length], number);
      }
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
  static timestampStep = 960; // RTP counts Opus at 48 kHz
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

/** Samples by 10 ms, for stacks that encode. */
export class Samples extends Sound {
  static rate = 48000;
  frameMs = 10;

  constructor({ pcm, received_pcm }) {
    super();
    const data = readFileSync(pcm);
    const size = (2 * Samples.rate * this.frameMs) / 1000;
    this.frames = [];
    for (let at = 0; at < data.length; at += size) this.frames.push(data.subarray(at, at + size));
    this.target = received_pcm;
  }

  save() {
    writeFileSync(this.target, Buffer.concat(this.received));
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
  return Buffer.concat(payloads.flatMap((each) => [Buffer.from([each.length >> 8, each.length & 255]), each]));
}
