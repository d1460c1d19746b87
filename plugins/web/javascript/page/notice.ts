// What went wrong, and what to do about it.

import { $ } from "./dom.js";

export function showNotice(problem: string, remedy = ""): void {
  $("problem").textContent = problem;
  $("remedy").textContent = remedy;
  $("notice").hidden = false;
}

export function hideNotice(): void {
  $("notice").hidden = true;
}

$("dismiss").addEventListener("click", () => {
  hideNotice();
  $("call").focus();
});
