// Past sessions: a picture of the days, and a table.

import { drawHistory } from "./charts.js";
import { byId, make } from "./dom.js";
import { attempt, get } from "./service.js";
import { clock, outcomeOf } from "./words.js";

const DAYS = 30;

export async function showHistory(tell) {
  const [past, course] = await Promise.all([attempt(tell, () => get(`history?days=${DAYS}`)), attempt(tell, () => get(`history/course?days=${DAYS}`))]);
  if (past === undefined || course === undefined) return;
  byId("history").replaceChildren(past.sessions.length === 0 ? make("p", {}, "No sessions in the last 30 days.") : table(past.sessions));
  const days = course.days.map(({ day, regions }) => ({ day, minutes: Object.values(regions).reduce((sum, seconds) => sum + seconds, 0) / 60 }));
  const pains = course.pains.filter((pain) => pain.after !== null).map((pain) => ({ day: localDay(new Date(pain.started)), score: pain.after }));
  if (days.some((day) => day.minutes > 0) || pains.length > 0) drawHistory(byId("history-chart"), days, pains);
  else byId("history-chart").replaceChildren();
}

// As the service names days, in the time zone of this browser.
function localDay(date) {
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

function table(sessions) {
  const heads = ["When", "What", "Driven", "Pain"].map((head) => make("th", { scope: "col" }, head));
  return make("table", {},
    make("caption", { class: "unseen" }, "Sessions of the last 30 days, newest first"),
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...sessions.map(row)));
}

function row(session) {
  const when = new Date(session.started_utc).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
  const pain = [session.pain_before, session.pain_after].some((score) => score !== null) ? `${session.pain_before ?? "?"} → ${session.pain_after ?? "?"}` : "";
  const what = session.is_simulated ? `${session.routine} (simulated)` : session.routine;
  const cells = [when, make("span", {}, what, make("br"), make("span", { class: "quiet" }, outcomeOf(session.outcome))), clock(session.driven_s), pain];
  return make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
}
