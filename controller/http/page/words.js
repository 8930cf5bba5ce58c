// How things are said to a person.

export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds - 0.001));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export const plain = (name) => (name ?? "").replaceAll("_", " ");

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function placeOf(span) {
  return plain(span.place) || plain(span.technique).replaceAll("-", " ") || (span.kind === "rest" ? "rest" : "");
}

export function stateOf(session) {
  const span = session.span;
  if (session.is_paused) return "Paused, motor off";
  if (isAsked(session)) return "Waiting for your answer, motor off";
  if (session.is_waiting) return "Waiting for you, motor off";
  if (span === null) return "";
  if (span.kind === "move") return "Move there, motor off";
  if (span.kind === "rest") return "Rest, motor off";
  return span.is_driven ? "Now" : "Now, by hand";
}

export const isAsked = (session) => ["before", "after"].includes(session.pain_question);

export function mannerOf(span) {
  if (span.kind === "rest") return "";
  const technique = span.kind === "work" && span.place ? span.technique : null;
  return [technique, span.position, span.tool].filter((word) => word && word !== "none").join(" · ").replaceAll("-", " ");
}

const OUTCOMES = {
  done: "Done.",
  stopped: "Stopped.",
  refused: "Refused.",
  link_lost: "The link to the device was lost.",
  device_fault: "The device is at fault.",
  stop_unconfirmed: "NOT CONFIRMED TO HAVE STOPPED: press the device's own button.",
};

export const outcomeOf = (outcome) => OUTCOMES[outcome] ?? plain(outcome);

// How a session ended: "Stopped by the web page." says all, other reasons come behind the outcome.
export function endingOf({ outcome, reason }) {
  const why = reason === "" ? "" : capital(reason).replace(/[^.!?]$/, "$&.");
  return outcome === "stopped" && why !== "" ? why : [outcomeOf(outcome), why].filter(Boolean).join(" ");
}

const PROOFS = {
  confirmed: "confirmed by its status",
  cannot_report: "sent; it cannot report, so look at it",
  unconfirmed: "NOT CONFIRMED: press its button",
};

// The sentence that tells of an event; empty for what the figures show.
export function sentenceOf(kind, data) {
  switch (kind) {
    case "request_refused": return `No: ${data.reason}`;
    case "session_paused": return data.reason ? `Paused: ${data.reason}` : "";
    case "span_extended": return `${Math.round(data.extra_s)} s more here.`;
    case "intensity_changed": return `Intensity ${data.change_percent > 0 ? "+" : ""}${Math.round(data.change_percent)} % from the plan.`;
    case "pain_told": return data.score === null ? "Tingling, numbness or shooting pain: stopped." : `Pain ${data.score} of 10.`;
    case "link_lost": return `${data.device}: ${data.reason}`;
    case "link_restored": return `${data.device} is back and was stopped.`;
    case "timer_failed": return `The timer does not go along any more: ${data.reason}`;
    case "device_stopped": return `${data.device}: stop ${PROOFS[data.proof] ?? data.proof}.`;
    case "session_ended": return endingOf(data);
    case "session_over": return [data.where ? `${data.where}: ${data.detail}` : data.detail, data.fix].filter(Boolean).join(" ");
    case "left_over": return `Session ${data.routine} was cut off. ${Object.entries(data.stops).map(([name, what]) => `${name}: ${what}`).join("; ")}.`;
    case "problem": return data.problem;
    case "paired": return `${data.device} is paired.`;
    case "forgotten": return `${data.device} is not paired any more.`;
    case "emergency_stop": return `Emergency stop, by ${data.by}.`;
    case "screening_changed": return "The answers about you were changed.";
    case "emergency_cleared": return `The emergency stop was cleared, by ${data.by}.`;
    default: return "";
  }
}

// What must not be missed.
export function isAlarming(kind, data) {
  return ["link_lost", "left_over", "problem"].includes(kind) || (kind === "device_stopped" && data.proof === "unconfirmed")
    || (kind === "session_over" && Boolean(data.detail)) || (kind === "session_ended" && !["done", "stopped"].includes(data.outcome));
}
