// The microphone and the devices.

import { microphoneProblem, problem } from "./errors.js";
import type { CallOptions, Devices, WebRtc } from "./types.js";

export async function openMicrophone(webrtc: WebRtc, options: CallOptions): Promise<MediaStream | null> {
  const { microphone, processing = true } = options;
  if (microphone === false) return null;
  if (typeof microphone === "object") return microphone;
  if (!webrtc.mediaDevices) throw problem("INSECURE_PAGE");
  const audio: MediaTrackConstraints = {
    echoCancellation: processing, noiseSuppression: processing, autoGainControl: processing,
    ...(microphone && { deviceId: { exact: microphone } }),
  };
  try {
    return await webrtc.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw microphoneProblem(error);
  }
}

/** Names are there once the microphone was allowed. */
export async function listDevices(webrtc: WebRtc): Promise<Devices> {
  const devices = await webrtc.mediaDevices?.enumerateDevices?.() ?? [];
  const ofKind = (kind: MediaDeviceKind) => devices
    .filter((device) => device.kind === kind && device.deviceId)
    .map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { microphones: ofKind("audioinput"), loudspeakers: ofKind("audiooutput") };
}
