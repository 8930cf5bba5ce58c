// What the service knows of the places of the body: their names, and what to keep off there.

import { get } from "./service.js";
import { plain } from "./words.js";

let known = new Map();

// They are part of percuss: asked for once. Throws Problem.
export async function loadRegions() {
  if (known.size > 0) return;
  const answer = await get("regions");
  known = new Map(answer.regions.map((region) => [region.id, region]));
}

export const allRegions = () => [...known.values()];

// What a person calls it, such as "calf": empty where nothing else than the name is known.
export function saidOf(id) {
  const name = known.get(id)?.name ?? "";
  return name === plain(id) ? "" : name;
}

// What to keep off around places, each once.
export function avoidedAt(places) {
  return [...new Set(places.flatMap((place) => known.get(place.region)?.avoid ?? []))];
}

// A note without what `avoidedAt` says of its place.
export function withoutAvoided(note, id) {
  const region = known.get(id);
  return region === undefined ? note : note.replace(`Keep off: ${region.avoid.join("; ")}.`, "").trim();
}
