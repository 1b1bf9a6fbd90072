"""The device that a command runs on."""

from __future__ import annotations

import os

import torch


def best_device() -> torch.device:
    """The first GPU, or under torchrun the GPU of this process; the CPU where there is none."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else torch.device("cpu")
