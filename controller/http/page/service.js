// Requests to the service with its token, and its errors in words.

const KEPT_AS = "percuss-token";

// A browser that keeps nothing for anybody throws here; then the token holds as long as the page does.
function kept() {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null;
  }
}

let token = kept();

// A token, or the whole address that has it behind its #. What no token can have is left out.
export function offerToken(given) {
  token = given.split("token=").at(-1).replace(/[^\w-]/g, "");
}

// The address that `percuss serve` shows has the token behind its #, which no server and no log ever sees. Whether there
// was one.
export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return false;
  history.replaceState(null, "", location.pathname);
  offerToken(given);
  return true;
}

// Only a token that opened is kept: so no link from elsewhere can put a wrong one in its place.
export function keepToken() {
  if (token === kept()) return;
  try {
    localStorage.setItem(KEPT_AS, token);
  } catch {
    // It holds for this page.
  }
}

// Back to the token that is kept, from one that did not open; whether there is one.
export function takeKeptToken() {
  if (kept() === null || kept() === token) return false;
  token = kept();
  return true;
}

export const hasToken = () => Boolean(token);

export const authorization = () => ({ Authorization: `Bearer ${token ?? ""}` });

export const address = (path) => `/api/v1/${path}`;

export class Problem extends Error {
  constructor(status, what, type = "") {
    super(what);
    this.status = status;
    this.type = type;
  }
}

// Whether the service itself said it, which then knows better; a proxy before one that is gone answers 502 and the like.
export const isAnswer = (problem) => problem.status !== 0 && (problem.status < 500 || !["", "about:blank"].includes(problem.type));

// What the service answers. Throws Problem: a sentence for a person; status 0 when there was no answer.
export async function ask(method, path, { body, timeout_s = 60, ...options } = {}) {
  let answer;
  let text;
  try {
    answer = await fetch(address(path), {
      method,
      headers: { ...authorization(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout_s * 1000),
      cache: "no-store",
      ...options,
    });
    text = await answer.text();
  } catch {
    throw new Problem(0, "The service does not answer.");
  }
  let said = null;
  try {
    said = text === "" ? null : JSON.parse(text);
  } catch {
    throw new Problem(answer.status, `The service answered something that is no JSON (${answer.status}).`);
  }
  if (answer.status === 401) throw new Problem(401, "The service does not let this page in: it needs its token.", said?.type);
  if (!answer.ok) throw new Problem(answer.status, inWords(said, answer.status), said?.type);
  return said;
}

export const get = (path, options = {}) => ask("GET", path, options);
export const post = (path, body, options = {}) => ask("POST", path, { body, ...options });

// Does something that the service may refuse; tell(sentence, isAlarming) says so then. What came back, or undefined.
export async function attempt(tell, doing) {
  try {
    return await doing();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    tell(problem.message, true);
    return undefined;
  }
}

function inWords(said, status) {
  const what = said?.detail ?? said?.title ?? `The service refused (${status}).`;
  return [said?.where ? `${said.where}: ${what}` : what, said?.fix].filter(Boolean).join(" ");
}
