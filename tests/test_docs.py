"""What the pages claim is asserted in their blocks, and every block runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from motorctl.threads import one_thread

PAGE = Path(__file__).resolve().parents[1] / "docs" / "recurrent.md"
START, *BLOCKS = [
    pytest.param(code, id=heading.strip("# ").replace(" ", "-").lower())
    for heading, body in re.findall(
        r"^(#{2,3} [^\n]+)\n(.*?)(?=^#{2,3} |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S
    )
    for code in re.findall(r"^```python\n(.*?)^```", body, re.M | re.S)
]


@pytest.mark.parametrize("code", BLOCKS)
def test_a_block_runs_and_its_claims_hold(code: str) -> None:
    assert "assert " in code
    with one_thread():
        names: dict[str, object] = {}
        exec(compile(f"{START.values[0]}\n{code}", str(PAGE), "exec"), names)


def test_every_property_and_every_system_is_there() -> None:
    assert len(BLOCKS) == 13
    page = PAGE.read_text(encoding="utf-8")
    for preset in ("eeg-table", "sequence-regression", "movement-forecast", "long-sequences", "gated-sequences"):
        assert f"--preset {preset}" in page
