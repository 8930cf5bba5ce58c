// The questions about the person. Nothing is answered beforehand, and nothing that was answered is shown again.

import { byId, make, write } from "./dom.js";
import { allRegions, loadRegions } from "./regions.js";
import { attempt, get, post } from "./service.js";
import { capital } from "./words.js";

const STATES = {
  good: "Your answers are good: real devices may be driven.",
  missing: "Before a real device is driven there are some questions about you to answer.",
};

let asked = [];
let shownState = "";

export async function showScreening(tell) {
  const [report] = await Promise.all([attempt(tell, () => get("screening")), attempt(tell, loadRegions)]);
  if (report === undefined) return;
  tellState(report);
  const state = JSON.stringify([report.state, report.reason]);
  if (byId("screening-form") !== null && state === shownState) return; // what is half answered stays
  shownState = state;
  if (report.state === "good") {
    const again = make("button", { type: "button", onclick: () => showQuestions(report, tell) }, "Answer them again");
    byId("screening").replaceChildren(again);
  } else {
    showQuestions(report, tell);
  }
}

function tellState(report) {
  const until = report.expires_utc === null || report.state !== "good" ? "" : `They hold until ${new Date(report.expires_utc).toLocaleDateString()}.`;
  write(byId("screening-state"), [STATES[report.state] ?? report.reason, until].filter(Boolean).join(" "));
}

function showQuestions(report, tell) {
  asked = report.questions;
  const form = make("form", { id: "screening-form" },
    make("p", { class: "quiet" }, "They take a few minutes, hold for a month, and stay on the service's machine."),
    ...asked.map(questionField),
    make("button", { type: "submit", class: "main-action" }, "Keep these answers"));
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const answers = Object.fromEntries(asked.map((question) => [question.id, answerOf(form, question)]));
    const kept = await attempt(tell, () => post("screening", { answers }));
    if (kept === undefined) return;
    tell("Your answers are kept.", false);
    form.remove();
    await showScreening(tell);
    byId("main").focus();
    scrollTo(0, 0);
  });
  byId("screening").replaceChildren(form);
}

function questionField(question) {
  const more = make("div", { hidden: true }, make("p", {}, question.consequence), ...followUps(question));
  const radio = (value, text) => make("label", {},
    make("input", { type: "radio", name: question.id, value, required: true, onchange: () => { more.hidden = value === "no"; } }), text);
  return make("fieldset", { class: "question" },
    make("legend", {}, question.ask),
    make("p", { class: "quiet" }, question.why),
    make("div", { class: "row" }, radio("yes", "Yes"), radio("no", "No")),
    more);
}

function followUps(question) {
  const found = [];
  if (question.about === "places") {
    const boxes = allRegions().map((region) => make("label", {}, make("input", { type: "checkbox", name: `${question.id}-place`, value: region.id }), capital(region.name)));
    found.push(make("fieldset", {}, make("legend", {}, "Where? These places are left alone."), ...boxes));
  }
  if (question.about === "legs") {
    const sides = ["left", "right", "both"].map((side) => make("label", {}, make("input", { type: "radio", name: `${question.id}-side`, value: side }), side));
    found.push(make("fieldset", {}, make("legend", {}, "On which side?"), ...sides));
  }
  if (question.tier === "clinician") {
    const id = `${question.id}-reason`;
    found.push(make("p", {}, question.what_to_do), make("label", { for: id }, "What did a doctor or physiotherapist say?"), make("input", { id, maxlength: 300, autocomplete: "off" }));
  } else if (question.tier === "ask") {
    found.push(make("label", {}, make("input", { type: "checkbox", name: `${question.id}-acknowledged` }), "I want to go on, gently."));
  } else {
    found.push(make("p", {}, make("b", {}, question.what_to_do)));
  }
  return found;
}

function answerOf(form, question) {
  const given = new FormData(form);
  if (given.get(question.id) !== "yes") return { yes: false };
  const reason = question.tier === "clinician" ? byId(`${question.id}-reason`).value.trim() : "";
  return {
    yes: true,
    places: given.getAll(`${question.id}-place`),
    side: given.get(`${question.id}-side`),
    acknowledged: reason !== "" || given.has(`${question.id}-acknowledged`),
    reason,
  };
}
