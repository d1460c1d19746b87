// @glottis/client: calls a glottis gateway. README.md tells what each call does.

import { Call } from "./call.js";
import { findKept } from "./kept.js";
import { listDevices } from "./microphone.js";
import { gatewayOf } from "./session.js";
import type { CallOptions, ClientOptions, Devices, WebRtc } from "./types.js";

export { Call } from "./call.js";
export { GlottisError } from "./errors.js";
export { VERSION } from "./version.js";
export type * from "./types.js";

export class GlottisClient {
  constructor(private readonly options: ClientOptions = {}) {}

  /** A call that has not begun: add listeners, then `connect()`. */
  call(options: CallOptions): Call {
    return new Call(this.options, this.#webrtc(), options);
  }

  /** Resolves when caller and agent can hear each other. Throws `GlottisError`. */
  connect(options: CallOptions): Promise<Call> {
    return this.call(options).connect();
  }

  /** Whether a call of this page, as it was before it was loaded anew, can go on: see the option `survivesReload`. */
  isKept(campaign: string): boolean {
    return findKept(gatewayOf(this.options), campaign) !== null;
  }

  /** Their names are empty before the microphone was allowed once. */
  async devices(): Promise<Devices> {
    const webrtc = this.#webrtc();
    return webrtc ? listDevices(webrtc) : { microphones: [], loudspeakers: [] };
  }

  /** Tells when a device was plugged in or out. Returns what ends it. */
  onDevicesChanged(listener: () => void): () => void {
    const devices = globalThis.navigator?.mediaDevices;
    devices?.addEventListener?.("devicechange", listener);
    return () => devices?.removeEventListener?.("devicechange", listener);
  }

  #webrtc(): WebRtc | null {
    const { RTCPeerConnection, MediaStream, navigator } = globalThis;
    return this.options.webrtc ?? (navigator && { RTCPeerConnection, MediaStream, mediaDevices: navigator.mediaDevices });
  }
}
