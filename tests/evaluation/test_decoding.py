"""Folds: all that is learned is learned inside them, whatever the protocol and the decoder; what leaks is found out."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pyriemann", reason="pyriemann is not installed")

from motorctl.cli import main
from motorctl.evaluation.decoding import FoldTask, choose, decode_classes, evaluate_fold, losses_of, plan
from motorctl.evaluation.decoding_data import IDLE, ClassData, DecodingData, ValueData, load, load_trials, stream
from motorctl.evaluation.protocols import Fold, Protocol, ProtocolName, Units, make_folds
from motorctl.signals.recording import Annotation, Recording

RATE = 64.0
CUES = ("T1=left", "T2=right")


def windows(seed: int, told: float = 0.0, own: float = 0.7, each: int = 4) -> ClassData:
    """Two people with two sessions of a run each, of 16 trials with overlapping windows of noise. How strong it is on
    each channel is the trial's ``own``, and on the first, to ``told``, its class's (spread and size of the logarithm).
    """
    rng = np.random.default_rng(seed)
    trials, length = 4 * 16, 64
    labels = np.concatenate([rng.permutation(np.arange(16) % 2) for _ in range(4)])
    strength = np.exp(rng.standard_normal((trials, 6)) * own + told * np.eye(6)[0] * (2 * labels[:, None] - 1))
    whole = rng.standard_normal((trials, 6, length + 8 * each)) * 10 * strength[..., None]
    epochs = np.stack([whole[:, :, 8 * w : 8 * w + length] for w in range(each)], axis=1).reshape(-1, 6, length)
    trial = np.repeat(np.arange(trials), each)
    begin = 4.0 * (trial % 16) + np.tile(np.arange(each) / 8, trials)
    units = Units(trial // 16, trial // 16, trial // 32, begin, begin + 1, trial)
    info = stream(("C3", "C1", "Cz", "C2", "C4", "C6"), RATE)
    return ClassData(info, epochs.astype(np.float32), labels[trial], ("a", "b"), units, 0.2, 1.0, {})


def accuracy(data: ClassData, decoder: str, folds: list[Fold]) -> float:
    results = [decode_classes(data, decoder, fold, 0, {}, False) for fold in folds]
    right = [np.argmax(r["probabilities"], axis=1) == np.array(r["labels"]) for r in results]
    return float(np.concatenate(right).mean())


def shuffled(data: ClassData) -> list[Fold]:
    """Five parts of the windows drawn at random: windows of one trial, which overlap, end up on both sides."""
    parts = np.array_split(np.random.default_rng(0).permutation(len(data.units)), 5)
    return [Fold("leaky", np.concatenate([p for j, p in enumerate(parts) if j != i]), p) for i, p in enumerate(parts)]


@pytest.mark.parametrize("name", get_args(ProtocolName))
def test_with_labels_permuted_by_trial_every_protocol_is_at_chance(name: ProtocolName) -> None:
    data = windows(0, told=1.5)
    folds = make_folds(Protocol(name), data.units, data.gap)
    assert accuracy(data, "knn", folds) > 0.8
    permuted = [accuracy(data.permuted(np.random.default_rng(s)), "knn", folds) for s in range(4)]
    assert 0.4 < np.mean(permuted) < 0.6


def test_a_leaky_protocol_is_found_out_by_permuted_labels() -> None:
    data = windows(0, own=1.4, each=10)
    permuted = [data.permuted(np.random.default_rng(s)) for s in range(2)]
    assert np.mean([accuracy(d, "sklearn.neighbors:KNeighborsClassifier", shuffled(d)) for d in permuted]) > 0.9


@pytest.mark.parametrize(
    "decoder",
    [
        pytest.param("recurrent", marks=pytest.mark.slow),
        "csp-lda",
        pytest.param("fbcsp-lda", marks=pytest.mark.slow),
        "mdm",
        "tangent",
        "knn",
        "sklearn.svm:SVC",
    ],
)
def test_every_decoder_finds_what_is_there_and_nothing_where_labels_are_permuted(decoder: str) -> None:
    def thinned(data: ClassData) -> ClassData:
        """One window a trial, of two runs."""
        kept = (np.arange(len(data.units)) % 4 == 0) & (data.units.recording < 2)
        units = Units(**{name: values[kept] for name, values in vars(data.units).items()})
        return replace(data, epochs=data.epochs[kept], labels=data.labels[kept], units=units)

    data = thinned(windows(1, told=2.0))
    folds = make_folds(Protocol("leave-one-run-out"), data.units, data.gap)
    assert accuracy(data, decoder, folds) > 0.75
    permuted = [accuracy(data.permuted(np.random.default_rng(s)), decoder, folds) for s in range(4)]
    assert 0.33 < np.mean(permuted) < 0.67


def test_permuted_labels_are_dealt_by_trial_within_a_recording() -> None:
    data = windows(0)
    dealt = data.permuted(np.random.default_rng(5))
    assert (dealt.labels != data.labels).any()
    for trial in np.unique(data.units.block):
        assert len(set(dealt.labels[data.units.block == trial])) == 1
    for recording in range(4):
        of = data.units.recording == recording
        assert sorted(dealt.labels[of]) == sorted(data.labels[of])


def test_hyper_parameters_are_chosen_by_the_training_trials_alone() -> None:
    data = windows(0, told=1.0)
    fold = make_folds(Protocol("leave-one-session-out"), data.units, data.gap)[0]
    task = FoldTask(DecodingData(), Protocol("leave-one-session-out"), "knn", 0, tune=True)
    chosen = choose(data, task, fold.train)
    assert chosen["knn__n_neighbors"] in (3, 5, 9)
    spoiled = data.epochs.copy()
    spoiled[fold.test] = np.random.default_rng(1).standard_normal(spoiled[fold.test].shape)
    labels = data.labels.copy()
    labels[fold.test] = 1 - labels[fold.test]
    assert choose(replace(data, epochs=spoiled, labels=labels), task, fold.train) == chosen


def value_file(path: Path, seed: int, noise: float = 1.0) -> Path:
    """A recording of 60 s at 20 Hz: ten trials of 4 s of a movement in one of four directions, 2 s of rest after each,
    and eight channels that mix velocity, its past, and noise."""
    rng = np.random.default_rng(seed)
    trials = np.tile(np.r_[np.ones(80, int), np.zeros(40, int)], 10)
    number = np.where(trials, np.arange(1200) // 120, -1)
    bell = np.tile(np.r_[np.sin(np.linspace(0, np.pi, 80)), np.zeros(40)], 10)
    angle = np.repeat(rng.permutation(np.arange(10) % 4) * np.pi / 2, 120)
    targets = np.column_stack([bell * np.cos(angle), bell * np.sin(angle)])
    mixed = np.column_stack([targets, np.roll(targets, 3, axis=0)]) @ np.random.default_rng(99).standard_normal((4, 8))
    np.savez(path, samples=mixed + noise * rng.standard_normal((1200, 8)), targets=targets, rate=20.0, trials=number)
    return path


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> DecodingData:
    folder = tmp_path_factory.mktemp("values")
    return DecodingData(tuple(value_file(folder / f"{n}.npz", n) for n in range(2)))


@pytest.mark.parametrize(
    "decoder",
    [
        pytest.param("recurrent", marks=pytest.mark.slow),
        "wiener",
        "kalman",
        "refit-kalman",
        "knn",
        "sklearn.linear_model:Ridge",
    ],
)
def test_values_are_decoded_and_permuted_targets_are_not(decoder: str, values: DecodingData) -> None:
    task = FoldTask(values, Protocol("leave-one-run-out"), decoder, 0)
    if decoder == "recurrent":
        assert evaluate_fold(task)["scores"]["pearson_r"] > 0.6
        return  # permuted as the others are
    found = evaluate_fold(task)["scores"]
    assert found["pearson_r"] > 0.6
    if decoder != "refit-kalman":  # it decodes what was intended, which is not the velocity that there was
        assert found["r2"] > 0.4
    chance = [
        evaluate_fold(replace(task, fold=f, permutation=p))["scores"]["pearson_r"] for p in (1, 2, 3, 4) for f in (0, 1)
    ]
    assert abs(np.mean(chance)) < 0.3


@pytest.mark.parametrize("name", ["leave-one-run-out", "time-blocks", "chronological"])
def test_baselines_know_when_but_not_where(name: ProtocolName, values: DecodingData) -> None:
    for baseline in ("mean-trajectory", "phase-only"):
        scores = evaluate_fold(FoldTask(values, Protocol(name), baseline, 0))["scores"]
        assert scores["r2"] < 0.3
    data = load(values)
    assert isinstance(data, ValueData)
    same = [replace(s, targets=np.abs(s.targets).sum(axis=1, keepdims=True)) for s in data.sequences]
    from motorctl.evaluation.baselines import mean_trajectory, phase_only

    first, second = ((s.targets, s.trial) for s in same)  # of a movement that is always the same they know all
    np.testing.assert_allclose(mean_trajectory([first], second), second[0], atol=0.01)
    np.testing.assert_allclose(phase_only([first], second), second[0], atol=0.08)


def test_a_fold_is_a_pure_function_of_a_task_that_can_be_sent(values: DecodingData) -> None:
    tasks = plan(values, Protocol("leave-one-run-out"), ["wiener"], 0, 1, False)
    assert [(t.decoder, t.permutation, t.fold) for t in tasks] == [
        *(("wiener", p, f) for p in (0, 1) for f in (0, 1)),
        *((name, 0, f) for name in ("mean-trajectory", "phase-only") for f in (0, 1)),
    ]

    def lasting(result: dict[str, Any]) -> str:
        return json.dumps({k: v for k, v in result.items() if k not in ("seconds", "cost")}, allow_nan=False)

    for task in tasks:
        assert lasting(evaluate_fold(pickle.loads(pickle.dumps(task)))) == lasting(evaluate_fold(task))


@pytest.mark.parametrize(
    ("decoder", "problem"), [("kalman", "kalman cannot learn from"), ("sklearn.svm:SVC", "gives no values")]
)
def test_what_cannot_decode_values_is_said(decoder: str, problem: str, tmp_path: Path, capsys: Any) -> None:
    """A Kalman filter of channels that never change, and what recognises classes."""
    path, targets = tmp_path / "a.npz", np.random.default_rng(1).standard_normal((600, 1))
    np.savez(path, samples=np.zeros((600, 3)), targets=targets, rate=20.0, trials=np.repeat(np.arange(6), 100))
    words = f"evaluate decoding --recordings {path} --protocol.name time-blocks --decoders {decoder} --permutations 0"
    assert main([*words.split(), "--out", str(tmp_path / "run")]) == 1
    assert problem in capsys.readouterr().err


def test_the_loss_of_every_epoch_is_kept_of_what_learns_in_epochs() -> None:
    from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]

    fitted = make_pipeline(MLPClassifier((4,), max_iter=3, tol=0)).set_params(mlpclassifier__solver="sgd")
    with pytest.warns(match="Maximum iterations"):
        fitted.fit(np.eye(6), np.arange(6) % 2)
    assert losses_of(fitted) == fitted[-1].loss_curve_ and len(losses_of(fitted)) == 3
    assert losses_of(object()) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # braindecode and what it imports warn of themselves
def test_a_network_of_braindecodes_is_a_decoder() -> None:
    try:
        import braindecode  # type: ignore[import-not-found]  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("braindecode is not installed, or does not fit torch")
    data = windows(1, told=2.0, each=1)
    data = replace(data, epochs=np.tile(data.epochs, (1, 1, 4)))
    results = [
        decode_classes(data, "braindecode:ShallowFBCSPNet", fold, 0, {}, True)
        for fold in make_folds(Protocol("leave-one-run-out"), data.units, 0.0)
    ]
    assert np.mean([r["scores"]["accuracy"] for r in results]) > 0.7
    assert all(r["graded"] and len(r["losses"]) == 50 and r["losses"][-1] < r["losses"][0] for r in results)
    assert all(r["cost"]["parameters"] > 1000 and r["cost"]["flops"] is None for r in results)


def test_no_row_near_the_test_is_learned_from(values: DecodingData) -> None:
    """Whatever stands in the tested trials and within the gap around them, what is decoded there stays the same."""
    data = load(values)
    assert isinstance(data, ValueData)
    from motorctl.evaluation.decoding import learned_from

    for fold in make_folds(Protocol("time-blocks"), data.units, data.gap):
        for n in range(2):
            learned = np.concatenate([s.features.times for s in learned_from(data, fold, n)])
            tested = [u for u in fold.test if data.units.recording[u] == n]
            for unit in tested:
                begin, end = data.units.begin[unit] - data.gap, data.units.end[unit] + data.gap
                assert not ((learned > begin + 1e-6) & (learned < end - 0.05 - 1e-6)).any()


def test_whole_runs_have_an_idle_class(cued_edf: Callable[..., Path]) -> None:
    data = load(DecodingData((cued_edf(),), CUES, online=True, online_window=1.0))
    assert isinstance(data, ClassData)
    assert data.names == ("left", "right", IDLE)
    ends = data.units.end
    for onset, label in ((4.0, 0), (12.0, 1)):
        within = (ends >= onset + 0.6) & (ends < onset + 3.9)
        assert within.any() and (data.labels[within] == label).all()
        after = (ends > onset + 4.1) & (ends < onset + 8)
        assert (data.labels[after] == data.names.index(IDLE)).all()
    assert len(data.units) == len(range(159, 96 * 160, 80))


def test_sessions_and_people_are_known_by_name_or_said(cued_edf: Callable[..., Path]) -> None:
    names = ("sub-01_ses-1_run-1.edf", "sub-01_ses-2_run-1.edf", "sub-02_ses-1_run-1.edf")
    paths = tuple(cued_edf(name, seed) for seed, name in enumerate(names))
    found = load(DecodingData(paths, CUES)).units
    first = [int(np.flatnonzero(found.recording == r)[0]) for r in range(3)]
    assert found.subject[first].tolist() == [0, 0, 1] and found.session[first].tolist() == [0, 1, 2]
    said = load(DecodingData(paths, CUES, subjects=("a", "b", "b"), sessions=("x", "x", "x"))).units
    assert said.subject[first].tolist() == [0, 1, 1] and said.session[first].tolist() == [0, 1, 1]


def test_trials_that_miss_samples_are_left_out_and_counted(tmp_path: Path) -> None:
    """Of trials that begin every 5 s, the one in which C3 is missing for a moment, and the one that is cut short."""
    samples = np.random.default_rng(0).standard_normal((28 * 100, 2)).astype(np.float32) * 10
    samples[1250, 0] = np.nan
    annotations = [Annotation(5.0 * k, 0.0, ("T1", "T2")[k % 2]) for k in range(6)]
    info = stream(("C3", "C4"), 100.0)
    times, path = np.arange(len(samples)) / 100, tmp_path / "x.edf"
    recording = Recording(info, samples, times, np.isfinite(samples), tuple(annotations), path)
    data = load_trials(DecodingData((path,), CUES, band=(4.0, 30.0)), [recording])
    assert data.left_out == {str(path): 2}
    assert data.units.begin.tolist() == [0.5, 5.5, 15.5, 20.5] and data.labels.tolist() == [0, 1, 1, 0]


def test_the_command_compares_decoders_on_real_recordings(eegmmi: Path, tmp_path: Path, capsys: Any) -> None:
    files = [str(eegmmi / f"S001R{run:02}.edf") for run in (5, 9)]
    options = ["--decoders", "csp-lda", "sklearn.dummy:DummyClassifier", "--permutations", "3"]
    out, file = tmp_path / "run", tmp_path / "f.json"
    words = ["evaluate", "decoding", "--recordings", *files, "--cues", "T1=fists", "T2=feet", *options]
    assert main([*words, "--out", str(out), "--json", str(file)]) == 0
    results = json.loads(file.read_text())
    assert json.loads((out / "results.json").read_text()) == results
    csp, dummy = results["decoders"]["csp-lda"], results["decoders"]["sklearn.dummy:DummyClassifier"]
    score = csp["scores"]["accuracy"]
    assert score["value"] >= 0.9 and score["interval"][0] <= score["value"] <= score["interval"][1]
    assert 0.2 < score["chance"] < 0.8 and score["p"] == 0.25
    assert dummy["scores"]["accuracy"]["value"] < 0.6
    assert np.trace(csp["confusion"]) == round(score["value"] * 30)
    assert csp["cost"]["flops"] > 1e5 and csp["cost"]["parameters"] > 100 and csp["cost"]["latency_ms"] > 0
    compared = {(c["a"], c["b"]): c for c in results["comparisons"]}
    worse = compared["csp-lda", "sklearn.dummy:DummyClassifier"]
    assert worse["difference"] > 0.3 and worse["permutation_p"] < 0.01 <= worse["corrected_t_p"]
    table = (out / "table.md").read_text()
    assert "| csp-lda |" in table and table.count("\n| ") >= 4
    assert (out / "results.csv").read_text().startswith("decoder,score,value,low,high,chance")
    assert "leave-one-run-out, 30 trials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--cues", "T1=a", "T2=b"], "All recordings are of one run"),
        (["--cues", "T1=a", "T2=b", "--decoders", "nothing"], "no decoder 'nothing'"),
        (["--cues", "T1=a", "T2=b", "--decoders", "no.module:X"], "cannot be made"),
        (["--cues", "T1=a", "T2=b", "--decoders", "braindecode:ShallowFBCSPNet"], "needs braindecode"),
        (["--cues", "T1=a", "T2=b", "--decoders", "json:JSONEncoder"], "no scikit-learn estimator"),
        (["--cues", "T1=a", "T2=b", "--decoders", "sklearn.svm:SVR"], "recognises no classes"),
        (["--cues", "T1=a", "T2=b", "--decoders", ":x"], "cannot be made"),
        (["--cues", "T1=a", "T2=b", "--decoders", "mdm", "mdm"], "named twice"),
        (["--cues", "T1=a", "T2=b", "--window", "0.5", "9"], "lasts 4 s"),
        (["--cues", "T1=a", "T2=b", "--subjects", "x", "y"], "2 subjects for 1 recordings"),
        (["--cues", "T1=a", "T2=b", "--band", "4", "90"], "Band 4-90 Hz"),
        ([], "No cue is given"),
        (["--permutations", "-1"], "permutations is -1"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_line(
    words: list[str],
    problem: str,
    cued_edf: Callable[..., Path],
    tmp_path: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "braindecode", None)  # as if it were not installed
    protocol = [] if problem.startswith("All") else ["--protocol.name", "chronological"]
    out = ["--out", str(tmp_path / "run")]
    assert main(["evaluate", "decoding", "--recordings", str(cued_edf()), *words, *protocol, *out]) == 1
    said = capsys.readouterr().err
    assert problem in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()
