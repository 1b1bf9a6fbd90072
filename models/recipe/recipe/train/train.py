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
from recipe.device import best_device
from recipe.errors import RecipeError
from recipe.evaluate.evaluate import evaluate, held_out_sequences
from recipe.int4.quantize import QuantizedWeights
from recipe.model.llama import Llama, compile_layers
from recipe.model.lora import add_adapters, halve_base, is_whole, train_all
from recipe.model.start import load_model, load_trained
from recipe.orders.orders import Orders
from recipe.paths import cache_dir
from recipe.train import processes, run_record
from recipe.train.adapter_run import AdapterRun, half_precision
from recipe.train.batch import Batch, collate
from recipe.train.batch_objective import batch_loss
from recipe.train.batches import Ahead, Forwards, add_flags, forwards_of, given, mean_numbers, own_indices, plain_numbers, split
from recipe.train.objective import Head, Losses, sequence_loss
from recipe.train.sequences import NoisySequence, NoisySequences
from recipe.train.settings import Settings


class Run(AdapterRun):
    """One training run: model, optimizer and position in the data, in a folder."""

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
        forwards: Forwards | None = None,
    ) -> None:
        """`workers` sequences run side by side, unless `forwards` says otherwise."""
        self.forwards = forwards or Forwards(workers)
        super().__init__(model, folder, self.forwards.workers)
        assert self.forwards.microbatch or not settings.packed, "packed documents need a microbatch"
        self.settings = settings
        # Before the head copies its rows of the embedding.
        self.quantized = QuantizedWeights(model) if settings.qat else None
        common = windows.most_frequent(settings.head_ids)
        assert model.mask_id is not None
        weight = model.embed_tokens.weight
        self.head = Head(weight if settings.full else weight.detach(), common.to(weight.device), model.mask_id)
        self.common = common[common != model.mask_id]
        # A batch is made on the processor and taken to the device at once.
        device = torch.device("cpu") if self.forwards.microbatch else self.device
        self.data = NoisySequences(windows, settings, tokenizer, common.numpy(), model.mask_id, device, own, orders)
        self.batches = Ahead(self.make_batches)
        if self.forwards.compiled:
            compile_layers(model)
        self.sequences = 0

    @property
    def tokens(self) -> int:
        return self.sequences * self.settings.length

    @property
    def progress(self) -> float:
        return max(self.tokens / self.settings.tokens, processes.agreed(self.elapsed) / 60 / self.settings.minutes)

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

    def make_batches(self, first: int, second_stage: bool) -> list[Batch]:
        """The batches of the step that begins with a sequence, on the processor."""
        drawn = [self.data.sequence(index, second_stage) for index in own_indices(first, self.settings.batch)]
        mask = self.head.mask_id
        return [collate(part, self.common, mask, self.settings.packed) for part in split(drawn, self.forwards.microbatch)]

    def batch_gradient(self, batch: Batch) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Gradients of one batch and its numbers for the log, still on the device."""
        with self.autocast():
            found = batch_loss(self.model, self.head, batch.to(self.device), self.settings.soft_target)
        # What a batch does not reach, such as rows that no text has, has a gradient of 0.
        gradients = torch.autograd.grad(found["loss"], self.trained, materialize_grads=True, allow_unused=True)
        return gradients, {name: value.detach() for name, value in found.items()}

    def step_gradients(self, second_stage: bool) -> tuple[list[tuple[Tensor, ...]], list[dict[str, float]]]:
        """Gradients of the parts of a step and their numbers."""
        s, following = self.settings, self.sequences + self.settings.batch * processes.count()
        if not self.forwards.microbatch:
            inputs = [self.data.sequence(index, second_stage) for index in own_indices(self.sequences, s.batch)]
            results = self.each(self.sequence_gradient, inputs)
            return [gradient for gradient, _ in results], [record for _, record in results]
        found = [self.batch_gradient(batch) for batch in self.batches.take(self.sequences, second_stage)]
        if self.device.type == "cuda":
            self.batches.prepare(following, second_stage)
        return [gradient for gradient, _ in found], [plain_numbers(record) for _, record in found]

    def train_step(self) -> dict[str, float]:
        """One optimizer step over `batch` sequences of every process; returns the numbers for the log."""
        s = self.settings
        rate = s.learning_rate * min(1.0, (self.step + 1) / s.warmup) * min(1.0, max(0.0, 1.0 - self.progress) / s.decay)
        second_stage = self.progress >= 1 - s.stage2_share
        gradients, records = self.step_gradients(second_stage)
        self.sequences += s.batch * processes.count()
        norm = self.descend(gradients, rate, s.clip)
        if self.quantized:
            self.quantized.refresh()
        # A batch without edit noise has no accuracy at visible positions.
        return mean_numbers(records) | {"grad_norm": norm, "lr": rate}

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
            if processes.rank() == 0:
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


def start(base: Path | None, init: Path | None, full: bool) -> Llama:
    """The model to train: with a fresh adapter, as a whole, or as an earlier run left it.

    Raises RecipeError if that run trained an adapter and this one is to train the whole model, or the other way round.
    """
    if init is None:
        return train_all(load_model(base)) if full else add_adapters(load_model(base))
    if is_whole(init) != full:
        raise RecipeError(f"{init} is of a run {'without' if full else 'with'} --full: export it, and start with --init-model")
    return load_trained(init, base)


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
    add_flags(parser, threads=2)
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
    if parsed.full and parsed.qat:
        parser.error("--full and --qat do not go together: the rounding is that of an adapter's merged weights")
    parsed.forwards = forwards_of(parser, vars(parsed), parsed.batch, parsed.qat)
    if parsed.packed and not parsed.forwards.microbatch:
        parser.error("--packed needs --microbatch")
    return parsed


def main() -> None:
    arguments = parse()
    settings = Settings(**{name: getattr(arguments, name) for name in asdict(Settings())})
    folder = cache_dir() / "runs" / arguments.run
    inputs = {name: getattr(arguments, name) for name in ("init_model", "init", "own", "orders")}
    options = given(vars(arguments)) | {"eval_sequences": arguments.eval_sequences}
    described = run_record.describe("train", settings, inputs, options)
    if arguments.repeated:
        run_record.check_inputs(run_record.read(arguments.repeated, "train"), described)

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(settings.seed)
    processes.join()
    device = best_device()
    model = start(arguments.init_model, arguments.init, settings.full).to(device)
    windows = Windows(load_split("train").values(), settings.length, settings.seed)
    own = np.load(arguments.own) if arguments.own else None
    orders = Orders.load(arguments.orders) if arguments.orders else None
    run = Run(model, windows, settings, folder, text_tokenizer(), 1, own, orders, arguments.forwards)
    run_record.write(folder, described)
    if arguments.resume:
        run.resume()
    if half_precision(device) and not settings.qat and not settings.full:
        halve_base(model)
    sequences = [ids.to(device) for ids in held_out_sequences(load_split("heldout"), arguments.eval_sequences)]
    run.train((lambda m: evaluate(m, sequences)) if sequences and processes.rank() == 0 else None)
    processes.leave()
