// Which of the two views there is, and when it looks at the gateway: never while nobody can see it.

import { fetchOverview, Gone, hasToken, keepToken, Refused } from "./api.js";
import { CallView } from "./call.js";
import { Calls } from "./calls.js";
import { $, say } from "./dom.js";
import { showTotals } from "./totals.js";

const EVERY = 2000; // milliseconds
const EVERY_OF_CALL = 1000;
const SLOWEST = 30_000; // while the gateway cannot be reached

const calls = new Calls();
const view = new CallView();
let timer: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let turn = 0;

/** The session in the page's address; an address that somebody has mistyped is none's. */
function chosen(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function route(): void {
  const id = chosen();
  const returns = !id && !$("call").hidden;
  $("overview").hidden = id !== "";
  $("call").hidden = id === "";
  document.title = id ? `${id} – glottis operators` : "glottis operators";
  if (id) {
    view.open(id);
    $("call-title").focus();
  } else if (returns) {
    $("running-title").focus();
  }
  look();
}

function look(): void {
  clearTimeout(timer);
  void update(++turn);
}

async function update(mine: number): Promise<void> {
  if (document.visibilityState === "hidden") return; // it looks again when it is seen
  let next = chosen() ? EVERY_OF_CALL : EVERY;
  try {
    const goesOn = await (chosen() ? view.look() : showOverview());
    if (mine !== turn) return;
    failures = 0;
    say($("updated"), `as of ${new Date().toLocaleTimeString()}`);
    welcome();
    if (!goesOn) return;
  } catch (error) {
    if (mine !== turn || !failed(error as Error)) return;
    next = Math.min(SLOWEST, next * 2 ** ++failures);
  }
  timer = setTimeout(look, next);
}

async function showOverview(): Promise<boolean> {
  const overview = await fetchOverview();
  showTotals(overview);
  calls.show(overview);
  say($("version"), `glottis ${overview.version}`);
  return true;
}

function welcome(): void {
  $("login").hidden = true;
  $("main").hidden = false;
  $("forget").hidden = !hasToken();
  say($("trouble"), "");
}

/** Whether there is any use in another try. */
function failed(error: Error): boolean {
  if (error instanceof Refused) {
    $("main").hidden = true;
    $("login").hidden = false;
    say($("login-said"), hasToken() ? error.message : "");
    $("token").focus();
    return false;
  }
  say($("trouble"), error instanceof TypeError ? "The gateway cannot be reached." : error.message);
  return !(error instanceof Gone);
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken($<HTMLInputElement>("token").value.trim());
  $<HTMLInputElement>("token").value = "";
  look();
});
$("forget").addEventListener("click", () => {
  keepToken("");
  location.assign(location.pathname);
});
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", look);
route();
