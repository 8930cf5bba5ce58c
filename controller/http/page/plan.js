// The plan of the session that runs, for its chart: asked for once a session, whoever started it.

import { placesOf } from "./body.js";
import { Problem, get } from "./service.js";

const AGAIN_MS = 2000;
const NONE = { of: null, rows: null };

let plan = NONE;

// Its rows; null until they are known.
export function planOf({ session, began_utc }) {
  if (session === null) return null;
  const of = `${began_utc} ${session.number}`;
  if (plan.of !== of) {
    plan = { of, rows: null };
    learn(plan, session.number);
  }
  return plan.rows;
}

async function learn(mine, number) {
  try {
    const told = await get("session/plan");
    if (told.number === number) mine.rows = rowsOf(told.spans);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    setTimeout(() => { if (plan === mine) plan = NONE; }, AGAIN_MS);
  }
}

// As `POST plan` has them.
function rowsOf(spans) {
  let start_s = 0;
  return spans.map((span) => {
    const places = placesOf(span).map(({ region, side }) => [side, region].filter(Boolean).join(" "));
    const row = { ...span, start_s, place: places.join(" and "), driven: span.drives.length > 0, asked_percent: askedOf(span) };
    start_s += span.duration_s;
    return row;
  });
}

// How strong at most; null where a person sets the strength on the device.
function askedOf(span) {
  const set = span.drives.filter(({ levels }) => levels.steps === null || levels.steps.length > 1);
  const percents = set.flatMap(({ levels, targets }) => targets.map(([, level]) => (100 * level) / levels.full));
  return percents.length === 0 ? null : Math.max(...percents);
}
