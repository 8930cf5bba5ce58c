// Stop: one tap or one key from everywhere, and it never asks.

import { byId } from "./dom.js";
import { Problem, ask, isAnswer } from "./service.js";
import { endingOf } from "./words.js";

const AGAIN_MS = 400;
const TRIES = 25; // ten seconds and more
const UNHEARD_MS = 2500;
const OWN_BUTTON = "If the motor runs, use the device's own button.";

// Where a space is a letter. Escape is none anywhere.
const TYPING = "textarea, input:not([type]), input:is([type=text], [type=search], [type=password])";

// isNeeded(): whether something runs or may run; isStarting(): whether a start of this page has no answer yet;
// isIdle() resolves to whether nothing runs or is being started; tell(sentence, isAlarming). What stops the session.
export function prepareStop({ isNeeded, isStarting, isIdle, tell }) {
  const stop = () => {
    let ended = null;
    let wasStarting = isStarting();
    insist("session/stop", 8, tell, async (answer) => {
      ended = answer.ended ?? ended;
      // A start may come to the service later than the stop that was sent after it.
      const isSure = answer.ended !== null && !wasStarting;
      wasStarting = isStarting();
      if (wasStarting || !(isSure || (await isIdle()))) return false;
      tell(ended === null ? "Nothing runs." : endingOf(ended), false);
      return true;
    });
  };
  const stopEverything = () => insist("emergency-stop", 60, tell, tellOfDevices(tell));
  // When the finger comes down, not when it leaves: a motor is not to wait for that. A click without a pointer is a key
  // or a screen reader; to stop twice is to stop.
  for (const [id, act] of [["stop", stop], ["emergency", stopEverything]]) {
    byId(id).addEventListener("pointerdown", act);
    byId(id).addEventListener("click", (event) => event.detail === 0 && act());
  }
  prepareKeys(isNeeded, stop);
  return stop;
}

// Before everything else that listens. From a key that stops, down to its coming up, nothing else gets anything of it:
// a button that has the focus is not pressed by it, also not when it is held until long after everything is at rest.
function prepareKeys(isNeeded, stop) {
  const held = new Set();
  const isMeant = (event) => isNeeded() && (event.key === "Escape" || (event.key === " " && !event.target.closest?.(TYPING)));
  const swallow = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  window.addEventListener("keydown", (event) => {
    if (held.has(event.key) && event.repeat) swallow(event);
    else if (isMeant(event)) {
      held.add(event.key);
      swallow(event);
      if (!event.repeat) stop();
    }
  }, { capture: true });
  window.addEventListener("keyup", (event) => {
    if (held.delete(event.key)) swallow(event);
  }, { capture: true });
  window.addEventListener("blur", () => held.clear());
}

// Until the service takes it and `isOver(answer)`; each try waits `timeout_s` for an answer, which comes when everything
// is at rest.
async function insist(path, timeout_s, tell, isOver) {
  tell("Stop is on its way …", false);
  for (let failed = 0; failed < TRIES;) {
    const unheard = setTimeout(() => tell(`Stop has no answer yet. ${OWN_BUTTON}`, true), UNHEARD_MS);
    try {
      if (await isOver(await ask("POST", path, { timeout_s, keepalive: true }))) return;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (isAnswer(problem)) {
        tell(`${problem.message} ${OWN_BUTTON}`, true);
        return;
      }
      failed += 1;
      // The same words each time: a screen reader says them once.
      tell(`Stop did not reach the service${failed < TRIES ? " yet, and is sent again and again" : ""}. ${OWN_BUTTON}`, true);
    } finally {
      clearTimeout(unheard);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function tellOfDevices(tell) {
  return (answer) => {
    const doubtful = Object.entries(answer.devices)
      .filter(([, device]) => device.proof !== "confirmed")
      .map(([name, device]) => `${name}: ${device.problem ?? (device.proof === "cannot_report" ? "Stop was sent; it cannot report, so look at it." : `not confirmed. ${OWN_BUTTON}`)}`);
    tell(["Emergency stop.", ...doubtful].join(" "), !answer.is_confirmed);
    return true;
  };
}
