from __future__ import annotations

import numpy as np
import torch

from recipe.model.llama import Llama
from recipe.orders.pools import log_likelihoods, records
from recipe.orders.rollout import Rollouts, roll_out, soft_threshold
from recipe.orders.trajectories import parse_trajectory


def test_what_is_written_is_the_rollout(tiny: Llama) -> None:
    prompts = torch.randint(4, 40, (3, 8), generator=torch.Generator().manual_seed(1))
    got = roll_out(tiny, prompts, 16, 8, soft_threshold(0.3, 0.5, torch.Generator().manual_seed(2)))
    log_p = log_likelihoods(tiny, prompts, got.ids)
    lines = records(7, prompts, got, log_p)
    assert lines
    for line in lines:
        row = line["text"] - 7
        one = parse_trajectory(line)
        assert list(one.prompt) == prompts[row].tolist()
        assert list(one.ids) == got.ids[row, : len(one.ids)].tolist()
        # Steps are counted without those that decided nothing of what is kept.
        kept = got.global_steps()[row, : len(one.ids)]
        assert list(one.decided) == (np.unique(kept, return_inverse=True)[1] + 1).tolist()
        assert abs(one.log_likelihood - float(log_p[row, : len(one.ids)].sum())) < 1e-3


def test_a_text_ends_before_its_end_of_text() -> None:
    ids, decided = torch.tensor([[5, 6, 0, 9], [0, 5, 5, 5]]), torch.tensor([[1, 2, 1, 2], [1, 2, 3, 4]])
    got = Rollouts(ids, decided, torch.zeros(2, 4, dtype=torch.bool), 4)
    (line,) = records(0, torch.tensor([[7, 8], [7, 8]]), got, torch.full((2, 4), -1.0))
    assert line == {
        "text": 0, "prompt": [7, 8], "ids": [5, 6], "block": 4, "steps": [[0], [1]], "step_ids": [[5], [6]], "log_likelihood": -2.0,
    }  # fmt: skip
