"""The model that training starts from: the base with its own rows for ids that it never saw, or a model made before."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipe.data.tokenizer import END_OF_TEXT, FIM_END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, MASK_ID
from recipe.errors import RecipeError
from recipe.model.converted import load_converted
from recipe.model.exported import load_export
from recipe.model.gguf_weights import load_base
from recipe.model.llama import Llama
from recipe.model.lora import add_adapters, is_whole, load_adapter, train_all


def separate_markers(embedding: Tensor) -> None:
    """Gives the four infill ids their own rows, in place: embedding [V, d].

    The base's unused rows are nearly one vector (cosine 0.99). With them the model could not tell where a suffix begins from where a
    middle does, nor predict the end of one. The row of the end is half that of the end of a text, which the base does predict.
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


def load_model(folder: Path | None) -> Llama:
    """The base, or the model of a folder, in float32. The folder is a converted model (models/NAME) or an export.

    Raises FileNotFoundError if the folder is neither.
    """
    if folder is None:
        return load_start()
    if (folder / "manifest.json").exists():
        return load_converted(folder)[0]
    if (folder / "model.safetensors").exists():
        return load_export(folder)
    raise FileNotFoundError(f"{folder} is neither a converted model (manifest.json) nor an export (model.safetensors)")


def load_trained(adapter: Path, folder: Path | None = None) -> Llama:
    """load_model(folder) with an adapter, or with the weights of a run that trained all of them; both can be trained further."""
    check_start(adapter, folder)
    model = load_model(folder)
    model = train_all(model) if is_whole(adapter) else add_adapters(model)
    load_adapter(model, adapter)
    return model


def check_start(adapter: Path, folder: Path | None, flag: str = "init_model") -> None:
    """Raises RecipeError if the run beside an adapter says that it started from another model than `folder` (None: the base).

    `flag`: the input of that run which names its model.
    """
    path = adapter.parent / "settings.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    if flag not in record.get("inputs", {}):
        return
    started = record["inputs"][flag]
    if (started and started["sha256"]) != (folder and digest(folder)):
        wanted = f"the model {started['path']}" if started else "the base"
        raise RecipeError(f"{adapter} was trained on {wanted}, not on {folder or 'the base'}")


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a model folder's configuration and weights."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = [p for p in sorted(path.iterdir()) if p.suffix in (".bin", ".safetensors") or p.name in ("config.json", "manifest.json")]
    return hashlib.sha256("".join(f"{file.name} {digest(file)}\n" for file in files).encode()).hexdigest()
