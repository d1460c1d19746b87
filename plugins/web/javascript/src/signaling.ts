// The WebSocket of a call: one after the other, as the call is resumed.

import { socketClosed, socketRefused, GlottisError } from "./errors.js";
import { pageOrigin } from "./session.js";

const OPENING_MS = 10_000;
/** Lets go of a WebSocket without hanging up (docs/client.md, 2). */
const LET_GO = 4000;

export interface Message {
  type: string;
  [member: string]: unknown;
}

export interface SignalingOwner {
  /** Messages are handled one after the other; binary ones at once. */
  received(message: Message): Promise<void> | void;
  heard(audio: ArrayBuffer): void;
  /** An open socket has closed by itself. `error` is null after 1000; `isOver`: the gateway wants no resumption. */
  closed(reason: string, error: GlottisError | null, isOver: boolean): void;
  failed(error: unknown): void;
}

export class Signaling {
  #socket: WebSocket | null = null;
  #messages: Promise<void> = Promise.resolve();
  /** How many sockets have been opened: what was asked by an older one gets no answer. */
  opened = 0;

  constructor(private readonly owner: SignalingOwner) {}

  get isOpen(): boolean {
    return this.#socket?.readyState === 1;
  }

  /** Resolves when it is open; the gateway may close it at once with a reason (CONTRACT §2), which comes by `closed`. */
  async open(url: string): Promise<void> {
    this.letGo();
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => this.#receive(socket, data);
    let patience: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        patience = setTimeout(() => reject(socketRefused(url, pageOrigin())), OPENING_MS);
        socket.onopen = () => resolve();
        socket.onclose = ({ code, reason }) => {
          reject(code === 1006 ? socketRefused(url, pageOrigin()) : socketClosed(code, reason));
        };
      });
    } catch (error) {
      this.letGo();
      throw error;
    } finally {
      clearTimeout(patience);
    }
    this.opened += 1;
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason);
  }

  send(message: Message | ArrayBuffer): boolean {
    if (!this.isOpen) return false;
    this.#socket!.send(message instanceof ArrayBuffer ? message : JSON.stringify(message));
    return true;
  }

  /** Hangs up, after a word of why. */
  hangUp(reason: string): void {
    this.send({ type: "bye", reason });
    this.#drop(1000);
  }

  /** Drops the socket and not the call. */
  letGo(): void {
    this.#drop(LET_GO);
  }

  #drop(code: number): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = socket.onopen = null;
    try {
      socket.close(code);
    } catch { /* it is not open, and will not be */ }
  }

  #receive(socket: WebSocket, data: string | ArrayBuffer): void {
    if (typeof data !== "string") return this.owner.heard(data);
    this.#messages = this.#messages
      .then(() => (this.#socket === socket ? this.owner.received(JSON.parse(data) as Message) : undefined))
      .catch((error) => this.owner.failed(error));
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    this.#messages = this.#messages.then(() => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      const isOver = code === 1011 || code === 1012 || (code === 1008 && !reason.startsWith("TOO_"));
      this.owner.closed(reason, code === 1000 ? null : socketClosed(code, reason), isOver);
    });
  }
}
