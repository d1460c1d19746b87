// Shows how loud a stream is, as the custom property --level (0–1) of some elements, and to screen readers.

const QUIETEST = -60; // dBFS

export class Meter {
  #context = new AudioContext();
  #running = true;

  // The first element is the role="meter" one.
  watch(stream, ...elements) {
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const show = () => {
      analyser.getFloatTimeDomainData(samples);
      draw(this.#running ? levelOf(samples) : QUIETEST, elements);
      if (this.#running) requestAnimationFrame(show);
    };
    show();
  }

  close() {
    this.#running = false;
    this.#context.close();
  }
}

// Root mean square, in dBFS.
function levelOf(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  return power > 0 ? Math.min(0, Math.max(QUIETEST, 10 * Math.log10(power))) : QUIETEST;
}

function draw(level, elements) {
  elements[0].setAttribute("aria-valuenow", Math.round(level));
  elements.forEach((element) => element.style.setProperty("--level", (1 - level / QUIETEST).toFixed(3)));
}
