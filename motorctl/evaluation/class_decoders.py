"""Decoders of classes: scikit-learn estimators of epochs ``(trial, channel, time)`` in µV.

That is the axis order of MNE, pyRiemann, braindecode and MOABB, so that each of them is a MOABB pipeline as it is. All
that learns is in the estimator, so whoever fits it on training trials alone has leaked nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, sosfiltfilt

from motorctl.errors import ConfigurationError
from motorctl.signals.stream import StreamInfo
from motorctl.training.csp import BAND, CHANNELS, COMPONENTS

try:
    from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier  # type: ignore[import-untyped]
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # type: ignore[import-untyped]
    from sklearn.feature_selection import SelectKBest, f_classif  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.neighbors import KNeighborsClassifier  # type: ignore[import-untyped]
    from sklearn.pipeline import Pipeline as Chain  # type: ignore[import-untyped]
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
    from sklearn.utils import get_tags  # type: ignore[import-untyped]
except ImportError as error:
    raise ConfigurationError(
        "Comparing decoders needs scikit-learn.", "Install it with pip install 'motorctl[evaluate]'."
    ) from error

Epochs = NDArray[np.floating]

ORDER = 4
"""Of the Butterworth band-pass."""
FILTER_BANK = tuple((low, low + 4.0) for low in range(4, 40, 4))
"""Nine bands from 4 to 40 Hz (Ang et al. 2008)."""
RHYTHMS = ((7.0, 13.0), (13.0, 20.0), (20.0, 30.0))
"""Bands whose log power plain estimators are given (Hz): those of the pipeline."""
SELECTED = 8
"""How many features of the filter bank are kept (Ang et al. 2008: four pairs at most)."""
NEIGHBOURS = 5
EPOCHS = 50
"""Of braindecode's networks."""


class Pick(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The channels at ``columns``."""

    def __init__(self, columns: Sequence[int]) -> None:
        self.columns = columns

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Nothing is learned."""
        return self

    def transform(self, X: Epochs) -> Epochs:
        """``(trial, channel, time)``."""
        picked: Epochs = np.asarray(X)[:, list(self.columns)]
        return picked

    def __sklearn_is_fitted__(self) -> bool:
        return True


class BandPass(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Epochs of ``rate`` (Hz) in ``band`` (Hz): Butterworth, forward and backward within the trial, which is over when
    it is decoded."""

    def __init__(self, rate: float, band: tuple[float, float]) -> None:
        self.rate, self.band = rate, band

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Nothing is learned."""
        return self

    def transform(self, X: Epochs) -> Epochs:
        """``(trial, channel, time)``."""
        return filtered(np.asarray(X), self.rate, self.band)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class LogPower(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Log variance of every channel in every band: ``(trial, band * channel)``."""

    def __init__(self, rate: float, bands: Sequence[tuple[float, float]] = RHYTHMS) -> None:
        self.rate, self.bands = rate, bands

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Nothing is learned."""
        return self

    def transform(self, X: Epochs) -> Epochs:
        """Log µV²."""
        powers = [filtered(X, self.rate, band).var(axis=2) for band in self.bands]
        return np.asarray(np.log(np.maximum(np.hstack(powers), 1e-12)))

    def __sklearn_is_fitted__(self) -> bool:
        return True


class Patterns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Log power of common spatial patterns (Ramoser et al. 2000), fitted in each of ``bands`` (Hz): a filter bank where
    there are several (Ang et al. 2008, IJCNN, p. 2390). They are those of pyRiemann, from the trials' covariances."""

    def __init__(self, rate: float, bands: Sequence[tuple[float, float]], components: int = COMPONENTS) -> None:
        self.rate, self.bands, self.components = rate, bands, components

    def fit(self, X: Epochs, y: ArrayLike) -> Self:
        """Learn the filters of each band."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Epochs, y: ArrayLike) -> Epochs:
        """:meth:`fit` and :meth:`transform`, each band filtered once."""
        bands, labels = self._covariances(X), np.asarray(y)
        components = min(self.components, X.shape[1])
        self.patterns_ = [_pyriemann("spatialfilters").CSP(components).fit(part, labels) for part in bands]
        return self._powers(bands)

    def transform(self, X: Epochs) -> Epochs:
        """``(trial, band * component)``."""
        return self._powers(self._covariances(X))

    def _covariances(self, X: Epochs) -> list[Epochs]:
        return [
            _pyriemann("estimation").Covariances("oas").transform(filtered(X, self.rate, band)) for band in self.bands
        ]

    def _powers(self, bands: list[Epochs]) -> Epochs:
        return np.hstack([csp.transform(part) for csp, part in zip(self.patterns_, bands, strict=True)])


def filtered(epochs: Epochs, rate: float, band: tuple[float, float]) -> Epochs:
    """``(trial, channel, time)`` behind the band-pass, forward and backward."""
    sections = butter(ORDER, band, "bandpass", fs=rate, output="sos")
    return np.asarray(sosfiltfilt(sections, epochs.astype(float), padlen=min(6 * ORDER + 3, epochs.shape[2] - 1)))


class ClassDecoder(NamedTuple):
    """A decoder, and what nested selection chooses among.

    Args:
        make: from the stream that epochs are of and a seed, the estimator.
        grid: its hyper-parameters and their values.
    """

    make: Callable[[StreamInfo, int], Any]
    grid: Mapping[str, Sequence[Any]]


def _sensorimotor(info: StreamInfo) -> Pick:
    """The channels over the sensorimotor areas, or all where fewer than two of them are there."""
    columns = tuple(i for i, label in enumerate(info.labels) if label in CHANNELS)
    return Pick(columns if len(columns) > 1 else tuple(range(len(info.labels))))


def _discriminant() -> LinearDiscriminantAnalysis:
    """Shrunk after Ledoit & Wolf 2004, as Blankertz et al. 2011, NeuroImage 56:814-825, advise for EEG."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


def _csp(info: StreamInfo, seed: int) -> Chain:
    return Chain([("pick", _sensorimotor(info)), ("csp", Patterns(info.rate, (BAND,))), ("lda", _discriminant())])


def _filter_bank(info: StreamInfo, seed: int) -> Chain:
    """Features are ranked by their F ratio, which for normal features of one variance is the order of their mutual
    information with the class, which Ang et al. estimate."""
    bands = tuple(band for band in FILTER_BANK if band[1] < info.rate / 2)
    steps = [("csp", Patterns(info.rate, bands)), ("select", SelectKBest(f_classif, k=SELECTED))]
    return Chain([("pick", _sensorimotor(info)), *steps, ("lda", _discriminant())])


def _covariances(info: StreamInfo) -> list[tuple[str, Any]]:
    return [
        ("pick", _sensorimotor(info)),
        ("band", BandPass(info.rate, BAND)),
        ("covariance", _pyriemann("estimation").Covariances("oas")),
    ]


def _mdm(info: StreamInfo, seed: int) -> Chain:
    """Minimum distance to the mean (Barachant et al. 2012, IEEE Trans. Biomed. Eng. 59:920-928)."""
    return Chain([*_covariances(info), ("mdm", _pyriemann("classification").MDM("riemann"))])


def _tangent(info: StreamInfo, seed: int) -> Chain:
    """Logistic regression in the tangent space (Barachant et al. 2012)."""
    space = _pyriemann("tangentspace").TangentSpace("riemann")
    regression = LogisticRegression(C=1.0, max_iter=1000)
    return Chain([*_covariances(info), ("tangent", space), ("scale", StandardScaler()), ("logistic", regression)])


def _powers(info: StreamInfo) -> list[tuple[str, Any]]:
    return [("pick", _sensorimotor(info)), ("power", LogPower(info.rate)), ("scale", StandardScaler())]


def _neighbours(info: StreamInfo, seed: int) -> Chain:
    return Chain([*_powers(info), ("knn", KNeighborsClassifier(NEIGHBOURS))])


def _recurrent(info: StreamInfo, seed: int) -> Any:
    from motorctl.evaluation.recurrent_classes import RecurrentClasses

    return RecurrentClasses(info.labels, info.rate, random_state=seed)


def _pyriemann(module: str) -> Any:
    try:
        return import_module(f"pyriemann.{module}")
    except ImportError as error:
        raise ConfigurationError(
            "Riemannian decoders need pyriemann.", "Install it with pip install 'motorctl[evaluate]'."
        ) from error


CLASS_DECODERS: dict[str, ClassDecoder] = {
    "recurrent": ClassDecoder(_recurrent, {"epochs": (30, 60)}),
    "csp-lda": ClassDecoder(_csp, {"csp__components": (2, 4, 6)}),
    "fbcsp-lda": ClassDecoder(_filter_bank, {"select__k": (4, 8, 12)}),
    "mdm": ClassDecoder(_mdm, {"covariance__estimator": ("oas", "lwf")}),
    "tangent": ClassDecoder(_tangent, {"logistic__C": (0.01, 0.1, 1.0)}),
    "knn": ClassDecoder(_neighbours, {"knn__n_neighbors": (3, 5, 9)}),
}


def make_class_decoder(name: str, info: StreamInfo, seed: int = 0) -> Any:
    """An unfitted estimator of epochs ``(trial, channel, time)`` of the stream ``info``.

    Args:
        name: one of :data:`CLASS_DECODERS`; ``package.module:Name`` of any scikit-learn estimator or of what makes one,
            which is given log band powers, or the epochs if its tags say that it takes three dimensions; or
            ``braindecode:Network``.
        info: channels and rate of the epochs.
        seed: of what is drawn at random.

    Raises:
        ConfigurationError: there is no such decoder, or a package that it needs is not installed.
    """
    if name in CLASS_DECODERS:
        return CLASS_DECODERS[name].make(info, seed)
    if name.startswith("braindecode:"):
        return _braindecode(name.partition(":")[2], seed)
    estimator = import_estimator(name, seed, CLASS_DECODERS)
    if not is_classifier(estimator):
        raise ConfigurationError(f"'{name}' recognises no classes.", "Give a classifier, such as sklearn.svm:SVC.")
    if get_tags(estimator).input_tags.three_d_array:
        return estimator
    return Chain([*_powers(info), ("estimator", estimator)])


def import_estimator(name: str, seed: int, known: Mapping[str, Any]) -> Any:
    """An estimator by import path, seeded if it takes a ``random_state``.

    Raises:
        ConfigurationError: there is none there.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ConfigurationError(
            f"There is no decoder '{name}'.",
            f"Choose among {', '.join(known)}, or name an estimator, such as sklearn.svm:SVC.",
        )
    try:
        estimator = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"'{name}' cannot be made ({reason}).",
            "Name a class or function that needs no argument: package.module:Name.",
        ) from error
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict") and hasattr(estimator, "get_params")):
        raise ConfigurationError(f"'{name}' is no scikit-learn estimator.", "Give one with fit and predict.")
    if "random_state" in estimator.get_params(deep=False):
        estimator.set_params(random_state=seed)
    return clone(estimator)


def _braindecode(network: str, seed: int) -> Any:
    """A network of braindecode's, which takes epochs as they are (Schirrmeister et al. 2017, Hum. Brain Mapp.
    38:5391-5420)."""
    try:
        braindecode = import_module("braindecode")
    except (ImportError, OSError) as error:  # a library that it loads may not fit torch
        reason = (str(error).splitlines() or ["?"])[0]
        raise ConfigurationError(
            f"The network {network} needs braindecode, which cannot be loaded ({reason}).",
            "Install it with pip install braindecode, or leave the decoder out.",
        ) from error
    if not hasattr(import_module("braindecode.models"), network):
        raise ConfigurationError(f"braindecode has no network '{network}'.", "Give one such as ShallowFBCSPNet.")
    import torch

    torch.manual_seed(seed)
    return braindecode.EEGClassifier(
        network,
        train_split=None,
        max_epochs=EPOCHS,
        batch_size=16,
        iterator_train__drop_last=False,  # by default, whatever is left of a batch: all of a session with few trials
        optimizer=torch.optim.AdamW,
        optimizer__lr=1e-3,
        verbose=0,
    )
