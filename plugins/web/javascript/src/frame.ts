// A document of its own for a peer connection. Chromium asks the machine for its addresses once for each document, and is
// seconds late to see that a network has changed: until then a connection has no address to be reached at, wherever it is
// begun but in a document that has not asked before.

import type { WebRtc } from "./types.js";

/** Where there is a page, and it has given us no other WebRTC than its own. */
export function openFrame(webrtc: WebRtc): HTMLIFrameElement | null {
  const { document, RTCPeerConnection } = globalThis;
  if (!document?.body || webrtc.RTCPeerConnection !== RTCPeerConnection) return null;
  const frame = document.createElement("iframe");
  frame.hidden = true;
  document.body.append(frame);
  return frame;
}
