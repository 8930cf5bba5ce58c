"""Write docs/reference/regions.md from the table of regions: ``python -m tests.docs.regions``."""

from pathlib import Path

from routines.regions import region_table

TARGET = Path(__file__).parents[2] / "docs/reference/regions.md"


def page() -> str:
    """The whole page."""
    lines = [
        "# Regions and their limits",
        "",
        "Made from `routines/regions.toml`, where every row has its sources. Times are per side and session, speeds in",
        "percussions a minute of the device's marketed range. A device that knows only levels is held to the same",
        "share of its scale, 100 % counting as 2400.",
        "",
        "| region | where | default / max s | gentle ppm | cap ppm | how | keep off |",
        "|---|---|---|---|---|---|---|",
    ]
    for region in region_table().regions:
        speeds = (region.gentle_ppm, region.cap_ppm) if region.drivable else ("never driven", "never driven")
        cells = (
            f"`{region.id}`",
            region.landmark,
            f"{region.default_s:g} / {region.max_s:g}",
            *(str(speed) for speed in speeds),
            region.how if region.drivable else f"{region.how} {region.why_not}",
            ", ".join(region.avoid),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Refused by name", "", "Whatever a routine says, these are refused:", ""]
    for refusal in region_table().refused:
        names = ", ".join(f"`{name}`" for name in refusal.names)
        lines.append(f"- {names}: {refusal.reason} ({'; '.join(refusal.sources)})")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
