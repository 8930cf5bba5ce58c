// What is paired, and pairing: look, choose, pair.

import { byId, make, write } from "./dom.js";
import { attempt, ask, get, post } from "./service.js";

export function prepareDevices(tell) {
  byId("scan").addEventListener("click", async () => {
    byId("scan").disabled = true;
    byId("found").replaceChildren();
    write(byId("scan-said"), "Looking around for 5 seconds …");
    const scanned = await attempt(tell, () => post("scan"));
    byId("scan").disabled = false;
    if (scanned === undefined) {
      write(byId("scan-said"), "");
      return;
    }
    const count = scanned.found.length;
    const said = count === 0 ? "Nothing was found. Is it on, near, and its own app closed?" : `${count} found.`;
    write(byId("scan-said"), said);
    byId("found").replaceChildren(...scanned.found.map((one) => foundLine(one, tell)), ...scanned.problems.map((problem) => make("li", { class: "quiet" }, problem)));
  });
}

let listed = "";

export async function showDevices(tell) {
  const known = await attempt(tell, () => get("devices"));
  // What is the same stays as it is: somebody may just be asked whether to forget it.
  if (known === undefined || JSON.stringify(known) === listed) return;
  listed = JSON.stringify(known);
  const lines = known.devices.map((device) => pairedLine(device, tell));
  byId("paired").replaceChildren(...(lines.length > 0 ? lines : [make("li", {}, "Nothing is paired yet.")]));
}

function pairedLine(device, tell) {
  const about = device.problem || [device.title, device.verified_on_hardware ? "" : "not verified on the real device"].filter(Boolean).join(", ");
  const stop = make("button", {
    type: "button",
    "aria-label": `Stop ${device.name}`,
    onclick: async () => {
      const stopped = await attempt(tell, () => post(`devices/${encodeURIComponent(device.name)}/stop`));
      if (stopped !== undefined) tell(`${device.name}: stop ${stopped.proof === "confirmed" ? "confirmed" : "sent; it cannot report, so look at it"}.`, false);
    },
  }, "Stop it");
  return make("li", {}, make("span", {}, make("b", {}, device.name), ` ${about}`), make("span", { class: "row" }, stop, forgetting(device, tell)));
}

// Forgetting asks once more, in place.
function forgetting(device, tell) {
  const forget = make("button", {
    type: "button",
    "aria-label": `Forget ${device.name}`,
    onclick: async () => {
      if (forget.textContent === "Forget") {
        forget.textContent = "Really forget?";
        forget.setAttribute("aria-label", `Really forget ${device.name}?`);
        return;
      }
      if (await attempt(tell, () => ask("DELETE", `devices/${encodeURIComponent(device.name)}`)) !== undefined) await showDevices(tell);
    },
  }, "Forget");
  return forget;
}

function foundLine(one, tell) {
  const profiles = one.profile === null ? one.candidates : [one.profile];
  const title = [one.name || one.url, one.is_simulated ? "(simulated)" : ""].filter(Boolean).join(" ");
  const about = make("span", {}, make("b", {}, title), ` ${profiles.join(" or ") || "no profile fits"}`);
  if (profiles.length === 0) return make("li", {}, about);
  const select = profiles.length > 1 ? make("select", { "aria-label": `What ${title} is` }, ...profiles.map((id) => make("option", { value: id }, id))) : null;
  const name = make("input", { value: one.suggested_name, maxlength: 40, size: 16, autocomplete: "off", spellcheck: "false", "aria-label": `What to call ${title}` });
  const button = make("button", {
    type: "button",
    "aria-label": `Pair ${title}`,
    onclick: async () => {
      button.disabled = true;
      write(byId("scan-said"), `Pairing ${title} …`);
      const paired = await attempt(tell, () => post("pair", { target: one.url, profile: select?.value ?? profiles[0], name: name.value.trim() || undefined }));
      button.disabled = false;
      write(byId("scan-said"), paired === undefined ? "" : pairedInWords(paired));
      if (paired === undefined) return;
      await showDevices(tell);
    },
  }, "Pair");
  return make("li", {}, about, make("span", { class: "row" }, select, name, button));
}

function pairedInWords(paired) {
  const proof = paired.proof === "confirmed" ? "It confirms its stop." : "It cannot report whether it stopped: watch it.";
  const sure = paired.verified_on_hardware ? "" : `Nobody has seen this profile work on the real device yet (confidence ${paired.confidence}): it is held to ${paired.cap_percent} %.`;
  return [`Paired ${paired.name}.`, proof, sure].filter(Boolean).join(" ");
}
