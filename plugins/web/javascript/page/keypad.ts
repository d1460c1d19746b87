// Twelve keys, which can be typed, too, while one of them has the focus.

import { $, make } from "./dom.js";

const KEYS: [key: string, letters: string][] = [
  ["1", ""], ["2", "abc"], ["3", "def"], ["4", "ghi"], ["5", "jkl"], ["6", "mno"],
  ["7", "pqrs"], ["8", "tuv"], ["9", "wxyz"], ["*", ""], ["0", ""], ["#", ""],
];
const NAMES: Record<string, string> = { "*": "star", "#": "hash" };
const PRESSED_MS = 120;

export function makeKeypad(press: (digit: string) => void): void {
  const pad = $("keypad");
  const buttons = new Map(KEYS.map(([key, letters]) => {
    const button = make("button", "key", make("span", "", key), " ", make("small", "", letters));
    button.type = "button";
    button.value = key;
    if (key in NAMES) button.setAttribute("aria-label", NAMES[key]!);
    button.addEventListener("click", () => press(key));
    return [key, button];
  }));
  pad.append(...buttons.values());
  pad.addEventListener("keydown", ({ key }) => {
    const button = buttons.get(key);
    if (!button || button.disabled) return;
    press(key);
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), PRESSED_MS);
  });
}
