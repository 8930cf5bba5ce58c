// Keeps the screen of a phone on while a session runs, where the browser lets a page do that: over TLS or on the
// computer itself. The browser lets go by itself when the page is left.

let isWanted = false;
let isAsking = false;
let lock = null;

export async function stayAwake(isRunning) {
  isWanted = isRunning;
  if (!isWanted) lock?.release();
  if (!isWanted || isAsking || document.hidden || !("wakeLock" in navigator)) return;
  if (lock !== null && !lock.released) return;
  isAsking = true;
  try {
    lock = await navigator.wakeLock.request("screen");
    if (!isWanted) lock.release();
  } catch {
    // A low battery, say: then the screen goes off as always.
  } finally {
    isAsking = false;
  }
}
