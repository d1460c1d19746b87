// What the page has in common with the page for callers.

export { $, make } from "../../web/javascript/page/dom.js";
export { pointsOf } from "../../web/javascript/page/sparkline.js";

/** Only where it changes: what stays is not drawn or read out again. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
