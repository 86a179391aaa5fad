"""A report holds what was run and what came out, opens offline, and its scripts work in a browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motorctl.cli import main
from motorctl.evaluation.report.cost_pictures import learning_picture
from motorctl.evaluation.report.drawing import sized, style, svg
from motorctl.evaluation.report.page import reaching_sentences
from motorctl.evaluation.signal_picture import explained

CUES = ["--cues", "T1=left", "T2=right"]
Recordings = Callable[..., Path]


def decode(folder: Path, cued_edf: Recordings, *words: str) -> Path:
    paths = [str(cued_edf(f"{name}.edf", seed)) for seed, name in enumerate("ab")]
    assert main(["evaluate", "decoding", "--recordings", *paths, *CUES, "--out", str(folder), *words]) == 0
    return folder


def reach(folder: Path, controller: Path) -> Path:
    words = ["--controller", str(controller), "--brains", "ideal", "--episodes", "4", "--options", "time_limit=0.5"]
    assert main(["evaluate", "reaching", *words, "--out", str(folder)]) == 0
    return folder


class Page(HTMLParser):
    """What a page is made of; fails for elements that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in ("meta", "link", "br", "input", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "data")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_a_report_of_classes(tmp_path: Path, cued_edf: Recordings) -> None:
    folder = decode(tmp_path / "run", cued_edf, "--decoders", "csp-lda", "--permutations", "1")
    text = (folder / "report.html").read_text()
    page, results = Page(text), json.loads((folder / "results.json").read_text())
    assert page.headings == [
        *("Table", "Scores", "Folds", "Confusion", "Calibration", "Spectra", "Topographies", "Latency", "What was run")
    ]
    assert all(link.startswith(("#", "data:")) for link in page.links)
    told = [*results["data"], *results["data"].values(), "leave-one-run-out", "hold-back", "mujoco", "csp-lda"]
    assert all(word in text for word in told)
    best = max(d["scores"]["accuracy"]["value"] for d in results["decoders"].values())
    assert f"decoded {100 * best:.0f} % right" in text and "1 permutations cannot give less than 0.500" in text
    labels, r2 = results["signals"]["channels"], results["signals"]["r2"]["mu, 8 to 13 Hz"]
    assert {labels[k] for k in np.argsort(r2)[-2:]} == {"C3", "C4"}  # where the rhythm vanishes
    assert len(text) < 500_000


def test_a_report_of_values_holds_the_traces(tmp_path: Path, cued_edf: Recordings) -> None:
    folder = decode(tmp_path / "run", cued_edf, "--target", "velocity", "--decoders", "wiener", "--permutations", "0")
    text = (folder / "report.html").read_text()
    assert "Decoded against intended" in Page(text).headings
    found = re.search(r'class="traces-data">(.*?)</script>', text, re.DOTALL)
    assert found
    told, results = json.loads(found[1]), json.loads((folder / "results.json").read_text())
    trace = results["decoders"]["wiener"]["folds"][0]["traces"][0]
    shown = next(s for s in told["stretches"] if s["recording"] == trace["recording"])
    decoded = np.array(trace["decoded"], float)[:, 0]
    np.testing.assert_allclose(np.array(shown["decoded"]["wiener"][0], float), decoded, rtol=1e-3, atol=1e-12)
    assert told["names"] == ["wiener", "mean-trajectory", "phase-only"] and told["shown"] == ["wiener"]


def test_a_report_of_reaching(tmp_path: Path, small_controller: Path) -> None:
    folder = reach(tmp_path / "run", small_controller)
    text = (folder / "report.html").read_text()
    page, results = Page(text), json.loads((folder / "results.json").read_text())
    assert {"Table", "Success", "Time to target", "Hand paths", "Latency", "What was run"} <= set(page.headings)
    for c in results["controllers"]:
        assert f"{c['name']}: {100 * c['scores']['success_rate']['value']:.0f} % of 4 episodes" in text
    assert next(iter(results["data"].values())) in text


def cell(name: str, brain: str, rate: float, seconds: float) -> dict[str, Any]:
    """A controller with a brain, as the report's words need it."""
    success = {"value": rate, "interval": [rate - 0.1, rate + 0.1], "chance": 0.05, "p": 0.0001}
    scores = {"success_rate": success, "restricted_time": {"value": seconds}, "median_time": {"value": seconds}}
    named = {"name": f"{name}, {brain}, reaching", "controller": name, "brain": brain, "user": "reaching"}
    return named | {"delay": 0.0, "scores": scores, "episodes": [{}] * 50}


def test_the_words_of_reaching_name_the_best_of_each_brain() -> None:
    """Of equals in success the faster one, and only those worse that are told apart."""
    cells = [cell("a", "ideal", 0.9, 1.2), cell("b", "ideal", 0.9, 1.1), cell("c", "ideal", 0.2, 3.0)]
    compared = [{"a": "b, ideal, reaching", "b": "c, ideal, reaching", "difference": 0.7, "holm_p": 0.001}]
    compared += [{"a": "a, ideal, reaching", "b": "b, ideal, reaching", "difference": 0.0, "holm_p": 1.0}]
    first, ideal, hard = reaching_sentences(
        {"controllers": [*cells, cell("a", "hard", 0.3, 3.0)], "comparisons": compared}
    )
    assert first == "Success of the best decoder: b, ideal, reaching 90 %; a, hard, reaching 30 %."
    assert ideal.startswith("b, ideal, reaching did best: 90 % of 50 episodes succeed (95 % interval 80 to 100; ")
    assert "shuffled 5 %, p < 0.001), half of the targets within 1.10 s. Better in success than c (" in ideal
    assert ideal.endswith("Not told apart from it in success: a.") and hard.startswith("a, hard, reaching: 30 % of")


def test_learning_curves_are_drawn_of_what_learns_in_epochs() -> None:
    assert not learning_picture({"ridge": [[]], "knn": []}).body
    with style():
        body = str(learning_picture({"ridge": [[]], "gru": [[3.0, 2.0, 1.0], [3.0, 1.0]]}).body)
    assert ">gru<" in body and ">ridge<" not in body and ">epoch<" in body


def test_what_a_class_explains_is_eta_squared() -> None:
    rng, labels = np.random.default_rng(0), np.arange(60) % 2
    values = rng.standard_normal((60, 3)) + labels[:, None] * [0, 1, 2]
    values[:, 0] = 1
    of_classes = [np.corrcoef(column, labels)[0, 1] ** 2 for column in values.T[1:]]
    np.testing.assert_allclose(explained(values, labels), [0, *of_classes])


def test_the_same_figure_is_the_same_text_and_names_nothing_twice() -> None:
    def drawn() -> str:
        with style():
            figure = sized(3, 2)
            figure.add_subplot(title="<b>").plot([1, 2], [3, 4], "o-")
            return str(svg(figure))

    assert drawn() == drawn()
    assert "&lt;b&gt;" in drawn() and not re.search(r'id="(figure|axes|line2d|text)_', drawn())


CLICK = """<script>
const head = document.querySelectorAll("table.sortable th")[0];
head.click(); head.click();
const select = document.querySelector("select.choose");
if (select) { select.selectedIndex = 1; select.dispatchEvent(new Event("change")); }
const canvas = document.querySelector("canvas");
const pen = canvas ? canvas.getContext("2d") : null;
const drawn = () => pen ? new Set(pen.getImageData(0, 0, canvas.width, canvas.height).data).size : 0;
setTimeout(() => {
  const before = canvas ? canvas.toDataURL() : "";
  if (canvas) canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, cancelable: true }));
  document.title = JSON.stringify({
    rows: [...document.querySelectorAll("table.sortable")[0].tBodies[0].rows].map(row => row.cells[0].textContent),
    hidden: [...document.querySelectorAll(".choice")].slice(0, 2).map(choice => choice.hidden),
    shades: drawn(), zoomed: Boolean(canvas) && before !== canvas.toDataURL(),
    asked: performance.getEntriesByType("resource").map(entry => entry.name).filter(name => !name.startsWith("data:")),
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  });
}, 500);
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium")
@pytest.mark.parametrize("kind", ["class", "value", "reaching"])
def test_in_a_browser(tmp_path: Path, cued_edf: Recordings, small_controller: Path, kind: str) -> None:
    if kind == "reaching":
        folder = reach(tmp_path / "run", small_controller)
    else:
        words = ["mdm", "csp-lda"] if kind == "class" else ["wiener", "--target", "velocity"]
        folder = decode(tmp_path / "run", cued_edf, "--permutations", "0", "--decoders", *words)
    page = tmp_path / "page.html"
    page.write_text((folder / "report.html").read_text().replace("</body>", CLICK))
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking"]
    quiet = ["--disable-gpu", "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    ran = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", *offline, *quiet, "--virtual-time-budget=3000", "--dump-dom"]
        + [page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in ran.stderr, ran.stderr
    title = re.search(r"<title>(.*?)</title>", ran.stdout)
    assert title
    seen: dict[str, Any] = json.loads(title[1].replace("&quot;", '"').replace("&amp;", "&"))
    assert len(seen["rows"]) > 1 and seen["rows"] == sorted(seen["rows"])
    assert not seen["wide"] and seen["asked"] == []
    if kind == "value":
        assert seen["shades"] > 10 and seen["zoomed"]
    else:
        assert seen["hidden"] == [True, False]
