// The page: one view at a time, fed by what the service tells.

import { stayAwake } from "./awake.js";
import { loadBody } from "./body.js";
import { prepareDevices, showDevices } from "./devices.js";
import { byId, make, show, write } from "./dom.js";
import { Events, NOT_LET_IN } from "./events.js";
import { showHistory } from "./history.js";
import { prepareLatch, showLatch } from "./latch.js";
import { prepareNow, showSession } from "./now.js";
import { planOf } from "./plan.js";
import { loadRegions } from "./regions.js";
import { showScreening } from "./screening.js";
import { Problem, get, hasToken, isAnswer, keepToken, offerToken, takeKeptToken, takeTokenFromAddress } from "./service.js";
import { isStarting, prepareStart, showStart } from "./start.js";
import { prepareStop } from "./stop.js";
import { isSpeaking, prepareVoice, say } from "./voice.js";
import { endingOf, isAlarming, sentenceOf } from "./words.js";

const VIEWS = { now: () => {}, start: showStart, devices: showDevices, you: showScreening, history: showHistory };
const LOST_RUNNING = "The page has lost the service. If the service is gone, its guardian stops the motor; if only this page is cut off, the massage goes on: use the device's own button.";
const LOST_IDLE = "The page has lost the service. Nothing was running when it was last heard.";
const TOLD_BY_FIGURES = new Set(["level_asked", "device_reported", "bytes_ignored", "span_ended", "missed"]);
const STEPS = new Set(["span_started", "key_awaited", "session_resumed"]); // what was said of the step before is old then
// What another page or door did, and the views that show it.
const CHANGES = { paired: ["devices", "start"], forgotten: ["devices", "start"], screening_changed: ["you"], session_ended: ["history"] };
const LOOK_MS = 100;
// While something runs there is a snapshot each second, else a sign of life every two.
const SILENCE_MS = { running: 3000, starting: 6000, idle: 10_000 };

let snapshot = null;
let isLost = false;
let isHeard = false; // before that a view has nothing to show
let needsToken = false;
let isLooking = false;
let isLookWanted = false;

const events = new Events({ silence_ms, onEvent: hear, onHeard: connected, onLost: lost });

// What alarms stays until something else happens that the person asked for; the loss of the service, until it is back.
function tell(sentence, isAlarm) {
  if (isAlarm) {
    write(byId("alert"), sentence);
    return;
  }
  write(byId("said"), sentence);
  if (!isLost) write(byId("alert"), "");
}

function hear(kind, event) {
  if (kind === "snapshot") apply(event);
  if (kind === "snapshot" || TOLD_BY_FIGURES.has(kind)) return;
  const data = event.data;
  const sentence = sentenceOf(kind, data);
  if (isAlarming(kind, data)) write(byId("alert"), sentence);
  else if (sentence !== "" || STEPS.has(kind)) write(byId("said"), sentence);
  if (kind === "session_ended") {
    write(byId("last"), `The last session: ${endingOf(data)}`);
    say(endingOf(data));
  }
  if (CHANGES[kind]?.includes(wantedView())) VIEWS[wantedView()](tell);
  look();
}

// Where everything stands, without waiting for the next snapshot; after many events in a row, not for each of them.
async function look() {
  isLookWanted = true;
  if (isLooking) return;
  isLooking = true;
  while (isLookWanted) {
    isLookWanted = false;
    await lookNow();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  isLooking = false;
}

// Whether the service has answered.
async function lookNow() {
  try {
    apply(await get("session", { timeout_s: 5 }));
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return isAnswer(problem);
  }
}

function apply(newest) {
  const isSameRun = snapshot?.began_utc === newest.began_utc;
  if (isSameRun && newest.last_id < snapshot.last_id) return; // it was overtaken
  const isNews = newest.problem !== snapshot?.problem; // what was read already must not write over what is new
  const began = newest.session !== null && !(isSameRun && snapshot.session?.number === newest.session.number);
  snapshot = newest;
  if (began) location.hash = "#now";
  showSession(newest.session, planOf(newest));
  showIdle(newest);
  showLatch(newest.emergency_stop);
  show(byId("screening-needed"), newest.screening.state !== "good");
  stayAwake(newest.session !== null);
  if (isNews && newest.problem) write(byId("alert"), newest.problem);
}

function showIdle({ starting_by, devices, screening }) {
  write(byId("idle-state"), starting_by === null ? "Nothing runs." : `Starting, for ${starting_by} …`);
  show(byId("first-device"), devices.length === 0);
  show(byId("first-questions"), screening.state !== "good");
}

function connected(now) {
  const [wasLost, wasRunning] = [isLost, mayRun()];
  isLost = false;
  [isHeard, needsToken] = [true, false];
  keepToken();
  document.body.classList.remove("is-stale");
  write(byId("connection"), "connected");
  byId("connection").className = "is-live";
  if (wasLost) {
    write(byId("alert"), now.problem);
    write(byId("said"), "The service is back.");
  }
  apply(now);
  if (wasLost && wasRunning && !mayRun()) {
    const over = "The service is back, and the session that ran is over. Look at the device: is it at rest?";
    write(byId("alert"), [over, now.problem].filter(Boolean).join(" "));
  }
  loadRegions().then(() => apply(snapshot), () => null); // without them the page still shows where and how long
  showView();
}

function lost(status) {
  byId("connection").className = "is-lost";
  if (status === NOT_LET_IN) {
    if (takeKeptToken()) {
      write(byId("said"), "That token is not the service's: this browser goes on with the one that it has.");
      events.again();
      return;
    }
    [isHeard, needsToken] = [false, true];
    isLost = false; // it is there, and does not let this page in
    write(byId("alert"), "");
    write(byId("connection"), "not let in");
    if (hasToken()) write(byId("said"), "The service does not take that token.");
    showView();
    return;
  }
  write(byId("connection"), "NO CONNECTION");
  if (isLost) return;
  isLost = true;
  document.body.classList.add("is-stale");
  const isBusy = mayRun() || isStarting();
  write(byId("alert"), isBusy ? LOST_RUNNING : LOST_IDLE);
  if (isBusy) say(LOST_RUNNING);
}

const mayRun = () => (snapshot?.session ?? null) !== null || (snapshot?.starting_by ?? null) !== null;

function silence_ms() {
  return SILENCE_MS[mayRun() ? "running" : isStarting() ? "starting" : "idle"];
}

const isIdle = async () => (await lookNow()) && !mayRun();

function wantedView() {
  const chosen = location.hash.slice(1);
  return needsToken ? "token" : Object.hasOwn(VIEWS, chosen) ? chosen : "now";
}

function showView() {
  const wanted = wantedView();
  for (const name of ["token", ...Object.keys(VIEWS)]) show(byId(`view-${name}`), name === wanted);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!isHeard) return;
  VIEWS[wanted](tell);
  look();
}

// Who comes back to the page sees how things stand now, not how they stood when the phone fell asleep.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    if (!isSpeaking()) events.rest();
    return;
  }
  byId("connection").className = "";
  write(byId("connection"), "connecting …");
  events.again();
});
window.addEventListener("hashchange", () => {
  if (takeTokenFromAddress()) events.again();
  else write(byId("said"), "");
  showView();
  byId("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
byId("token-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  offerToken(byId("token").value);
  byId("token").value = "";
  events.again();
});
document.querySelector(".skip-link").addEventListener("click", (clicked) => {
  clicked.preventDefault();
  byId("main").focus();
});
takeTokenFromAddress();
needsToken = !hasToken();
const stop = prepareStop({ isNeeded: () => mayRun() || isStarting() || isLost, isStarting, isIdle, tell });
prepareNow(tell);
prepareVoice();
prepareLatch(tell);
prepareStart(tell, { look: lookNow, stop });
prepareDevices(tell);
loadBody()
  .catch(() => byId("map").append(make("p", {}, "The picture of the body could not be loaded.")))
  .finally(showView);
events.start();
if (document.hidden) events.rest();
