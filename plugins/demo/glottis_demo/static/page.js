// The page: its button, its words, its meters. The call itself is in call.js.

import { Call } from "./call.js";
import { Meter } from "./meter.js";
import { readStatistics } from "./statistics.js";

const MAX_LOG_LINES = 200;
const STATISTICS_INTERVAL_MS = 1000;

const $ = (id) => document.getElementById(id);
let call = null;
let meter = null;
let statisticsTimer = null;

function start() {
  call = new Call({
    campaign: $("campaign").value,
    codec: $("codec").value,
    processing: $("processing").checked,
    apiKey: $("api-key").value,
  });
  meter = new Meter();
  call.addEventListener("state", ({ detail }) => showState(detail));
  call.addEventListener("text", ({ detail }) => addLine("agent", detail.text));
  call.addEventListener("note", ({ detail }) => addLine("note", detail.text));
  call.addEventListener("sound", ({ detail }) => {
    $("sound").srcObject = detail.stream;
    meter.watch(detail.stream, $("level-in"), $("call"));
  });
  statisticsTimer = setInterval(showStatistics, STATISTICS_INTERVAL_MS);
  call.start();
}

function showState({ state, words, failed }) {
  const entered = state !== document.body.dataset.state;
  document.body.dataset.state = state;
  document.body.toggleAttribute("data-failed", failed);
  $("status").textContent = words;
  $("call-label").textContent = { "connecting": "Cancel", "in-call": "Hang up", "ended": "Call again" }[state];
  $("text").disabled = $("send").disabled = state !== "in-call";
  $("mute").disabled = state !== "in-call" || !call.microphone;
  for (const control of $("settings").elements) control.disabled = state !== "ended";
  if (entered && state === "in-call" && call.microphone) meter.watch(call.microphone, $("level-out"));
  if (state === "ended") finish();
}

function finish() {
  clearInterval(statisticsTimer);
  meter.close();
  $("sound").srcObject = null;
  setMuted(false);
}

async function showStatistics() {
  if (call.state !== "in-call") return;
  const statistics = await readStatistics(call.peer);
  for (const [name, value] of Object.entries(statistics)) $(`stat-${name}`).textContent = value ?? "–";
}

function addLine(from, text) {
  const line = document.createElement("li");
  line.className = from;
  line.dataset.from = { you: "You", agent: "Agent", note: "·" }[from];
  line.textContent = text;
  $("log").append(line);
  while ($("log").childElementCount > MAX_LOG_LINES) $("log").firstChild.remove();
  $("log").scrollTop = $("log").scrollHeight;
}

function setMuted(muted) {
  $("mute").setAttribute("aria-pressed", muted);
  $("mute").textContent = muted ? "Muted" : "Mute";
  call.mute(muted);
}

// A campaign that the address names, as in /?campaign=sales, can be chosen too.
function offerCampaignOfAddress() {
  const wanted = new URLSearchParams(location.search).get("campaign");
  if (!wanted) return;
  if (![...$("campaign").options].some(({ value }) => value === wanted)) $("campaign").add(new Option(wanted, wanted));
  $("campaign").value = wanted;
}

$("call").addEventListener("click", () => {
  if (["connecting", "in-call"].includes(call?.state)) call.hangUp();
  else start();
});
$("mute").addEventListener("click", () => setMuted($("mute").getAttribute("aria-pressed") !== "true"));
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("chat").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (!text) return;
  call.send(text);
  addLine("you", text);
  $("text").value = "";
});
addEventListener("pagehide", () => { if (call && call.state !== "ended") call.hangUp(); });
offerCampaignOfAddress();
