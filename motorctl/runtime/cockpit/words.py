"""Pieces of the page in HTML, which follow the page's light or dark theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from motorctl.runtime.cockpit.eeg import BandPower
from motorctl.runtime.cockpit.run import PERCENTILES, Cue, Snapshot
from motorctl.signals.electrodes import electrode_positions
from motorctl.signals.quality import ChannelQuality

COLOURS = {"running": "#2f9e44", "holding": "#e8890c", "stopped": "#e03131", "armed": "#1c7ed6", "idle": "#868e96"}
"""Of a phase."""
ABSENT = "#495057"
"""Where there is none."""
QUALITY = {"": "#2f9e44", "noisy": "#e8890c", "hum": "#e8890c", "flat": "#e03131", "missing": "#868e96"}
"""Of a channel with that problem."""
DIM = "color:var(--mantine-color-dimmed)"
ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓", "feet": "↓", "rest": "○", "forward": "↑", "backward": "↓"}
"""Signs for cues."""


def state_html(snapshot: Snapshot) -> str:
    """The state of the safety machine, with its cause."""
    colour = COLOURS.get(snapshot.phase, ABSENT)
    word = snapshot.phase.upper() or "NO RUN"
    return (
        f'<div style="margin:10px;padding:10px 14px;border-radius:8px;background:{colour};color:#fff">'
        f'<div data-test="phase" style="font-size:22px;font-weight:700;letter-spacing:.04em">{word}</div>'
        f'<div data-test="cause" style="font-size:13px;min-height:1.35em">{escape(snapshot.cause)}</div></div>'
    )


def score_html(snapshot: Snapshot) -> str:
    """Targets reached without help, of how many; the trial; how much of the signal was left out."""
    share = f"{snapshot.reached / snapshot.targets:.0%}" if snapshot.targets else "–"
    tiles = (
        ("reached alone", f"{snapshot.reached} of {snapshot.targets}"),
        ("success", share),
        ("trial", str(snapshot.trial or "–")),
        ("gated", f"{snapshot.gated:.1%}"),
    )
    cells = "".join(
        f'<div style="flex:1"><div style="{DIM};font-size:11px">{name}</div>'
        f'<div data-test="{name}" style="font-size:16px;font-weight:600">{value}</div></div>'
        for name, value in tiles
    )
    return f'<div style="display:flex;gap:8px;margin:2px 12px 8px">{cells}</div>'


def latency_html(snapshot: Snapshot) -> str:
    """How old what was used was, how long it took, what time was left: percentiles over the last minute."""
    names = {"newest_age": "sample to command", "compute": "compute", "slack": "slack (low end)"}
    head = "".join(f'<th style="{DIM};font-weight:400;text-align:right">{name}</th>' for name in PERCENTILES)
    rows = "".join(
        f'<tr><td style="{DIM}">{words}</td>'
        + "".join(f'<td style="text-align:right">{milliseconds(snapshot.latency, name, p)}</td>' for p in PERCENTILES)
        + "</tr>"
        for name, words in names.items()
    )
    missed, of = snapshot.missed
    return (
        '<div style="margin:0 12px 6px"><table style="width:100%;font-size:12px;border-spacing:0;'
        'font-variant-numeric:tabular-nums"><tr><th style="text-align:left;font-weight:600">latency, ms</th>'
        f'{head}</tr>{rows}</table><div style="{DIM};font-size:11px">'
        f"over the last minute; {missed} of {of} deadlines missed</div></div>"
    )


def milliseconds(latency: Mapping[str, Mapping[str, float]], name: str, percentile: str) -> str:
    """A figure of the latency (ms), or a dash."""
    value = latency.get(name, {}).get(percentile)
    return "–" if value is None else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def quality_html(quality: Sequence[ChannelQuality], trouble: str, name: str, rate: float, scale: float) -> str:
    """What comes of the EEG: how many channels are good, and what is wrong with the others."""
    if trouble:
        return f'<div style="margin:8px 12px;{DIM}">EEG: {escape(trouble)}</div>'
    bad = [channel for channel in quality if channel.problem]
    good = f"{len(quality) - len(bad)} of {len(quality)} channels good" if quality else "listening"
    if len(bad) > TAGS and len({channel.problem for channel in bad}) == 1:
        good, bad = f"{good}, {len(bad)} {bad[0].problem}", []
    tags = "".join(
        f'<span style="background:{QUALITY[c.problem]};color:#fff;border-radius:4px;padding:0 5px;margin:0 4px 3px 0;'
        f'display:inline-block">{escape(c.label)} {c.problem}</span>'
        for c in bad[:TAGS]
    )
    more = f'<span style="{DIM}">and {len(bad) - TAGS} more</span>' if len(bad) > TAGS else ""
    return (
        f'<div style="margin:8px 12px 0;font-size:13px"><b>{escape(name)}</b> <span style="{DIM}">{rate:g} Hz, '
        f"above 1 Hz, {scale:g} µV from line to line</span>"
        '<div data-test="quality" style="margin-top:3px;min-height:24px">'
        f'<span style="margin-right:6px">{good}</span>{tags}{more}</div></div>'
    )


TAGS = 8
"""Most bad channels that are named."""


def heads_html(quality: Sequence[ChannelQuality], bands: Mapping[str, BandPower]) -> str:
    """Heads seen from above: the quality of the channels, the power of each band against its own last half minute."""
    labels = [channel.label for channel in quality]
    spots = head_spots(labels)
    heads = [head_svg(spots, [QUALITY[c.problem] for c in quality], labels, "quality", "")]
    for name, power in bands.items():
        if len(power.change) == len(labels):
            middle = float(np.median(power.power)) if len(power.power) else 0.0
            colours = [diverging(change) for change in power.change]
            titles = [f"{label} {p:.1f} µV², {c:+.1f} dB" for label, p, c in zip(labels, *power, strict=True)]
            heads.append(head_svg(spots, colours, titles, BAND_NAMES[name], f"{middle:.1f} µV²"))
    return (
        f'<div style="display:flex;justify-content:space-between;margin:0 8px">{"".join(heads)}</div>'
        f'<div style="{DIM};font-size:11px;margin:0 12px 6px">band power: median of the channels; colours: '
        f'<span style="color:{diverging(-6)}">■</span> −6 dB, <span style="color:{diverging(6)}">■</span> +6 dB '
        "against the last half minute</div>"
    )


BAND_NAMES = {"theta": "θ 4–8 Hz", "mu": "μ 8–13 Hz", "beta": "β 13–30 Hz"}


def head_spots(labels: Sequence[str]) -> list[tuple[float, float]]:
    """Where electrodes are, seen from above, in a circle of radius 1; channels that are none stand in a row below."""
    known = electrode_positions()
    spots, others = [], [label for label in labels if label not in known]
    for label in labels:
        if label in known:
            x, y, z = known[label] / np.linalg.norm(known[label])
            spread = np.arccos(z) / (0.62 * np.pi) / max(np.hypot(x, y), 1e-6)  # equidistant from the vertex
            spots.append((x * spread, -y * spread))
        else:
            spots.append((2 * (others.index(label) + 0.5) / len(others) - 1, 1.2))
    return spots


def head_svg(
    spots: Sequence[tuple[float, float]], colours: Sequence[str], titles: Sequence[str], name: str, below: str
) -> str:
    """A head with a spot for each electrode."""
    radius = 0.1 if len(spots) <= 32 else 0.075
    dots = "".join(
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius}" fill="{colour}"><title>{escape(title)}</title></circle>'
        for (x, y), colour, title in zip(spots, colours, titles, strict=True)
    )
    return (
        '<div style="text-align:center;font-size:11px;width:24%">'
        '<svg viewBox="-1.15 -1.25 2.3 2.55" style="width:100%">'
        '<g fill="none" stroke="#9aa2ad" stroke-width=".03"><circle r="1.02"/><path d="M-.14-1.01L0-1.2L.14-1.01"/></g>'
        f'{dots}</svg><div>{name}</div><div style="{DIM}">{below or "&nbsp;"}</div></div>'
    )


def diverging(change: float) -> str:
    """Blue for less, red for more, grey for no change (dB)."""
    depth = float(np.clip(abs(change) / 6, 0, 1)) if np.isfinite(change) else 0.0
    neutral, far = np.array([173, 181, 189]), np.array([25, 94, 214]) if change < 0 else np.array([224, 49, 49])
    return "#{:02x}{:02x}{:02x}".format(*np.round(neutral + depth * (far - neutral)).astype(int))


def cue_html(cue: Cue, now: float) -> str:
    """What is to be done now, in large, and how much of its time has gone."""
    sign = ARROWS.get(cue.text, "")
    gone = min((now - cue.since) / cue.lasts, 1.0) if cue.lasts else 0.0
    bar = (
        '<div style="height:8px;border-radius:4px;background:rgba(128,128,128,.25);margin-top:8px">'
        f'<div style="height:8px;border-radius:4px;background:#1c7ed6;width:{100 * gone:.0f}%"></div></div>'
    )
    return (
        '<div style="text-align:center;padding:6px 18px 12px">'
        f'<div style="font-size:64px;line-height:1;color:#1c7ed6">{sign}</div>'
        f'<div data-test="cue" style="font-size:40px;font-weight:700">{escape(cue.text)}</div>'
        f"{bar if cue.lasts else ''}</div>"
    )


def agreement_html(snapshot: Snapshot) -> str:
    """How well decoded and intended commands agree, per component."""
    said = ", ".join(
        f"{escape(part.name)} {r:+.2f}"
        for part, r in zip(snapshot.components, snapshot.agreement, strict=True)
        if np.isfinite(r)
    )
    return (
        '<div style="margin:6px 12px 0;font-size:12px"><b>command</b> '
        '<span style="color:#2563eb">━ decoded</span> <span style="color:#ea580c">━ intended</span> '
        f'<span style="{DIM}">━ after safety</span>'
        f'<div style="{DIM}">agreement, r over 10 s: {said or "–"}</div></div>'
    )
