// How long a call has lasted.

export class CallTimer {
  #began = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly element: HTMLElement) {}

  /** Again after a reconnection it goes on. */
  start(): void {
    if (this.#timer) return;
    this.#began = performance.now();
    this.#show();
    this.#timer = setInterval(() => this.#show(), 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #show(): void {
    const seconds = Math.round((performance.now() - this.#began) / 1000);
    this.element.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
