// What the page around a call tells it: the network is gone or back, the page is left, somebody has clicked.

const GESTURES = ["pointerdown", "keydown"];

export interface PageListener {
  offline(): void;
  online(): void;
  /** May be left: somebody may yet stay. */
  leaving(): void;
  left(): void;
  /** In the handler of a user's gesture, while `awaitGesture` is on. */
  gesture(): void;
}

/** Nothing happens where there is no page. */
export class PageWatch {
  readonly #offline = () => this.listener.offline();
  readonly #online = () => this.listener.online();
  readonly #leaving = () => this.listener.leaving();
  readonly #left = () => this.listener.left();
  readonly #gesture = () => this.listener.gesture();

  constructor(private readonly listener: PageListener) {
    globalThis.addEventListener?.("offline", this.#offline);
    globalThis.addEventListener?.("online", this.#online);
    globalThis.addEventListener?.("beforeunload", this.#leaving);
    globalThis.addEventListener?.("pagehide", this.#left);
  }

  awaitGesture(isAwaited: boolean): void {
    const page = globalThis.document;
    for (const gesture of GESTURES) {
      if (isAwaited) page?.addEventListener(gesture, this.#gesture);
      else page?.removeEventListener(gesture, this.#gesture);
    }
  }

  close(): void {
    this.awaitGesture(false);
    globalThis.removeEventListener?.("offline", this.#offline);
    globalThis.removeEventListener?.("online", this.#online);
    globalThis.removeEventListener?.("beforeunload", this.#leaving);
    globalThis.removeEventListener?.("pagehide", this.#left);
  }
}
