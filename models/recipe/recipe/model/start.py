"""The model that training starts from: the base, with rows of their own for the ids that it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipe.data.tokenizer import END_OF_TEXT, FIM_END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, MASK_ID
from recipe.model.gguf_weights import load_base
from recipe.model.llama import Llama
from recipe.model.lora import add_adapters, load_adapter


def separate_markers(embedding: Tensor) -> None:
    """Gives the four infill ids rows of their own, in place: embedding [V, d].

    The base's unused rows are all but one vector (cosine 0.99): nothing could tell where a suffix begins from where a middle does,
    nor ask for the end of one. The end's row is half that of the end of a text, which the base does predict.
    """
    rng = np.random.default_rng(8)
    typical = float(embedding.norm(dim=1).median())
    mean = embedding.mean(dim=0)
    for marker in (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, FIM_END):
        direction = torch.from_numpy(rng.standard_normal(embedding.shape[1]).astype(np.float32))
        start = embedding[END_OF_TEXT] if marker == FIM_END else mean
        row = start / start.norm() + direction / direction.norm()
        embedding[marker] = typical * row / row.norm()


@torch.no_grad()
def load_start() -> Llama:
    """The base in float32, ready for adapters."""
    model = load_base(MASK_ID)
    separate_markers(model.embed_tokens.weight)
    return model


def load_trained(adapter: Path) -> Llama:
    """The same with an adapter, which can be trained further."""
    model = add_adapters(load_start())
    load_adapter(model, adapter)
    return model
