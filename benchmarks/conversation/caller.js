// A caller in a page: says recordings, and listens, both by the clock of one AudioContext.

const STEP_SECONDS = 0.01;
const SOUND_DBFS = -45;
const PATIENCE_SECONDS = 15;
const QUIET_SECONDS = 1; // end an answer, between whose sentences are shorter pauses

const EAR = `
  registerProcessor("ear", class extends AudioWorkletProcessor {
    #power = [0, 0];
    #count = 0;
    process(inputs) {
      inputs.forEach(([samples], which) => { for (const each of samples ?? []) this.#power[which] += each * each; });
      this.#count += 128;
      if (this.#count >= ${STEP_SECONDS} * sampleRate) {
        const [mine, theirs] = this.#power.map((power) => 10 * Math.log10(power / this.#count + 1e-12) > ${SOUND_DBFS});
        this.port.postMessage({ at: currentTime, mine, theirs });
        this.#power = [0, 0];
        this.#count = 0;
      }
      return true;
    }
  });
`;

class Caller {
  #context = new AudioContext({ sampleRate: 48000 });
  #mouth = this.#context.createMediaStreamDestination();
  #mine = []; // times of sound, in seconds
  #theirs = [];
  #ear;
  #now = 0;

  async connect() {
    const url = URL.createObjectURL(new Blob([EAR], { type: "text/javascript" }));
    await this.#context.audioWorklet.addModule(url);
    this.#ear = new AudioWorkletNode(this.#context, "ear", { numberOfInputs: 2 });
    this.#ear.connect(this.#context.destination); // it is silent, and pulled so
    this.#ear.port.onmessage = ({ data: { at, mine, theirs } }) => {
      this.#now = at;
      if (mine) this.#mine.push(at);
      if (theirs) this.#theirs.push(at);
    };
    const call = new Glottis.GlottisClient().call({ campaign: "assistant", microphone: this.#mouth.stream });
    call.on("sound", ({ stream }) => this.#context.createMediaStreamSource(stream).connect(this.#ear, 0, 1));
    await call.connect();
    await this.#until(() => false, 1);
  }

  /** Milliseconds from the last word to the first sound of the answer; null for none. `waits` for the end of that. */
  async ask(recording, waits) {
    const lastWord = await this.#say(recording);
    await this.#until(() => this.#theirs.at(-1) > lastWord, PATIENCE_SECONDS);
    const answered = this.#theirs.find((at) => at > lastWord);
    if (answered === undefined) return null;
    if (waits) await this.#until(() => this.#now - this.#theirs.at(-1) > QUIET_SECONDS, 60);
    return 1000 * (answered - lastWord);
  }

  /** Milliseconds from the first sound of who interrupts to the last one of the agent; null where that had ended. */
  async interrupt(recording) {
    await this.#until(() => false, 1);
    const before = this.#mine.length;
    const lastWord = await this.#say(recording);
    const began = this.#mine[before];
    const silent = this.#theirs.filter((at) => at < lastWord).at(-1) - began;
    await this.#until(() => this.#theirs.at(-1) > lastWord, PATIENCE_SECONDS);
    return silent > 0 ? 1000 * silent : null;
  }

  /** Returns the time of its last sound. */
  async #say(recording) {
    const bytes = Uint8Array.from(atob(recording), (each) => each.charCodeAt(0));
    const source = this.#context.createBufferSource();
    source.buffer = await this.#context.decodeAudioData(bytes.buffer);
    source.connect(this.#mouth);
    source.connect(this.#ear, 0, 0);
    const ended = new Promise((resolve) => { source.onended = resolve; });
    source.start();
    await ended;
    await this.#until(() => false, 0.05); // for what the ear has still to tell
    return this.#mine.at(-1);
  }

  async #until(condition, seconds) {
    const end = this.#now + seconds;
    while (!condition() && this.#now < end) await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}
