// What the gateway and the agent tell by events, and under which names a call passes it on.

import type { CallEvents, Transcript } from "./types.js";

type Data = Record<string, unknown>;
type Tell = <Type extends keyof CallEvents>(type: Type, detail: CallEvents[Type]) => void;

/** For the call itself. The first two hold a token and passwords. */
const UNTOLD = ["resume", "ice_servers", "mark"];

/** The event that a data channel's text holds, if it holds one. */
export function eventIn(text: string): { name: string; data: Data } | null {
  if (!text.startsWith("{")) return null;
  try {
    const { type, name, data } = JSON.parse(text) as Data;
    return type === "event" && typeof name === "string" ? { name, data: (data ?? {}) as Data } : null;
  } catch {
    return null;
  }
}

export function tellEvent(tell: Tell, name: string, data: Data): void {
  if (UNTOLD.includes(name)) return;
  switch (name) {
    case "agent_state": tell("agentState", data as CallEvents["agentState"]); break;
    case "transcript": tell("transcript", { interrupted: false, ...data } as Transcript); break;
    case "turn": tell("turn", data as CallEvents["turn"]); break;
    case "dtmf": tell("dtmf", data as CallEvents["dtmf"]); break;
  }
  tell("event", { name, data });
}
