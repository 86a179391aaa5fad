"""Decoders that learn while they are used: a recurrent controller's linear read-out follows what its user intends.

What is behind the read-out stays as it was trained, so the recurrent layers are fixed features of the EEG, and the map
from them to commands is fitted to labels of intention as they come in. Any number of users adapt side by side, each
with a read-out of its own. Three rules, all of which keep their memory in a state outside:

* :class:`SmoothBatch`: a fit to the last minute or so, blended with what was there (Orsborn, Dangi, Moorman & Carmena
  2012, IEEE Trans. Neural Syst. Rehabil. Eng. 20(4):468-477);
* :class:`RecursiveLeastSquares`: a fit that every row updates, as Dangi et al. 2014 (Neural Comput. 26(9):1811-1839)
  do for the likelihood of a Kalman filter; here it is the textbook's exponentially weighted least squares (Haykin,
  Adaptive Filter Theory, chapter on the RLS algorithm);
* :class:`Intercept`: the bias alone, after each trial, as the intercepts of those who steer by rhythms are set from
  the trials before (Wolpaw & McFarland 2004, PNAS 101(51):17849-17854).

A read-out changes when a trial begins, and rests on the trials before. One that moved within a trial would take the
hand to the target by what is known of the target: refitted with every row, it reached 69 % of them in the first minute
by the EEG of somebody else.

Read-outs are ``(user, command, width + 1)`` in the command's unit, the bias last.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from motorctl.agents import RecurrentController, RecurrentCore, State
from motorctl.errors import check_positive


class Adapted(Protocol):
    """What a rule remembers."""

    @property
    def readout(self) -> Tensor:
        """``(user, command, width + 1)`` the read-outs as they are now."""
        ...


Memory = TypeVar("Memory", bound=Adapted)


class Rule(Protocol[Memory]):
    """How read-outs follow their users."""

    def start(self, readout: Tensor, rate: float) -> Memory:
        """Before anything was seen: ``readout (user, command, width + 1)``, rows at ``rate`` (Hz)."""
        ...

    def update(self, hidden: Tensor, intended: Tensor, anew: Tensor, state: Memory) -> Memory:
        """After one more row: units ``(user, width)``, what was intended ``(user, command)``, and whether the row is
        the first of a trial ``(user,)``."""
        ...


class BatchState(NamedTuple):
    """What :class:`SmoothBatch` remembers; float64."""

    readout: Tensor  # (user, command, width + 1)
    fitted: Tensor  # the one that the next trial begins with
    products: Tensor  # (user, width + 1, width + 1) of this batch's units with themselves
    answers: Tensor  # (user, command, width + 1) of what was intended with the units
    rows: int  # in this batch so far
    length: int  # rows that a batch has
    kept: float  # share of the read-out that a batch leaves


@dataclass(frozen=True)
class SmoothBatch:
    """Every ``batch`` s the read-out moves towards the one that fits these seconds best: ``W <- r W + (1 - r) W_batch``
    with ``r = 0.5 ** (batch / half_life)`` (Orsborn et al. 2012).

    Raises:
        ConfigurationError: a number is not above 0.
    """

    batch: float = 60.0
    """How often the read-out changes (s); 60 to 120 s in the publication."""
    half_life: float = 120.0
    """Time after which half of the first read-out is left (s)."""
    ridge: float = 0.1
    """How strongly a batch's fit is held to the read-out before it, as a share of the units' mean square: units of a
    recurrent network go together, and a minute does not tell them apart (Hoerl & Kennard 1970, Technometrics 12:55)."""

    def __post_init__(self) -> None:
        for name in ("batch", "half_life", "ridge"):
            check_positive(name, getattr(self, name))

    def start(self, readout: Tensor, rate: float) -> BatchState:
        """See :class:`Rule`."""
        users, _, width = readout.shape
        first = readout.double()
        nothing = first.new_zeros(users, width, width), torch.zeros_like(first)
        kept = float(0.5 ** (self.batch / self.half_life))
        return BatchState(first, first, *nothing, 0, max(1, round(self.batch * rate)), kept)

    def update(self, hidden: Tensor, intended: Tensor, anew: Tensor, state: BatchState) -> BatchState:
        """See :class:`Rule`."""
        row, state = with_one(hidden), with_a_trial(anew, state)
        products = state.products + row[:, :, None] * row[:, None]
        answers = state.answers + intended.double()[:, :, None] * row[:, None]
        if state.rows + 1 < state.length:
            return state._replace(products=products, answers=answers, rows=state.rows + 1)
        fitted = ridge_to(state.fitted, products, answers, self.ridge)
        blended = state.kept * state.fitted + (1 - state.kept) * fitted
        return state._replace(
            fitted=blended, products=torch.zeros_like(products), answers=torch.zeros_like(answers), rows=0
        )


def ridge_to(before: Tensor, products: Tensor, answers: Tensor, ridge: float) -> Tensor:
    """The read-out that fits best, held to the one before: it minimises ``sum |y - W x|² + c |W - W_before|²`` where
    ``c`` is ``ridge`` times the trace of the products, shared out among units."""
    width = products.shape[-1]
    size = products.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    held = ridge * size * torch.eye(width, dtype=products.dtype)
    fitted: Tensor = torch.linalg.solve(products + held, (answers + before @ held).mT).mT
    return fitted


class RecursiveState(NamedTuple):
    """What :class:`RecursiveLeastSquares` remembers; float64."""

    readout: Tensor  # (user, command, width + 1)
    fitted: Tensor  # the one that the next trial begins with
    inverse: Tensor  # (user, width + 1, width + 1) of the weighted products of units
    forgetting: float  # weight that a row has left when the next has come


@dataclass(frozen=True)
class RecursiveLeastSquares:
    """Every trial begins with the read-out that minimises the exponentially weighted squared error so far, held to the
    first one: ``sum_i f^(n-i) |y_i - W x_i|² + f^n |W - W_first|² prior``.

    Raises:
        ConfigurationError: a number is not above 0.
    """

    half_life: float = 120.0
    """Time after which a row counts half (s)."""
    prior: float = 3000.0
    """How strongly the read-out is held to the first one at the beginning, in rows of units of size 1."""

    def __post_init__(self) -> None:
        for name in ("half_life", "prior"):
            check_positive(name, getattr(self, name))

    def start(self, readout: Tensor, rate: float) -> RecursiveState:
        """See :class:`Rule`."""
        users, _, width = readout.shape
        inverse = torch.eye(width, dtype=torch.float64).expand(users, -1, -1) / self.prior
        return RecursiveState(readout.double(), readout.double(), inverse, float(0.5 ** (1 / (self.half_life * rate))))

    def update(self, hidden: Tensor, intended: Tensor, anew: Tensor, state: RecursiveState) -> RecursiveState:
        """See :class:`Rule`."""
        row, state = with_one(hidden)[:, :, None], with_a_trial(anew, state)
        reached = state.inverse @ row
        gain = reached / (state.forgetting + row.mT @ reached)
        surprise = intended.double()[:, :, None] - state.fitted @ row
        inverse = (state.inverse - gain @ reached.mT) / state.forgetting
        symmetric = (inverse + inverse.mT) / 2  # rounding would drive it apart, and then off
        return state._replace(fitted=state.fitted + surprise @ gain.mT, inverse=symmetric)


Fitted = TypeVar("Fitted", BatchState, RecursiveState)


def with_a_trial(anew: Tensor, state: Fitted) -> Fitted:
    """With the read-outs that were fitted to the trials before, for each user who begins another, ``anew (user,)``."""
    if not anew.any():
        return state
    return state._replace(readout=torch.where(anew[:, None, None], state.fitted, state.readout))


class InterceptState(NamedTuple):
    """What :class:`Intercept` remembers; float64. Sums ``(user, 5, command)`` over rows: of 1, of what the first
    read-out gives, of what was intended, of its square, and of the product of both."""

    readout: Tensor  # (user, command, width + 1)
    first: Tensor  # as it was at the beginning
    trial: Tensor  # of the trial under way
    recent: Tensor  # of those before, fading
    every: Tensor  # of all of them
    fading: float  # share of its weight that a row has lost when the next has come


@dataclass(frozen=True)
class Intercept:
    """After each trial the bias becomes the one with which the commands of the latest trials are right in the mean:
    ``b = b_first - (mean(y) - k mean(i))``, where the first read-out gave ``y`` when ``i`` was intended, and ``k`` is
    the slope of the regression of one on the other over all trials so far.

    The power of rhythms wanders by as much as an intention changes it, and what a running mean of the features takes
    away is in part what was intended meanwhile.

    Raises:
        ConfigurationError: the memory is not above 0.
    """

    memory: float = 15.0
    """Time constant with which trials fade (s)."""

    def __post_init__(self) -> None:
        check_positive("memory", self.memory)

    def start(self, readout: Tensor, rate: float) -> InterceptState:
        """See :class:`Rule`."""
        first = readout.double()
        nothing = first.new_zeros(len(first), 5, first.shape[1])
        return InterceptState(first, first, nothing, nothing, nothing, 1 / (self.memory * rate))

    def update(self, hidden: Tensor, intended: Tensor, anew: Tensor, state: InterceptState) -> InterceptState:
        """See :class:`Rule`."""
        if anew.any():
            state = self._after_trial(anew[:, None, None], state)
        given, wanted = (state.first @ with_one(hidden)[..., None])[..., 0], intended.double()
        row = torch.stack([torch.ones_like(given), given, wanted, wanted.square(), wanted * given], dim=1)
        return state._replace(trial=state.trial + row)

    def _after_trial(self, anew: Tensor, state: InterceptState) -> InterceptState:
        """With the sums of the trials of those who begin another, and the biases that follow."""
        kept = torch.exp(-state.fading * state.trial[:, :1])
        recent = torch.where(anew, kept * state.recent + state.trial, state.recent)
        every = torch.where(anew, state.every + state.trial, state.every)
        rows, given, wanted, squares, products = every.unbind(1)
        spread = rows * squares - wanted.square()
        slope = (rows * products - wanted * given) / spread.clamp_min(1e-12)
        off = (recent[:, 1] - slope * recent[:, 2]) / recent[:, 0].clamp_min(1.0)
        readout = state.first.clone()
        readout[..., -1] -= off
        trial = torch.where(anew, torch.zeros_like(state.trial), state.trial)
        return state._replace(readout=readout, trial=trial, recent=recent, every=every)


def with_one(hidden: Tensor) -> Tensor:
    """Units ``(user, width)`` with a 1 for the bias, float64."""
    return torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1).double()


def commands(readout: Tensor, hidden: Tensor) -> Tensor:
    """``(user, command)`` float32 that each user's read-out makes of units ``(user, width)``."""
    return (readout @ with_one(hidden)[:, :, None])[..., 0].float()


@torch.inference_mode()
def units(controller: RecurrentController, features: Tensor, state: State) -> tuple[Tensor, State]:
    """What is before the read-out, ``(user, width)``, for a row of ``features (user, feature)``; and the new state."""
    hidden, state = RecurrentCore.forward(controller, features[:, None], state)
    return hidden[:, 0], state


def readouts(controller: RecurrentController, users: int) -> Tensor:
    """The controller's read-out for each of ``users``: ``(user, command, width + 1)``."""
    own = torch.cat([controller.readout.weight, controller.readout.bias[:, None]], dim=1).detach() * controller.scale
    return own.repeat(users, 1, 1)


def with_readout(controller: RecurrentController, readout: Tensor) -> RecurrentController:
    """A copy of the controller with the read-out ``(command, width + 1)`` that one user came to."""
    adapted, own = deepcopy(controller), readout / controller.scale
    with torch.no_grad():
        adapted.readout.weight.copy_(own[:, :-1])
        adapted.readout.bias.copy_(own[:, -1])
    return adapted
