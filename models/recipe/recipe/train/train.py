"""python -m recipe train: trains the adapter; resumable, logs JSON lines, ends by itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.data.tokenizer import text_tokenizer
from recipe.data.windows import Windows
from recipe.evaluate.evaluate import evaluate, held_out_sequences
from recipe.int4.quantize import QuantizedWeights
from recipe.model.llama import Llama
from recipe.model.lora import add_adapters, halve_base
from recipe.model.start import load_model, load_trained
from recipe.orders.orders import Orders
from recipe.paths import cache_dir
from recipe.train import run_record
from recipe.train.adapter_run import AdapterRun, half_precision
from recipe.train.objective import Head, Losses, sequence_loss
from recipe.train.sequences import NoisySequence, NoisySequences
from recipe.train.settings import Settings


class Run(AdapterRun):
    """One training run: model, optimizer and position in the data, in a folder. `workers` sequences run side by side."""

    def __init__(
        self,
        model: Llama,
        windows: Windows,
        settings: Settings,
        folder: Path,
        tokenizer: Tokenizer | None,
        workers: int = 1,
        own: NDArray[np.uint16] | None = None,
        orders: Orders | None = None,
    ) -> None:
        super().__init__(model, folder, workers)
        self.settings = settings
        # Before the head copies its rows of the embedding.
        self.quantized = QuantizedWeights(model) if settings.qat else None
        common = windows.most_frequent(settings.head_ids)
        assert model.mask_id is not None
        weight = model.embed_tokens.weight.detach()
        self.head = Head(weight, common.to(weight.device), model.mask_id)
        self.data = NoisySequences(windows, settings, tokenizer, common.numpy(), model.mask_id, self.device, own, orders)
        self.sequences = 0

    @property
    def tokens(self) -> int:
        return self.sequences * self.settings.length

    @property
    def progress(self) -> float:
        return max(self.tokens / self.settings.tokens, self.elapsed / 60 / self.settings.minutes)

    def sequence_gradient(self, sequence: NoisySequence) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        """Gradients of one sequence and its numbers for the log."""
        with self.autocast():
            losses = sequence_loss(
                self.model,
                self.head,
                sequence.ids,
                sequence.noisy,
                sequence.block,
                self.settings.soft_target,
                sequence.causal_weight,
                sequence.importance,
            )
        return torch.autograd.grad(losses.total, self.trained), numbers(losses)

    def train_step(self) -> dict[str, float]:
        """One optimizer step over `batch` sequences; returns the numbers for the log."""
        s = self.settings
        rate = s.learning_rate * min(1.0, (self.step + 1) / s.warmup) * min(1.0, max(0.0, 1.0 - self.progress) / s.decay)
        second_stage = self.progress >= 1 - s.stage2_share
        inputs = [self.data.sequence(self.sequences + offset, second_stage) for offset in range(s.batch)]
        results = self.each(self.sequence_gradient, inputs)
        self.sequences += s.batch
        norm = self.descend([gradient for gradient, _ in results], rate, s.clip)
        if self.quantized:
            self.quantized.refresh()
        # A batch without edit noise has no accuracy at visible positions.
        each = {name: [value for _, record in results if np.isfinite(value := record[name])] for name in results[0][1]}
        return {name: float(np.mean(values)) for name, values in each.items() if values} | {"grad_norm": norm, "lr": rate}

    def log(self, record: dict[str, Any]) -> None:
        super().log({"tokens": self.tokens} | record)

    def state(self) -> dict[str, Any]:
        return super().state() | {"sequences": self.sequences, "quantized": self.quantized.state() if self.quantized else None}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        if self.quantized:
            rounding = state.get("quantized")
            assert rounding, "the checkpoint is of a run without --qat: start from its adapter with --init"
            self.quantized.restore(rounding)
        self.sequences = state["sequences"]

    def train(self, evaluation: Callable[[Llama], dict[str, float]] | None = None) -> None:
        """Steps until the learning rate has reached 0."""
        s = self.settings
        evaluated = window_start = self.elapsed
        window_tokens = self.tokens
        while self.progress < 1.0:
            record = self.train_step()
            now = self.elapsed
            speed = (self.tokens - window_tokens) / max(1e-9, now - window_start)
            left = (1.0 - self.progress) * now / max(1e-9, self.progress)
            self.log(record | {"tokens_per_s": round(speed, 1)})
            print(
                f"step {self.step} tokens {self.tokens} masked {record.get('masked_ce', nan):.3f} causal {record['causal_ce']:.3f} "
                f"acc {record.get('masked_accuracy', nan):.3f} | {speed:.0f} tokens/s, {left / 60:.1f} min left",
                flush=True,
            )
            if self.step % 10 == 0:
                window_start, window_tokens = now, self.tokens
            self.save_when_due(s.checkpoint_minutes)
            if evaluation and now - evaluated > s.eval_minutes * 60:
                with self.autocast():
                    self.log({"eval": evaluation(self.model)})
                evaluated = window_start = self.elapsed
                window_tokens = self.tokens
        self.save()


def numbers(losses: Losses) -> dict[str, float]:
    """The fields of the log."""
    return {
        "loss": float(losses.total.detach()),
        "masked_ce": losses.masked,
        "causal_ce": losses.causal,
        "masked_accuracy": losses.masked_accuracy,
        "corrected": losses.corrected,
        "kept": losses.kept,
    }


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line. With --from, the settings, inputs and options of that run are the defaults."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in asdict(Settings()).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    parser.add_argument("--run", default="v0", help="name of the folder under runs/ in the cache")
    parser.add_argument("--from", dest="repeated", metavar="RUN", help="repeat a run; any other flag changes that run's value")
    parser.add_argument("--init-model", type=Path, help="converted model (models/NAME) or export to start from instead of the base")
    parser.add_argument("--init", type=Path, help="adapter to start from, with a fresh optimizer")
    parser.add_argument("--own", type=Path, help="texts of python -m recipe own, for --own-share")
    parser.add_argument("--orders", type=Path, help="orders of python -m recipe orders, for --orders-share")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    parser.add_argument("--eval-sequences", type=int, default=12)
    parsed = parser.parse_args(arguments)
    if parsed.repeated:
        before = run_record.read(parsed.repeated, "train")
        inputs = {name: Path(one["path"]) for name, one in before["inputs"].items() if one}
        parser.set_defaults(**before["settings"], **before["options"], **inputs)
        parsed = parser.parse_args(arguments)
        if parsed.run == parsed.repeated:
            parser.error("--run needs another name than the run that --from repeats")
    if (parsed.own_share > 0) != (parsed.own is not None):
        parser.error("--own and --own-share come together")
    if (parsed.orders_share > 0) != (parsed.orders is not None):
        parser.error("--orders and --orders-share come together")
    return parsed


def main() -> None:
    arguments = parse()
    settings = Settings(**{name: getattr(arguments, name) for name in asdict(Settings())})
    folder = cache_dir() / "runs" / arguments.run
    inputs = {name: getattr(arguments, name) for name in ("init_model", "init", "own", "orders")}
    options = {"threads": arguments.threads, "eval_sequences": arguments.eval_sequences}
    described = run_record.describe("train", settings, inputs, options)
    if arguments.repeated:
        run_record.check_inputs(run_record.read(arguments.repeated, "train"), described)

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = arguments.init_model
    model = (load_trained(arguments.init, base) if arguments.init else add_adapters(load_model(base))).to(device)
    windows = Windows(load_split("train").values(), settings.length, settings.seed)
    workers = 1 if device.type == "cuda" else arguments.threads
    own = np.load(arguments.own) if arguments.own else None
    orders = Orders.load(arguments.orders) if arguments.orders else None
    run = Run(model, windows, settings, folder, text_tokenizer(), workers, own, orders)
    run_record.write(folder, described)
    if arguments.resume:
        run.resume()
    if half_precision(device) and not settings.qat:
        halve_base(model)
    sequences = [ids.to(device) for ids in held_out_sequences(load_split("heldout"), arguments.eval_sequences)]
    run.train((lambda m: evaluate(m, sequences)) if sequences else None)
