"""The files of the page: the body has every place, and nothing in them needs anybody else or breaks its own rules."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import parse

from controller.http.app import PAGE
from routines.regions import Refusal, find_region, regions

TEXTS = sorted(path for path in PAGE.iterdir() if path.suffix in {".html", ".css", ".js", ".svg", ".webmanifest"})


def body() -> Element:
    root = parse(PAGE / "body.svg").getroot()
    assert root is not None
    return root


def views() -> dict[str, Element]:
    return {view.attrib["data-view"]: view for view in body().iter() if "data-view" in view.attrib}


def places(view: Element) -> set[tuple[str, str]]:
    return {
        (shape.attrib["data-region"], side.attrib["data-side"])
        for side in view.iter()
        if "data-side" in side.attrib
        for shape in side.iter()
        if "data-region" in shape.attrib
    }


def test_the_body_is_seen_from_all_around() -> None:
    assert list(views()) == ["front", "back", "left side", "right side"]


def test_every_place_has_a_shape_on_both_sides_and_there_is_no_other() -> None:
    drawn = set().union(*(places(view) for view in views().values()))
    assert drawn == {(region, side) for region in regions() for side in ("left", "right")}


def test_a_side_view_shows_its_own_side_only() -> None:
    assert {side for _, side in places(views()["left side"])} == {"left"}
    assert {side for _, side in places(views()["right side"])} == {"right"}


def test_left_is_on_the_left_from_behind_and_on_the_right_from_the_front() -> None:
    for name, left_one in (("back", "left"), ("front", "right")):
        sides = {side.attrib["data-side"]: side for side in views()[name].iter() if "data-side" in side.attrib}
        # The shapes are drawn in the left half of the picture; the other half is their mirror image.
        assert "transform" not in sides.pop(left_one).attrib
        (other,) = sides.values()
        assert other.attrib["transform"] == "matrix(-1 0 0 1 200 0)"
        labels = [text for text in views()[name].iter("{http://www.w3.org/2000/svg}text") if text.text != "sole"]
        assert min(labels, key=lambda text: float(text.attrib["x"])).text == left_one


def test_what_is_kept_off_is_refused_by_the_table_too() -> None:
    names = {shape.attrib["data-no-go"] for shape in body().iter() if "data-no-go" in shape.attrib}
    assert {"head", "neck", "spine", "kidney", "back_of_knee", "groin", "belly", "chest"} <= names
    assert [name for name in names if not isinstance(find_region(name), Refusal)] == []


def test_every_place_has_something_beside_it_to_keep_off() -> None:
    beside = {name for shape in body().iter() for name in shape.attrib.get("data-beside", "").split()}
    assert beside == set(regions())


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere_and_no_text_is_read_as_html(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg\b)\S+", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text) == []


def test_the_page_holds_no_script_and_no_style_of_its_own() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", html) == []


def test_what_the_page_names_is_there() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', html))
    for script in PAGE.glob("*.js"):
        named |= set(re.findall(r'from "\./([^"]+)"', script.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (PAGE / name).is_file()] == []
