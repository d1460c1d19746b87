// Numbers as people read them, and what they say of the quality of a call.

const NONE = "–";
type Maybe = number | null | undefined;

const known = (value: Maybe): value is number => value !== null && value !== undefined;

export const percent = (value: Maybe) => known(value) ? `${(value * 100).toFixed(1)} %` : NONE;
export const milliseconds = (value: Maybe) => known(value) ? `${Math.round(value * 1000)} ms` : NONE;
export const kilobits = (value: Maybe) => known(value) ? `${Math.round(value / 1000)} kbit/s` : NONE;
export const score = (value: Maybe) => known(value) ? value.toFixed(2) : NONE;
export const timeOfDay = (seconds: number) => new Date(seconds * 1000).toLocaleTimeString();

/** Both directions in one cell: from the caller, and to the caller. The unit is there once. */
export function both(show: (value: Maybe) => string, received: Maybe, sent: Maybe): string {
  const [first, second] = [show(received), show(sent)];
  if (first === NONE && second === NONE) return NONE;
  return `${second === NONE ? first : first.replace(/ .*/, "")} · ${second}`;
}

export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** ITU-T G.107, Annex B, Table B.1: below 4.03 fewer than all users are satisfied, below 3.60 many are not. */
export function qualityOf(mos: Maybe): "good" | "fair" | "poor" | "unknown" {
  if (!known(mos)) return "unknown";
  const shown = Math.round(mos * 100); // of a hundredth, which is what people see
  return shown >= 403 ? "good" : shown >= 360 ? "fair" : "poor";
}
