// Says the cues aloud, by the browser, when the person wants that. Off until then, and remembered.

import { byId } from "./dom.js";

const KEPT_AS = "percuss-voice";

let isOn = false;

export const isSpeaking = () => isOn;

export function prepareVoice() {
  const button = byId("voice");
  button.disabled = !("speechSynthesis" in window);
  turn(!button.disabled && wasOn());
  button.addEventListener("click", () => {
    turn(!isOn);
    if (isOn) say("I will say what to do.");
    else speechSynthesis.cancel();
  });
}

export function say(text) {
  if (!isOn || text === "") return;
  speechSynthesis.cancel();
  const words = new SpeechSynthesisUtterance(text);
  words.lang = "en";
  speechSynthesis.speak(words);
}

function turn(on) {
  isOn = on;
  byId("voice").setAttribute("aria-pressed", String(on));
  try {
    localStorage.setItem(KEPT_AS, on ? "on" : "off");
  } catch {
    // A browser that keeps nothing: it holds for this page.
  }
}

function wasOn() {
  try {
    return localStorage.getItem(KEPT_AS) === "on";
  } catch {
    return false;
  }
}
