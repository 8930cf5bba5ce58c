// The emergency stop, while it is in: since when, and the way out, which asks.

import { byId, show, write } from "./dom.js";
import { ask, attempt } from "./service.js";

export function prepareLatch(tell) {
  const asking = (isAsking) => {
    show(byId("clear-asks"), isAsking);
    show(byId("clear"), !isAsking);
    byId(isAsking ? "clear-no" : "clear").focus();
  };
  byId("clear").addEventListener("click", () => asking(true));
  byId("clear-no").addEventListener("click", () => asking(false));
  byId("clear-yes").addEventListener("click", () => {
    asking(false);
    attempt(tell, () => ask("DELETE", "emergency-stop"));
  });
}

export function showLatch(emergency) {
  show(byId("latch"), emergency.is_engaged);
  const since = emergency.since_utc === null ? null : new Date(emergency.since_utc);
  write(byId("latch-since"), since === null || Number.isNaN(since.getTime()) ? "" : `Since ${since.toLocaleString()}.`);
}
