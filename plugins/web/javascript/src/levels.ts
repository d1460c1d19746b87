// How loud a stream is.

export const QUIETEST = -60; // dBFS

/** Of an amplitude from 0 to 1. */
export function dbfs(amplitude: number): number {
  return amplitude > 0 ? Math.min(0, Math.max(QUIETEST, 20 * Math.log10(amplitude))) : QUIETEST;
}

/** Root mean square, in dBFS. */
export function levelOf(samples: Float32Array): number {
  let power = 0;
  for (const sample of samples) power += sample * sample;
  return dbfs(Math.sqrt(power / samples.length));
}

let shared: AudioContext | null = null; // browsers allow a few only
let users = 0;

/** Measures nothing where there is no AudioContext. */
export class Meter {
  #analyser: AnalyserNode | null = null;
  #source: MediaStreamAudioSourceNode | null = null;
  #samples = new Float32Array(1024);

  constructor(stream: MediaStream) {
    if (!globalThis.AudioContext) return;
    shared ??= new AudioContext();
    users += 1;
    this.#analyser = new AnalyserNode(shared, { fftSize: this.#samples.length });
    this.#source = shared.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
  }

  get runs(): boolean {
    return this.#analyser?.context.state === "running";
  }

  get level(): number {
    this.#analyser?.getFloatTimeDomainData(this.#samples);
    return levelOf(this.#samples);
  }

  async resume(): Promise<void> {
    if (this.#analyser) await shared?.resume();
  }

  close(): void {
    if (!this.#analyser) return;
    this.#source?.disconnect();
    this.#analyser = null;
    users -= 1;
    if (users > 0) return;
    void shared?.close();
    shared = null;
  }
}
