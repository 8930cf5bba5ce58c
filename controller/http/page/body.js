// The body map: where now, where next, and what is never touched. The shapes are body.svg.

import { byId, make, makeSvg } from "./dom.js";

let shapes = null;
let turned = { of: "", to: null }; // the view that the person turned to, for as long as the place stays

// Resolves when the shapes are there; the page works without them.
export async function loadBody() {
  const answer = await fetch("body.svg");
  const drawing = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
  const hatch = makeSvg("pattern", { id: "never-hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    makeSvg("line", { class: "hatch-line", x1: 0, y1: 0, x2: 0, y2: 5 }));
  document.body.append(makeSvg("svg", { id: "hatch", "aria-hidden": "true" }, makeSvg("defs", {}, hatch)));
  for (const view of drawing.querySelectorAll("[data-view]")) {
    const name = view.dataset.view;
    view.removeAttribute("transform");
    for (const shape of view.querySelectorAll("[data-no-go]")) shape.setAttribute("fill", "url(#never-hatch)");
    const picture = makeSvg("svg", { viewBox: "0 0 200 460", "aria-hidden": "true" }, document.importNode(view, true));
    byId("map").append(make("figure", { "data-of": name }, picture, make("figcaption", {}, name)));
  }
  shapes = byId("map");
  byId("turn").addEventListener("click", () => {
    const views = [...shapes.querySelectorAll("figure")];
    const at = views.findIndex((view) => view.matches(".is-shown"));
    turned.to = views[(at + 1) % views.length].dataset.of;
    showOnly(turned.to);
  });
}

export function showPlaces(now, next) {
  if (shapes === null) return;
  const [here, there] = [placesOf(now), placesOf(next)];
  for (const shape of shapes.querySelectorAll("[data-region]")) {
    shape.classList.toggle("is-now", isAmong(shape, here));
    shape.classList.toggle("is-next", isAmong(shape, there));
  }
  const wanted = here.length > 0 ? here : there;
  const near = new Set(wanted.map((place) => place.region));
  for (const shape of shapes.querySelectorAll("[data-no-go]")) {
    shape.classList.toggle("is-beside", (shape.dataset.beside ?? "").split(" ").some((region) => near.has(region)));
  }
  showViews(wanted);
}

export function placesOf(span) {
  if (!span) return [];
  return [{ region: span.region, side: span.side }, ...span.also].filter((place) => place.region !== null);
}

function isAmong(shape, places) {
  const side = shape.closest("[data-side]").dataset.side;
  return places.some((place) => place.region === shape.dataset.region && (place.side === side || !["left", "right"].includes(place.side)));
}

// A small screen shows one view: the one that the person turned to, else the first that has the place, else the back.
function showViews(places) {
  const views = [...shapes.querySelectorAll("figure")];
  const hasPlace = (view) => [...view.querySelectorAll("[data-region]")].some((shape) => isAmong(shape, places));
  const of = JSON.stringify(places);
  if (turned.of !== of) turned = { of, to: null };
  showOnly(turned.to ?? views.find(hasPlace)?.dataset.of ?? "back");
}

function showOnly(name) {
  for (const view of shapes.querySelectorAll("figure")) view.classList.toggle("is-shown", view.dataset.of === name);
}
