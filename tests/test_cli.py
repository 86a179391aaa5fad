"""The command line: what it lists, explains, and says when something is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from motorctl import __version__
from motorctl.cli import COMMANDS, main
from motorctl.person.brain import Brain
from motorctl.signals.lsl import signal_outlet
from motorctl.signals.stream import Channel, StreamInfo


def motorctl(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "motorctl", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environment)


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"motorctl {__version__}\n"


@pytest.mark.parametrize("group", sorted({name.split()[0] for name in COMMANDS if " " in name}))
def test_a_group_of_commands_lists_its_own(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([group, "--help"]) == 0
    listed = capsys.readouterr().out.split("\n\n")[1]
    assert [name for name in COMMANDS if f"  {name} " in listed] == [n for n in COMMANDS if n.startswith(f"{group} ")]
    assert main([group]) == main([group, "fly"]) == 2
    assert f"no command '{group}'" in capsys.readouterr().err


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    assert "no command 'fly'" in capsys.readouterr().err


NOTHING_RANDOM = {
    *("compare", "envs", "streams", "doctor", "inspect", "convert", "data eegmmi"),
    *("record", "replay", "quality", "cockpit"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_with_its_default(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([*command.split(), "--help"])
    assert not done.value.code
    said = capfd.readouterr().out
    assert f"usage: motorctl {command}" in said
    assert ("--seed" in said) == (command not in NOTHING_RANDOM)
    options = re.findall(r"^│ (?:--|\[*PATH)", said, flags=re.MULTILINE)
    assert options
    assert said.count("(default:") + said.count("(required)") == len(options)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train imitation --recordings {tmp}/absent.edf --cues T1=left", "There is no recording"),
        ("train imitation --recordings {tmp}/noise.edf --cues T1=left", "noise.edf"),
        ("train imitation --recordings {tmp}/a.txt --cues T1=left", "a.txt"),
        ("train imitation --recordings {edf} --cues T1=up", "T1=left"),
        ("train imitation --recordings {edf} --cues T1=left T9=right", "no annotation T9; it has T1, T2"),
        ("train imitation --recordings {edf} --cues T1=left --environment Nowhere", "motorctl/ArmReach-v0"),
        ("train imitation --recordings {edf} --cues T1=left --pipeline.rate 33", "must divide"),
        ("train imitation --recordings {edf} --cues T1=left --pipeline.channels XX", "no channel XX"),
        ("train imitation --recordings {edf} --cues T1=left --controller.widths 0", "Layer widths"),
        ("train imitation --recordings {edf} --cues T1=left --training.epochs 0", "epochs"),
        ("train imitation --recordings {edf} --cues T1=left --out {edf}", "is a file"),
        ("train imitation --recordings {edf} --cues T1=left --out {tmp}/full/run", "No space left"),
        ("train classify --recordings {edf} --cues T1=fists T9=feet", "no annotation T9; it has T1, T2"),
        ("train classify --recordings {edf} --cues T1=fists", "only the class fists"),
        ("train regress {tmp}/absent.npz", "There is no recording"),
        ("headset --recording {tmp}/absent.edf", "There is no recording"),
        ("headset --recording {edf} --speed 0", "speed"),
        ("headset --recording {edf} --start 1000", "start"),
        ("headset --recording {edf} --board synthetic", "Choose one"),
        ("headset --recording {edf} --fault nan --fault-every 0", "fault_every"),
        ("headset --board toaster", "no board 'toaster'"),
        ("streams --seconds 0", "seconds"),
        ("streams --json {tmp}/no/folder/s.json", "no/folder"),
        ("doctor --json {tmp}/no/folder/d.json", "no/folder"),
        ("inspect {tmp}/noise.edf", "noise.edf"),
        ("convert {edf} {tmp}/a.mat", "no format that can be written"),
        ("convert {edf} {edf}", "there already"),
        ("data eegmmi --subjects 200", "no subject 200"),
        ("live --controller {tmp}/nothing --stream X", "no controller.json"),
        ("live --controller {controller} --stream X --environment motorctl/Nowhere-v0", "motorctl/ArmReach-v0"),
        ("live --controller {controller} --stream no-such-stream --timeout 1", "No stream"),
        ("demo --seconds 0", "seconds"),
        ("train simulated --dagger -1", "dagger is -1 rounds"),
        ("demo --json {tmp}/no/folder/r.json", "no/folder"),
    ],
)
def test_a_users_mistake_is_one_line_and_a_status(
    words: str,
    said: str,
    tmp_path: Path,
    cued_edf: Callable[..., Path],
    small_controller: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "noise.edf").write_bytes(b"not an EDF file" * 100)
    (tmp_path / "a.txt").write_text("text")
    real_mkdir = Path.mkdir

    def full_disk(self: Path, *args: object, **options: object) -> None:
        if "full" in self.parts:
            raise OSError(28, "No space left on device", str(self))
        real_mkdir(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", full_disk)
    monkeypatch.chdir(tmp_path)
    places = {"tmp": tmp_path, "edf": cued_edf(), "controller": small_controller}
    status = main(words.format(**places).split())
    output = capsys.readouterr()
    assert status == 1
    assert said in output.err and output.err.startswith("motorctl: ") and output.err.count("\n") == 1
    assert "Traceback" not in output.out + output.err


def test_an_opengl_that_mujoco_cannot_load_is_one_line() -> None:
    done = motorctl("demo", MUJOCO_GL="nonsense")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "MUJOCO_GL=nonsense" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to write to")
def test_a_full_disk_is_one_line(cued_edf: Callable[..., Path], tmp_path: Path) -> None:
    command = f"train imitation --recordings {cued_edf()} --cues T1=left T2=right --training.epochs 1 --json /dev/full"
    done = motorctl(*command.split(), "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["motorctl: No space left on device: /dev/full."]


def test_live_names_what_differs_from_training(small_controller: Path, stream_name: str) -> None:
    """A stream of the right rate with one channel missing, and one of another rate."""
    fewer = tuple(Channel(label) for label in Brain().labels[1:])
    outlet = signal_outlet(StreamInfo(stream_name, "EEG", 250.0, fewer))
    slower = signal_outlet(StreamInfo(f"{stream_name}-slow", "EEG", 125.0, Brain().info.channels))
    for name, said in ((stream_name, "needs channel F3"), (f"{stream_name}-slow", "trained at 250 Hz")):
        done = motorctl("live", "--controller", str(small_controller), "--stream", name)
        assert done.returncode == 1
        assert said in done.stderr and len(done.stderr.splitlines()) == 1
    del outlet, slower


def test_live_refuses_to_choose_between_two_streams_of_one_name(small_controller: Path, stream_name: str) -> None:
    twins = [signal_outlet(StreamInfo(stream_name, "EEG", 250.0, Brain().info.channels, f"id-{k}")) for k in "ab"]
    done = motorctl("live", "--controller", str(small_controller), "--stream", stream_name)
    assert done.returncode == 1
    assert "2 streams" in done.stderr and "id-a" in done.stderr and "id-b" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    del twins
