// @glottis/client/react: a call as the state of a component.

import { useCallback, useEffect, useRef, useState } from "react";
import { GlottisClient, type AgentState, type Call, type CallOptions, type CallState, type ClientOptions, type GlottisError, type Transcript } from "./index.js";

const MAX_TRANSCRIPTS = 200;

export interface UseGlottisCall {
  state: CallState;
  /** The state, in a sentence for people. */
  words: string;
  agentState: AgentState | null;
  /** In order; of each role the last one may not be final. */
  transcripts: Transcript[];
  /** The last thing that went wrong in this call, fatal or not. */
  error: GlottisError | null;
  muted: boolean;
  audioBlocked: boolean;
  /** For what the hook has no word for: `call.on("event", …)`, `call.getReport()`. */
  call: Call | null;
  /** Begins a call, after ending the one before. Options are added to those of the hook. Never throws: see `error`. */
  connect: (options?: Partial<CallOptions>) => Promise<void>;
  hangUp: () => void;
  mute: (muted?: boolean) => void;
  sendText: (text: string) => void;
  sendEvent: (type: string, data?: Record<string, unknown>) => void;
  sendDtmf: (digits: string) => void;
  interrupt: () => void;
  unlockAudio: () => Promise<void>;
}

const IDLE = {
  state: "idle" as CallState,
  words: "Ready.",
  agentState: null as AgentState | null,
  transcripts: [] as Transcript[],
  error: null as GlottisError | null,
  muted: false,
  audioBlocked: false,
  call: null as Call | null,
};
type Shown = typeof IDLE;

/** The options of client and call together; those of the moment count when a call begins. Unmounting hangs up. */
export function useGlottisCall(options: ClientOptions & CallOptions): UseGlottisCall {
  const [shown, setShown] = useState<Shown>(IDLE);
  const latest = useRef(options);
  const current = useRef<Call | null>(null);
  useEffect(() => { latest.current = options; });

  const hangUp = useCallback(() => current.current?.hangUp(), []);
  useEffect(() => () => {
    current.current?.hangUp();
    current.current = null;
  }, []);

  const connect = useCallback(async (more: Partial<CallOptions> = {}) => {
    current.current?.hangUp();
    const merged = { ...latest.current, ...more };
    const call = new GlottisClient(merged).call(merged);
    current.current = call;
    setShown({ ...IDLE, call, muted: call.muted });
    show(call, (change) => { if (current.current === call) setShown(change); });
    await call.connect().catch(() => {}); // told by events
  }, []);

  const mute = useCallback((muted = true) => {
    current.current?.mute(muted);
    setShown((before) => ({ ...before, muted }));
  }, []);
  const sendText = useCallback((text: string) => current.current?.sendText(text), []);
  const sendEvent = useCallback((type: string, data?: Record<string, unknown>) => current.current?.sendEvent(type, data), []);
  const sendDtmf = useCallback((digits: string) => current.current?.sendDtmf(digits), []);
  const interrupt = useCallback(() => current.current?.interrupt(), []);
  const unlockAudio = useCallback(async () => current.current?.unlockAudio(), []);
  return { ...shown, connect, hangUp, mute, sendText, sendEvent, sendDtmf, interrupt, unlockAudio };
}

function show(call: Call, change: (change: (before: Shown) => Shown) => void): void {
  call.on("state", ({ state, words }) => change((before) => ({ ...before, state, words })));
  call.on("agentState", ({ state }) => change((before) => ({ ...before, agentState: state })));
  call.on("error", ({ error }) => change((before) => ({ ...before, error })));
  call.on("audioBlocked", ({ blocked }) => change((before) => ({ ...before, audioBlocked: blocked })));
  call.on("transcript", (transcript) => change((before) => ({
    ...before, transcripts: withTranscript(before.transcripts, transcript),
  })));
}

/** What is not final is replaced by the next of its role. */
export function withTranscript(transcripts: Transcript[], transcript: Transcript): Transcript[] {
  const replaced = transcripts.map(({ role }) => role).lastIndexOf(transcript.role);
  if (replaced < 0 || transcripts[replaced]!.final) return [...transcripts, transcript].slice(-MAX_TRANSCRIPTS);
  return transcripts.map((each, index) => (index === replaced ? transcript : each));
}
