// Pictures drawn as SVG: a plan, and the history.

import { makeSvg, make } from "./dom.js";
import { capital, clock, plain } from "./words.js";

const HIGH = 132;
const LEFT = 46;
const TOP = 8;
const FLOOR = HIGH - 22;

// A plan's rows: how strong when. `here_s` is where the session stands. An unchanged picture is left as it is.
export function drawPlan(figure, rows, here_s = null) {
  if (!rows || rows.length === 0) {
    figure.drawn = null;
    figure.replaceChildren();
    return;
  }
  const whole_s = rows.at(-1).start_s + rows.at(-1).duration_s;
  const wide = widthOf(figure);
  if (figure.drawn?.rows !== rows || figure.drawn.wide !== wide) {
    figure.drawn = { rows, wide };
    figure.replaceChildren(planPicture(rows, whole_s, wide), make("figcaption", {}, planInWords(rows, whole_s)));
  }
  if (here_s === null) return;
  const x = LEFT + (Math.min(Math.max(here_s, 0), whole_s) / whole_s) * (wide - LEFT);
  figure.querySelector(".here").setAttribute("d", `M${x},${TOP} V${FLOOR} M${x - 5},0 h10 l-5,${TOP} z`);
}

// One unit is one pixel, so that words have the size of words on every screen.
const widthOf = (figure) => Math.max(240, Math.round(figure.clientWidth) || 480);

function planPicture(rows, whole_s, wide) {
  const x = (at_s) => LEFT + (at_s / whole_s) * (wide - LEFT);
  const high = FLOOR - TOP;
  const bars = rows.map((row) => {
    const kind = row.kind !== "work" ? row.kind : row.driven ? "work" : "by-hand";
    const tall = kind === "work" ? (high * (row.asked_percent ?? 100)) / 100 : kind === "by-hand" ? high * 0.3 : 3;
    const bar = makeSvg("rect", { class: kind, x: x(row.start_s), y: FLOOR - tall, width: Math.max(1, x(row.start_s + row.duration_s) - x(row.start_s) - 1), height: tall });
    bar.append(makeSvg("title", {}, `${clock(row.start_s)} ${plain(row.place) || row.kind}`));
    return bar;
  });
  return picture(wide, ["100 %", "0"], ["0:00", clock(whole_s)], ...bars, makeSvg("path", { class: "here" }));
}

function planInWords(rows, whole_s) {
  const works = rows.filter((row) => row.kind === "work");
  const places = [...new Set(works.map((row) => plain(row.place) || plain(row.technique).replaceAll("-", " ")))];
  const isByHand = works.some((row) => !row.driven);
  const key = works.some((row) => row.driven) ? ` Bars: strength, % of full${isByHand ? "; dashed: by hand" : ""}.` : " All by hand.";
  return `${capital(places.join(", "))}: ${clock(whole_s)} in all.${key}`;
}

// Days, oldest first: {day, minutes}; pain: {day, score}.
export function drawHistory(figure, days, pains) {
  const wide = widthOf(figure);
  const top = Math.max(5, Math.ceil(Math.max(...days.map((day) => day.minutes))));
  const each = (wide - LEFT) / days.length;
  const high = FLOOR - TOP;
  const x = new Map(days.map((day, index) => [day.day, LEFT + index * each]));
  const bars = days.map((day) => {
    const tall = (high * day.minutes) / top;
    const bar = makeSvg("rect", { class: "work", x: x.get(day.day) + 1, y: FLOOR - tall, width: Math.max(1, each - 2), height: tall });
    bar.append(makeSvg("title", {}, `${day.day}: ${day.minutes.toFixed(1)} min`));
    return bar;
  });
  const dots = pains.filter((pain) => x.has(pain.day)).map((pain) => [x.get(pain.day) + each / 2, FLOOR - (high * pain.score) / 10]);
  const line = dots.length > 1 ? [makeSvg("polyline", { class: "pain", points: dots.map((dot) => dot.join(",")).join(" ") })] : [];
  const marks = dots.map(([cx, cy]) => makeSvg("circle", { class: "pain-dot", cx, cy, r: 4 }));
  const drawn = picture(wide, [`${top} min`, "0"], [dayInWords(days[0].day), dayInWords(days.at(-1).day)], ...bars, ...line, ...marks);
  const key = pains.length > 0 ? " Dots: how much it hurt after, 0 to 10." : "";
  figure.replaceChildren(drawn, make("figcaption", {}, `On real devices. Bars: minutes a day, both sides added up.${key}`));
}

// A day of the service's calendar; at noon UTC it is the same day nearly everywhere.
function dayInWords(day) {
  return new Date(`${day}T12:00:00Z`).toLocaleDateString([], { day: "numeric", month: "short", timeZone: "UTC" });
}

function picture(wide, [above, below], [first, last], ...shapes) {
  return makeSvg("svg", { class: "chart", viewBox: `0 0 ${wide} ${HIGH}`, "aria-hidden": "true" },
    ...shapes,
    makeSvg("path", { class: "axis", d: `M${LEFT},${TOP} V${FLOOR} H${wide}` }),
    label(LEFT - 6, TOP + 9, above, "end"), label(LEFT - 6, FLOOR, below, "end"),
    label(LEFT, HIGH - 5, first, "start"), label(wide, HIGH - 5, last, "end"));
}

function label(x, y, text, anchor) {
  return makeSvg("text", { x, y, "text-anchor": anchor }, text);
}
