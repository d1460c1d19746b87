import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement, StrictMode } from "react";
import { act, create } from "react-test-renderer";
import { useGlottisCall } from "../build/react.js";
import { FakeGateway, until } from "./gateway.js";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
const warn = console.error;
console.error = (...words) => String(words[0]).includes("react-test-renderer is deprecated") || warn(...words);

let shown;
function Phone(options) {
  shown = useGlottisCall(options);
  return createElement("p", null, shown.words);
}

async function mount(gateway, options = {}) {
  gateway.install();
  const phone = createElement(Phone, { url: "https://voice.test", webrtc: gateway.webrtc, campaign: "echo", ...options });
  let root;
  await act(async () => { root = create(createElement(StrictMode, null, phone)); });
  return root;
}

test("a component shows its call, and hangs up when it goes", async () => {
  const gateway = new FakeGateway();
  const root = await mount(gateway);
  assert.equal(shown.state, "idle");
  await act(() => shown.connect({ metadata: { page: "/" } }));
  assert.equal(root.toJSON().children[0], "In call.");
  assert.deepEqual(gateway.requests[0].body.metadata, { page: "/" });
  await act(async () => shown.mute());
  assert.equal(shown.muted, true);
  const socket = gateway.socket;
  await act(async () => root.unmount());
  assert.equal(socket.sent.at(-1).type, "bye");
});

test("what is being said is replaced until it is final", async () => {
  const gateway = new FakeGateway();
  const root = await mount(gateway);
  await act(() => shown.connect());
  const say = (role, text, final) => gateway.socket.say({ type: "event", name: "transcript", data: { role, text, final } });
  await act(async () => {
    say("user", "Hel", false);
    say("agent", "Good", false);
    say("user", "Hello.", true);
    say("agent", "Good day.", true);
    say("user", "And", false);
    await until(() => shown.transcripts.length === 3 || true);
  });
  await act(() => until(() => shown.transcripts.length === 3));
  assert.deepEqual(shown.transcripts.map(({ text }) => text), ["Hello.", "Good day.", "And"]);
  await act(async () => root.unmount());
});

test("what goes wrong is state, and never thrown", async () => {
  const gateway = new FakeGateway();
  gateway.answer = { status: 404, body: { code: "UNKNOWN_CAMPAIGN", detail: "There is no campaign echo." } };
  const root = await mount(gateway);
  await act(() => shown.connect());
  assert.equal(shown.state, "ended");
  assert.equal(shown.error.code, "UNKNOWN_CAMPAIGN");
  await act(async () => root.unmount());
});
