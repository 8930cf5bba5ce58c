// The session that runs: where, how long, what next, how strong; and the buttons that ask for something else.

import { placesOf, showPlaces } from "./body.js";
import { drawPlan } from "./charts.js";
import { byId, make, show, write } from "./dom.js";
import { avoidedAt, saidOf, withoutAvoided } from "./regions.js";
import { attempt, post } from "./service.js";
import { say } from "./voice.js";
import { capital, clock, isAsked, mannerOf, placeOf, stateOf } from "./words.js";

const BUTTONS = { softer: "softer", stronger: "stronger", back: "back", skip: "skip", extra: "extra", nerve: "nerve-sign", "pain-skip": "resume" };
const TICK_MS = 100;
const NEW_MS = 700; // so long a second tap may come that was meant for what the button said before

let shown = null; // the session of the newest snapshot
let heard_ms = 0;
let isRealTime = false; // on a simulator time may run faster: then nothing is guessed between two snapshots
let spoken = "";
let held = null;

// tell(sentence, isAlarming).
export function prepareNow(tell) {
  const send = (path, body) => attempt(tell, () => post(`session/${path}`, body, { timeout_s: 10 }));
  for (const [id, path] of Object.entries(BUTTONS)) byId(id).addEventListener("click", () => send(path));
  byId("pause").addEventListener("click", () => {
    if (byId("pause").ariaDisabled !== "true") send(goesOn(shown) ? "resume" : "pause");
  });
  byId("pain").addEventListener("input", () => write(byId("pain-value"), byId("pain").value));
  byId("pain-tell").addEventListener("click", () => send("pain", { score: Number(byId("pain").value) }));
  setInterval(tick, TICK_MS);
}

export function showSession(session, plan) {
  isRealTime = isRealTimeSince(session);
  if (goesOn(session) && !goesOn(shown)) holdPause();
  shown = session;
  heard_ms = performance.now();
  show(byId("idle"), session === null);
  show(byId("session"), session !== null);
  if (session === null) {
    spoken = "";
    showPlaces(null, null);
    return;
  }
  const { span, next } = session;
  write(byId("state"), stateOf(session));
  write(byId("place"), span === null ? session.routine : placeOf(span));
  write(byId("manner"), span === null ? "" : [saidOf(span.region), mannerOf(span)].filter(Boolean).join(" · "));
  write(byId("next"), next === null ? "Next: the end." : `Next: ${next.kind === "move" ? "move to " : ""}${placeOf(next)}, ${clock(next.duration_s)}`);
  write(byId("by"), `${session.routine}, started by ${session.by}`);
  write(byId("pause"), session.is_waiting ? "I am there" : goesOn(session) ? "Go on" : "Pause");
  showWords(span, next);
  showPain(session.pain_question);
  showDevices(session.devices);
  drawPlan(byId("plan-now"), plan, session.duration_s - session.total_left_s);
  speak(session);
  tick();
}

// What is tapped twice in a hurry comes to rest once, and does not go on again.
function holdPause() {
  clearTimeout(held);
  byId("pause").ariaDisabled = "true";
  held = setTimeout(() => { byId("pause").ariaDisabled = "false"; }, NEW_MS);
}

const goesOn = (session) => session !== null && (session.is_paused || session.is_waiting || isAsked(session));

// What to do and what to keep off. On the way to a place it is already about that place, and so it is while there is none.
function showWords(span, next) {
  write(byId("cue"), span?.cue ?? "");
  write(byId("note"), withoutAvoided(span?.note ?? "", span?.region));
  const isUnderWay = span?.kind === "move";
  showPlaces(isUnderWay ? null : span, isUnderWay ? span : next);
  const avoided = avoidedAt(placesOf(span).length > 0 ? placesOf(span) : placesOf(next));
  write(byId("keep-off"), avoided.length === 0 ? "" : `Keep off: ${avoided.join("; ")}.`);
}

// The look at what is left differs from the clock's when time runs faster.
function isRealTimeSince(session) {
  const before = shown;
  if (session === null || before === null || before.number !== session.number) return false;
  if (session.span === null || before.span === null || before.span.cue !== session.span.cue) return isRealTime;
  if (goesOn(before) || goesOn(session)) return isRealTime;
  const passed_s = before.span.left_s - session.span.left_s;
  return Math.abs(passed_s - (performance.now() - heard_ms) / 1000) < 0.5;
}

function tick() {
  if (shown === null || shown.span === null) return;
  const stands = goesOn(shown) || !isRealTime;
  const since_s = stands ? 0 : Math.min((performance.now() - heard_ms) / 1000, 1.5);
  const left_s = Math.max(0, shown.span.left_s - since_s);
  write(byId("count"), left_s <= 3 && shown.span.kind !== "move" ? String(Math.ceil(left_s)) : clock(left_s));
  byId("count").classList.toggle("is-last", left_s <= 3);
  byId("span-bar").value = shown.span.duration_s > 0 ? Math.min(1, 1 - left_s / shown.span.duration_s) : 1;
  write(byId("whole"), `${clock(shown.total_left_s - since_s)} left in all`);
}

// It can be told at any time; when it is asked for it moves to where the eye is, and waits, but not between two places.
function showPain(moment) {
  const when = moment === "between" ? " now" : moment === null ? "" : `, ${moment} the session`;
  write(byId("pain-text"), `How much does it hurt${when}?`);
  byId("pain-block").classList.toggle("is-asked", moment !== null);
  show(byId("pain-skip"), moment === "before" || moment === "after");
}

function showDevices(devices) {
  const lines = devices.flatMap((device) => [make("dt", {}, device.name), make("dd", {}, levels(device))]);
  const list = byId("devices-now");
  if (list.textContent !== lines.map((line) => line.textContent).join("")) list.replaceChildren(...lines);
}

function levels(device) {
  const said = [`asked ${device.asked_ppm} ppm (${Math.round(device.asked_percent)} %)`];
  if (device.reported_ppm !== null) said.push(`reported ${device.reported_ppm} ppm`);
  else if (device.reported_running !== null) said.push(device.reported_running ? "says that it runs" : "says that it rests");
  if (device.battery_pct !== null) said.push(`battery ${Math.round(device.battery_pct)} %`);
  if (device.temperature_c !== null) said.push(`${Math.round(device.temperature_c)} °C`);
  return said.join(" · ");
}

// Once for each thing to do: aloud, and for a screen reader.
function speak(session) {
  const span = session.span;
  const words = span === null ? "" : `${stateOf(session)}: ${capital(placeOf(span))}. ${span.cue}`;
  if (words === spoken) return;
  spoken = words;
  write(byId("spoken"), words);
  say(words);
}
