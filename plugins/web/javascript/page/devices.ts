// Microphones and loudspeakers to choose from. Browsers tell their names once the microphone was allowed.

import type { Device, GlottisClient } from "../src/index.js";
import { $ } from "./dom.js";

const KEY = "glottis.devices";

export class DeviceChoice {
  constructor(private readonly client: GlottisClient) {
    client.onDevicesChanged(() => void this.refresh());
    for (const id of ["microphone", "loudspeaker"]) $(id).addEventListener("change", () => this.#remember());
  }

  /** An id, or nothing for the default device. */
  get microphone(): string { return $<HTMLSelectElement>("microphone").value; }
  get loudspeaker(): string { return $<HTMLSelectElement>("loudspeaker").value; }

  async refresh(): Promise<void> {
    const { microphones, loudspeakers } = await this.client.devices().catch(() => ({ microphones: [], loudspeakers: [] }));
    fill("microphone", microphones);
    fill("loudspeaker", loudspeakers);
    $("loudspeaker-field").hidden = !("setSinkId" in HTMLMediaElement.prototype);
  }

  #remember(): void {
    localStorage.setItem(KEY, JSON.stringify({ microphone: this.microphone, loudspeaker: this.loudspeaker }));
  }
}

function fill(kind: "microphone" | "loudspeaker", devices: Device[]): void {
  const select = $<HTMLSelectElement>(kind);
  const chosen = select.value || remembered()[kind];
  const known = devices.filter(({ id, label }) => label && id !== "default");
  select.replaceChildren(new Option("The default one", ""), ...known.map(({ id, label }) => new Option(label, id)));
  if (known.some(({ id }) => id === chosen)) select.value = chosen!;
}

function remembered(): { microphone?: string; loudspeaker?: string } {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}
