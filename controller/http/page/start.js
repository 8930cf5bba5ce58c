// Choose a device and a routine, see the plan or why there is none, and start.

import { drawPlan } from "./charts.js";
import { byId, make } from "./dom.js";
import { allRegions, loadRegions } from "./regions.js";
import { Problem, attempt, get, isAnswer, post } from "./service.js";
import { capital, clock } from "./words.js";

const BY_HAND = { role: null };
const AGAIN_MS = 400;
const SIMULATED = { role: "simulator", name: "theragun-gen4" };

const choosable = new Map(); // by the value of its button
let listed = "";
let starting = 0;
let look;
let stop;
let asked = 0; // so that a late answer to an earlier question is not shown

// Whether this page has asked for a session and does not know yet what came of it.
export const isStarting = () => starting > 0;

// look() shows how things stand now, and resolves to whether the service has answered; stop() stops.
export function prepareStart(tell, actions) {
  ({ look, stop } = actions);
  byId("start-form").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    start(tell, { ...wish(), asks_pain: byId("asks-pain").checked, waits_for_key: byId("waits").checked });
  });
  byId("hold-form").addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    const [percent, duration_s] = [byId("hold-percent").valueAsNumber, byId("hold-seconds").valueAsNumber];
    start(tell, { ...cast(), hold: { percent, duration_s, region: byId("hold-region").value, side: byId("hold-side").value || null } });
  });
  byId("start-form").addEventListener("change", (changed) => changed.target.type === "radio" && preview());
  byId("search").addEventListener("input", filter);
}

// Asks what there is; a choice that was made stays.
export async function showStart(tell) {
  const asking = [() => get("routines"), () => get("devices"), loadRegions];
  const [routines, devices] = await Promise.all(asking.map((what) => attempt(tell, what)));
  if (routines === undefined || devices === undefined) return;
  const now = JSON.stringify([routines, devices]);
  if (now === listed) return;
  listed = now;
  const chosen = new Set([...document.querySelectorAll("#start-form input[type=radio]:checked")].map((radio) => radio.id));
  byId("choose-routine").replaceChildren(
    ...routines.routines.map((one) => choice("routine", one.name, `${one.title} · ${clock(one.duration_s)}`, one.description)),
    ...routines.problems.map((problem) => make("p", { class: "refusal" }, problem)),
  );
  listDevices(devices.devices);
  listPlaces();
  for (const radio of document.querySelectorAll("#start-form input[type=radio]")) radio.checked = chosen.has(radio.id);
  if (!document.querySelector("input[name=device]:checked")) document.querySelector("input[name=device]").checked = true;
  filter();
  await preview();
}

function listPlaces() {
  const before = byId("hold-region").value;
  byId("hold-region").replaceChildren(...allRegions().map((region) => make("option", { value: region.id, disabled: !region.is_drivable }, capital(region.name))));
  if (before !== "") byId("hold-region").value = before;
}

function listDevices(devices) {
  choosable.clear();
  for (const device of devices) {
    choosable.set(device.name, { role: device.roles.includes("massager") ? "massager" : "timer", name: device.name });
  }
  choosable.set("=by-hand", BY_HAND);
  choosable.set("=simulated", SIMULATED);
  byId("choose-device").replaceChildren(
    ...devices.map((device) => choice("device", device.name, device.name, device.problem || [device.title, device.verified_on_hardware ? "" : "not verified on the real device"].filter(Boolean).join(", "))),
    choice("device", "=by-hand", "No device", "A guided timer: you do it by hand."),
    choice("device", "=simulated", "A simulated massage gun", "To try it; nothing moves."),
  );
}

function choice(name, value, title, text) {
  const id = `${name}-${value}`;
  const said = make("span", {}, make("b", {}, title), make("span", {}, text));
  return make("label", { class: "choice", for: id }, make("input", { type: "radio", name, value, id }), said);
}

function filter() {
  const words = byId("search").value.toLowerCase().split(/\s+/);
  for (const label of byId("choose-routine").querySelectorAll("label")) {
    const text = label.textContent.toLowerCase();
    label.hidden = !words.every((word) => text.includes(word));
  }
}

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;

// The device in the part that it plays.
function cast() {
  const device = choosable.get(chosen("device")) ?? BY_HAND;
  return device.role === null ? {} : { [device.role]: device.name };
}

const wish = () => ({ ...cast(), routine: chosen("routine") });

async function preview() {
  byId("begin").disabled = true;
  if (chosen("routine") === undefined) return;
  asked += 1;
  const number = asked;
  let shown;
  let mayStart = false;
  try {
    const plan = await post("plan", wish());
    if (number !== asked) return;
    const figure = make("figure");
    byId("preview").replaceChildren(figure); // so that it knows how wide it is
    drawPlan(figure, plan.steps);
    const notes = [...new Set(plan.steps.map((step) => step.note).filter(Boolean)), ...plan.timers];
    shown = [make("h3", {}, `The plan: ${clock(plan.duration_s)}`), figure];
    if (notes.length > 0) shown.push(make("ul", { class: "quiet" }, ...notes.map((note) => make("li", {}, capital(note)))));
    mayStart = true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    shown = [make("p", { class: "refusal" }, `It cannot be run like this: ${problem.message}`)];
  }
  if (number !== asked) return;
  byId("preview").replaceChildren(...shown);
  byId("begin").disabled = !mayStart;
}

// The session is known to run, or not to, only when its start is answered and a snapshot has been seen since.
async function start(tell, order) {
  const buttons = [byId("begin"), ...byId("hold-form").querySelectorAll("button")];
  tell("Connecting …", false);
  for (const button of buttons) button.disabled = true;
  starting += 1;
  try {
    await post("session", order);
    tell("", false);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    tell(problem.message, true);
    if (!isAnswer(problem)) stop(); // it may have begun all the same
  } finally {
    while (!(await look())) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    starting -= 1;
    for (const button of buttons) button.disabled = false;
    byId("begin").disabled = chosen("routine") === undefined;
  }
}
