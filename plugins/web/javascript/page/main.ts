// The page: its one button, and who is told what of a call. The call itself is of the library (../src).

import { GlottisClient, type Call, type CallEvents, type CallState, type Codec, type GlottisError } from "../src/index.js";
import { offerCampaigns } from "./campaigns.js";
import { DeviceChoice } from "./devices.js";
import { $ } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Figures } from "./figures.js";
import { makeKeypad } from "./keypad.js";
import { showLevels } from "./levels.js";
import { hideNotice, showNotice } from "./notice.js";
import { CallTimer } from "./timer.js";
import { Conversation } from "./transcript.js";

const WORKLETS = "/demo/worklets.js";
const LABELS: Record<CallState, string> = {
  "idle": "Call", "connecting": "Cancel", "active": "Hang up", "reconnecting": "Hang up", "ended": "Call again",
};
const AGENT_WORDS = { listening: "Listening", thinking: "Thinking …", speaking: "Speaking" };

let call: Call | null = null;
let isDoubted = false; // whether the notice says that UDP is probably blocked
const devices = new DeviceChoice(new GlottisClient());
const conversation = new Conversation();
const figures = new Figures();
const drawer = new Drawer();
const timer = new CallTimer($("timer"));

const isUnderWay = () => call !== null && call.state !== "ended";
const value = (id: string) => $<HTMLInputElement | HTMLSelectElement>(id).value;

function start(): void {
  hideNotice();
  conversation.clear();
  const apiKey = value("api-key");
  const client = new GlottisClient({ worklets: WORKLETS, ...(apiKey && { apiKey }) });
  call = client.call({
    campaign: value("campaign"),
    codec: value("codec") as Codec,
    transport: value("transport") as "auto",
    processing: $<HTMLInputElement>("processing").checked,
    withoutMicrophone: "listen",
    ...(devices.microphone && { microphone: devices.microphone }),
    ...(devices.loudspeaker && { loudspeaker: devices.loudspeaker }),
  });
  listenTo(call);
  figures.watch(call);
  drawer.watch(call);
  void call.connect().catch(() => {}); // its state says so
}

function listenTo(call: Call): void {
  call.on("state", showState);
  call.on("agentState", showAgent);
  call.on("transcript", (said) => conversation.said(said));
  call.on("turn", showTurn);
  call.on("text", ({ text }) => conversation.wrote("agent", text));
  call.on("event", showEvent);
  call.on("level", showLevels);
  call.on("dtmf", ({ digit }) => conversation.note(`The agent pressed ${digit}.`));
  call.on("error", ({ error }) => showError(error));
  call.on("audioBlocked", ({ blocked }) => {
    if (blocked) showNotice("The browser plays nothing yet.", "Click anywhere to hear the agent.");
    else hideNotice();
  });
}

function showState({ state, words }: CallEvents["state"]): void {
  const entered = document.body.dataset["state"] !== state;
  document.body.dataset["state"] = state;
  $("status").textContent = words;
  if (!entered) return;
  $("call-label").textContent = LABELS[state];
  const isActive = state === "active" || state === "reconnecting";
  for (const id of ["text", "send", "interrupt"]) $<HTMLInputElement>(id).disabled = !isActive;
  $<HTMLButtonElement>("mute").disabled = !isActive || !call?.microphone;
  for (const key of $("keypad").children) (key as HTMLButtonElement).disabled = !isActive;
  for (const id of ["campaign", "codec", "transport", "processing", "api-key"]) {
    $<HTMLInputElement>(id).disabled = state !== "ended";
  }
  if (state === "active") begin();
  if (state === "ended") finish();
}

function begin(): void {
  timer.start();
  if (isDoubted && call?.transport === "webrtc") hideNotice(); // it has come through, late
  void devices.refresh(); // which have names now
}

function finish(): void {
  timer.stop();
  figures.stop();
  conversation.unsaid();
  showLevels({ microphone: -Infinity, agent: -Infinity });
  delete document.body.dataset["agent"];
  setMuted(false);
}

function showAgent({ state }: CallEvents["agentState"]): void {
  if (state === "listening") conversation.unsaid();
  document.body.dataset["agent"] = state;
  $("agent-state").textContent = AGENT_WORDS[state];
}

function showTurn({ latencyMs, parts }: CallEvents["turn"]): void {
  figures.answered(latencyMs);
  conversation.tookToAnswer(...timeInWords(latencyMs, parts));
}

function timeInWords(ms: number, parts: Record<string, number>): [string, string] {
  const details = Object.entries(parts).map(([part, spent]) => `${part.replace("_", " ")} ${Math.round(spent)} ms`);
  return [`${(ms / 1000).toFixed(2)} s`, details.join(", ")];
}

function showEvent({ name, data }: CallEvents["event"]): void {
  if (name === "source") conversation.note(`From the answers: “${data["question"]}” ${data["text"]}`);
  if (name === "waterfall") conversation.tookInAll(...timeInWords(Number(data["totalMs"]), Object(data["parts"])));
  if (name === "form") conversation.note(`${data["title"]}: ${JSON.stringify(data["values"])}`);
}

function showError(error: GlottisError): void {
  isDoubted = error.code === "NO_UDP";
  showNotice(error.problem, error.remedy);
  if (error.code === "UNAUTHENTICATED") $<HTMLDetailsElement>("settings").open = true;
}

function setMuted(muted: boolean): void {
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute-label").textContent = muted ? "Muted" : "Mute";
  call?.mute(muted);
}

/** During a call the other device is used at once. */
function switchDevice(switched: Promise<void> | undefined): void {
  switched?.catch((error: GlottisError) => showError(error));
}

function write(event: Event): void {
  event.preventDefault();
  const text = value("text").trim();
  if (!text || !isUnderWay()) return;
  call!.sendText(text);
  conversation.wrote("user", text);
  $<HTMLInputElement>("text").value = "";
}

function press(digit: string): void {
  try {
    call?.sendDtmf(digit);
    $("digits").textContent = `${$("digits").textContent}${digit}`.slice(-12);
  } catch (error) {
    showError(error as GlottisError);
  }
}

async function prepare(): Promise<void> {
  if (!navigator.mediaDevices) {
    const here = `http://localhost${location.port && `:${location.port}`}`;
    showNotice(
      "Browsers give the microphone only to pages from https or from this machine, so you can only listen here.",
      `Open the page by https, for which \`glottis cert\` makes a certificate, or on the gateway's own machine as ${here}.`,
    );
  }
  $<HTMLButtonElement>("call").disabled = true; // until it is known whom to call
  const [isKnown] = await Promise.all([offerCampaigns(value("api-key")), devices.refresh()]);
  $<HTMLButtonElement>("call").disabled = false;
  if (!isKnown) showNotice("This gateway wants credentials.", "Enter an API key in the settings.");
  if (!isKnown) $<HTMLDetailsElement>("settings").open = true;
}

makeKeypad(press);
for (const key of $("keypad").children) (key as HTMLButtonElement).disabled = true;
$("call").addEventListener("click", () => (isUnderWay() ? call!.hangUp() : start()));
$("mute").addEventListener("click", () => setMuted($("mute").getAttribute("aria-pressed") !== "true"));
$("interrupt").addEventListener("click", () => call?.interrupt());
$("microphone").addEventListener("change", () => switchDevice(isUnderWay() ? call?.setMicrophone(devices.microphone) : undefined));
$("loudspeaker").addEventListener("change", () => switchDevice(isUnderWay() ? call?.setLoudspeaker(devices.loudspeaker) : undefined));
$("api-key").addEventListener("change", () => void offerCampaigns(value("api-key")));
$("chat").addEventListener("submit", write);
void prepare();
