"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The flags of python -m recipe train that shape the model."""

    tokens: int = 500_000  # clean tokens after which the learning rate is 0
    minutes: float = 60.0  # wall clock after which it is 0, whichever comes first
    batch: int = 4  # sequences per optimizer step
    length: int = 256
    learning_rate: float = 1e-3
    warmup: int = 20  # steps
    decay: float = 1.0  # last share of the run, in which the learning rate falls linearly to 0
    soft_target: float = 0.5
    right_weight: float = 3.0  # weight of a masked position with a visible token later in its block; others have 1
    draws: int = 2  # noisy halves per clean half
    causal_share: float = 0.34  # sequences whose clean half is trained; the others use it as a fixed context
    causal_weight: float = 1.0
    infill_rate: float = 0.5  # sequences rearranged to suffix, prefix, middle
    middle_weight: float = 4.0  # weight of a position of a hole's content; others have 1
    own_share: float = 0.0  # sequences that the model wrote itself, of --own
    orders_share: float = 0.0  # sequences that are states of kept own trajectories, of --orders
    orders_later: float = 0.3  # weight of a position that a later step decides; one of the next step has 1
    edit_rate: float = 0.0  # sequences of the second stage with edit noise beside mask noise, orders among them
    stage2_share: float = 0.2  # last share of the run that is the second stage
    packed: bool = False  # documents of one text do not see each other; needs --microbatch
    full: bool = False  # all weights are trained, not an adapter
    qat: bool = False  # the forward pass uses int4 weights, rounded as the converter does it
    head_ids: int = 16384  # most frequent ids in the head's softmax, beside a sequence's own
    clip: float = 1.0
    seed: int = 0
    checkpoint_minutes: float = 10.0
    eval_minutes: float = 20.0
