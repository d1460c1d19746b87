registerProcessor("glottis-capture", class extends AudioWorkletProcessor {
  block = new Int16Array(sampleRate / 50);
  filled = 0;
  process([[samples]]) {
    for (const sample of samples ?? []) {
      this.block[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block.slice().buffer);
        this.filled = 0;
      }
    }
    return true;
  }
});
registerProcessor("glottis-play", class extends AudioWorkletProcessor {
  queue = [];
  position = 0;
  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data === null) this.queue = [], this.position = 0;
      else this.queue.push(typeof data === "string" ? data : new Int16Array(data, 0, data.byteLength >> 1));
    };
  }
  process(inputs, [[output]]) {
    for (let index = 0; index < output.length;) {
      const next = this.queue[0];
      if (next === undefined) break;
      if (typeof next === "string") this.port.postMessage(next);
      else if (this.position < next.length) {
        output[index++] = next[this.position++] / 32768;
        continue;
      }
      this.queue.shift();
      this.position = 0;
    }
    return true;
  }
});
