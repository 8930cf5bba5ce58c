// What the service tells, event by event, over one long answer; and whether it can be heard at all.
// `fetch` and not EventSource, because only that can send the token in a header.

import { Problem, address, ask, authorization, hasToken } from "./service.js";

const CONNECTING_MS = 5000;
const AGAIN_MS = 1000;
const WATCH_MS = 250;

export const NOT_LET_IN = 401;

export class Events {
  // onHeard(snapshot) each time that it is connected; then onEvent(kind, data); onLost(status) each time that it is not:
  // 0 when there was no answer or the answer ended, else how the service refused.
  // silence_ms(): for how long nothing may be heard now.
  constructor({ silence_ms, onEvent, onHeard, onLost }) {
    Object.assign(this, { silence_ms, onEvent, onHeard, onLost });
    this.allowed_ms = Infinity;
    this.isOpen = false;
    this.isResting = false;
    this.isMeant = false; // an end that this page wanted is no loss
    this.lastId = null;
    this.began_utc = null; // numbers of events count from there
    this.lastHeard_ms = 0;
    this.abort = new AbortController();
    this.wake = () => {};
  }

  start() {
    setInterval(() => this.#watch(), WATCH_MS);
    this.#follow();
  }

  // Begin anew now.
  again() {
    this.isResting = false;
    this.isMeant = true;
    this.abort.abort();
    this.wake();
  }

  // Listen to nothing until `again`. A browser has six connections to a service: pages that nobody looks at leave them
  // to the one whose Stop is tapped.
  rest() {
    this.again();
    this.isResting = true;
  }

  #watch() {
    const allowed_ms = this.isOpen ? this.silence_ms() : CONNECTING_MS;
    if (allowed_ms < this.allowed_ms) this.lastHeard_ms = performance.now(); // only from now on is more to be heard
    this.allowed_ms = allowed_ms;
    if (performance.now() - this.lastHeard_ms > allowed_ms) this.abort.abort();
  }

  async #follow() {
    for (;;) {
      if (this.isResting) await this.#woken();
      this.abort = new AbortController();
      [this.isMeant, this.isOpen] = [false, false];
      this.lastHeard_ms = performance.now();
      const status = await this.#read().catch(statusOf);
      if (!this.isMeant) this.onLost(status);
      if (this.isMeant) continue;
      // Who is not let in does not knock again and again, but when there is another token.
      await this.#woken(status === NOT_LET_IN ? null : AGAIN_MS);
    }
  }

  #woken(after_ms = null) {
    return new Promise((resolve) => {
      this.wake = resolve;
      if (after_ms !== null) setTimeout(resolve, after_ms);
    });
  }

  async #read() {
    if (!hasToken()) return NOT_LET_IN;
    const now = await ask("GET", "session", { signal: this.abort.signal });
    // Of a service that was started anew, everything is news; of one that is met for the first time, what comes now.
    if (this.began_utc !== now.began_utc) this.lastId = this.began_utc === null ? now.last_id : 0;
    this.began_utc = now.began_utc;
    const answer = await fetch(address("events"), {
      headers: { ...authorization(), "Last-Event-ID": String(this.lastId), Accept: "text/event-stream" },
      signal: this.abort.signal,
      cache: "no-store",
    });
    if (!answer.ok) return answer.status;
    this.isOpen = true;
    this.onHeard(now);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let kept = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return 0;
      this.lastHeard_ms = performance.now();
      const blocks = (kept + value).replaceAll("\r\n", "\n").split("\n\n");
      kept = blocks.pop();
      for (const block of blocks) this.#take(block);
    }
  }

  // One event as the HTML standard writes it: lines of `field: value`, of which a comment has no field.
  #take(block) {
    let kind = "message";
    const data = [];
    for (const line of block.split("\n")) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === "event") kind = value;
      else if (field === "data") data.push(value);
      else if (field === "id") this.lastId = value;
    }
    if (data.length > 0) this.onEvent(kind, JSON.parse(data.join("\n")));
  }
}

// No service, no way to it, or silence: 0. Anything else is a mistake of this page.
function statusOf(problem) {
  if (problem instanceof Problem) return problem.status;
  if (!["AbortError", "TypeError", "NetworkError"].includes(problem.name)) reportError(problem);
  return 0;
}
