"""python -m recipe drafts: trains gated adapters on the drafts of a frozen model; resumable, ends by tokens or by time.

A command of its own beside `train`: the model itself is fixed, so there is no causal loss, no rounding, no edit stage, and what it
writes is an adapter for mask rows alone. `--drafts-share 0` is the objective of `train` for the same adapters.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
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
from recipe.model.gated import RANK, SCALE, GatedLlama, add_gated_adapters
from recipe.model.llama import compile_layers
from recipe.model.lora import halve_base, load_adapter
from recipe.model.start import check_start, load_model
from recipe.model.window_attention import DraftWindows
from recipe.paths import cache_dir
from recipe.train import processes, run_record
from recipe.train.adapter_run import AdapterRun, half_precision
from recipe.train.batch import Batch, collate
from recipe.train.batch_objective import batch_loss
from recipe.train.batches import Ahead, Forwards, add_flags, forwards_of, given, mean_numbers, own_indices, plain_numbers, split
from recipe.train.draft_batch import WindowBatch, windows_batch_loss
from recipe.train.draft_objective import windows_loss
from recipe.train.draft_states import draw_windows
from recipe.train.objective import Head, sequence_loss
from recipe.train.sequences import NoisySequence, NoisySequences
from recipe.train.settings import Settings


@dataclass(frozen=True)
class DraftSettings:
    """What decides a run; written to the run folder."""

    tokens: int = 300_000  # clean tokens after which the learning rate is 0
    minutes: float = 0.0  # wall clock after which it is 0, if that comes first; 0: no limit
    batch: int = 2  # texts per optimizer step
    length: int = 256
    rank: int = RANK
    scale: float = SCALE
    learning_rate: float = 1e-3
    warmup: int = 20  # steps
    decay: float = 1.0  # last share of the run over which the learning rate falls linearly to 0; it is constant before
    drafts_share: float = 0.8  # texts under draft windows; the others have the mask noise of `train`
    windows: int = 128  # draft windows over one text
    branch_first: bool = False  # windows stand first where the verifier would have written the text's next id, not at any phase
    place_decay: float = 0.8  # what a place in the window counts, to the place before it
    off_branch: float = 0.1  # what a row counts where the text has left the verifier's branch, where others count 1
    draws: int = 1  # noisy halves per clean half under mask noise
    soft_target: float = 0.5  # as in `train`, under mask noise
    right_weight: float = 3.0  # as in `train`
    infill_rate: float = 0.5  # as in `train`
    middle_weight: float = 4.0  # as in `train`, under mask noise
    own_share: float = 0.0  # texts that the verifier wrote itself, of --own
    packed: bool = False  # documents of one text do not see each other; needs --microbatch
    head_ids: int = 16384  # most frequent ids that compete in the head's softmax, beside a text's own
    clip: float = 1.0
    seed: int = 0
    checkpoint_minutes: float = 10.0

    def mask_noise(self) -> Settings:
        """The same run under the mask noise of `train`, its clean half fixed."""
        shared = asdict(self)
        names = ("length", "draws", "soft_target", "right_weight", "infill_rate", "middle_weight", "own_share", "head_ids", "seed")
        return Settings(causal_share=0.0, causal_weight=0.0, **{name: shared[name] for name in names})


class DraftTexts:
    """The texts of a run by index, each under draft windows or under mask noise."""

    def __init__(self, noisy: NoisySequences, settings: DraftSettings) -> None:
        self.noisy, self.settings = noisy, settings

    def text(self, index: int) -> tuple[NoisySequence, DraftWindows | None]:
        """The index-th text, the same whatever hides it, and its draft windows; None: it has mask noise."""
        s = self.settings
        sequence = self.noisy.sequence(index)
        rng = np.random.default_rng([s.seed, 11, index])
        if rng.random() >= s.drafts_share:
            return sequence, None
        # By branch, the windows are chosen from all phases once the verifier has read the text.
        windows = self._windows(rng)
        device = sequence.ids.device
        return sequence, DraftWindows(windows.start.to(device), windows.length.to(device))

    def _windows(self, rng: np.random.Generator) -> DraftWindows:
        s = self.settings
        return draw_windows(s.length, s.length if s.branch_first else s.windows, rng)

    def batch(self, indices: Sequence[int], common: Tensor, mask_id: int) -> tuple[Batch, WindowBatch | None]:
        """The texts of some indices, all under draft windows or all under mask noise, as the first one's chance says.

        With both in one forward its shapes would differ from step to step.
        """
        s = self.settings
        batch = collate([self.noisy.sequence(index) for index in indices], common, mask_id, s.packed)
        chances = [np.random.default_rng([s.seed, 11, index]) for index in indices]
        drawn = [rng.random() for rng in chances]
        return batch, WindowBatch.of([self._windows(rng) for rng in chances]) if drawn[0] < s.drafts_share else None


class DraftRun(AdapterRun):
    """One run in a folder."""

    def __init__(
        self,
        model: GatedLlama,
        windows: Windows,
        settings: DraftSettings,
        folder: Path,
        tokenizer: Tokenizer | None,
        workers: int = 1,
        own: NDArray[np.uint16] | None = None,
        bfloat16: bool = False,
        forwards: Forwards | None = None,
    ) -> None:
        """`workers` texts run side by side, unless `forwards` says otherwise."""
        self.forwards = forwards or Forwards(workers)
        super().__init__(model, folder, self.forwards.workers)
        assert self.forwards.microbatch or not settings.packed, "packed documents need a microbatch"
        self.gated = model
        self.settings = settings
        self.bfloat16 = bfloat16
        common = windows.most_frequent(settings.head_ids)
        assert model.mask_id is not None
        weight = model.embed_tokens.weight.detach()
        self.head = Head(weight, common.to(weight.device), model.mask_id)
        self.common = common[common != model.mask_id]
        device = torch.device("cpu") if self.forwards.microbatch else self.device
        noisy = NoisySequences(windows, settings.mask_noise(), tokenizer, common.numpy(), model.mask_id, device, own)
        self.data = DraftTexts(noisy, settings)
        self.batches = Ahead(self.make_batches)
        if self.forwards.microbatch:
            model.share_gate()
        if self.forwards.compiled:
            compile_layers(model)
        self.texts = 0

    @property
    def tokens(self) -> int:
        return self.texts * self.settings.length

    @property
    def progress(self) -> float:
        s = self.settings
        return max(self.tokens / s.tokens, processes.agreed(self.elapsed) / 60 / s.minutes if s.minutes else 0.0)

    def autocast(self) -> AbstractContextManager[Any]:
        # Without the cache of casts: it is one for all threads, and workers run side by side.
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16, cache_enabled=False)

    def text_gradient(self, text: tuple[NoisySequence, DraftWindows | None]) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        """Gradients of one text and its numbers for the log."""
        s = self.settings
        sequence, windows = text
        with self.autocast():
            if windows is None:
                mask_noise = sequence_loss(
                    self.model, self.head, sequence.ids, sequence.noisy, sequence.block, s.soft_target, 0.0, sequence.importance
                )
                total = mask_noise.total
                record = {"masked_ce": mask_noise.masked, "masked_accuracy": mask_noise.masked_accuracy}
            else:
                count = s.windows if s.branch_first else None
                drafts = windows_loss(self.model, self.head, sequence.ids, windows, s.place_decay, s.off_branch, count)
                total = drafts.total
                # As everywhere, position 1 of a window is the causal one: the first mask drafts position 2.
                record = {f"draft{place + 2}": value for place, value in enumerate(drafts.agreement)}
                record |= {"draft_loss": float(total.detach()), "on_branch": drafts.branch_share}
        return torch.autograd.grad(total, self.trained), record

    def make_batches(self, first: int, _stage: bool = False) -> list[tuple[Batch, WindowBatch | None]]:
        """The batches of the step that begins with a text, on the processor."""
        parts = split(own_indices(first, self.settings.batch), self.forwards.microbatch)
        return [self.data.batch(part, self.common, self.head.mask_id) for part in parts]

    def batch_gradient(self, batch: Batch, windows: WindowBatch | None) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Gradients of one batch and its numbers for the log, still on the device."""
        s = self.settings
        with self.autocast():
            if windows is None:
                found = batch_loss(self.model, self.head, batch.to(self.device), s.soft_target)
                shown = {name: found[name] for name in ("masked_ce", "masked_accuracy")}
            else:
                count = s.windows if s.branch_first else None
                on_device = batch.to(self.device), windows.to(self.device)
                found = windows_batch_loss(self.gated, self.head, *on_device, s.place_decay, s.off_branch, count)
                shown = {name: value for name, value in found.items() if name != "loss"} | {"draft_loss": found["loss"].detach()}
        return torch.autograd.grad(found["loss"], self.trained), shown

    def step_gradients(self) -> tuple[list[tuple[Tensor, ...]], list[dict[str, float]]]:
        """Gradients of the parts of a step and their numbers."""
        if not self.forwards.microbatch:
            results = self.each(self.text_gradient, [self.data.text(index) for index in own_indices(self.texts, self.settings.batch)])
            return [gradient for gradient, _ in results], [record for _, record in results]
        found = [self.batch_gradient(*batch) for batch in self.batches.take(self.texts, False)]
        if self.device.type == "cuda":
            self.batches.prepare(self.texts + self.settings.batch * processes.count(), False)
        return [gradient for gradient, _ in found], [plain_numbers(record) for _, record in found]

    def train_step(self) -> dict[str, float]:
        """One optimizer step over `batch` texts of every process; returns the numbers for the log."""
        s = self.settings
        rate = s.learning_rate * min(1.0, (self.step + 1) / s.warmup) * min(1.0, max(0.0, 1.0 - self.progress) / s.decay)
        gradients, records = self.step_gradients()
        self.texts += s.batch * processes.count()
        norm = self.descend(gradients, rate, s.clip)
        return mean_numbers(records) | {"grad_norm": norm, "lr": rate}

    def log(self, record: dict[str, Any]) -> None:
        super().log({"tokens": self.tokens} | record)

    def state(self) -> dict[str, Any]:
        return super().state() | {"texts": self.texts}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.texts = state["texts"]

    def train(self) -> None:
        """Steps until the learning rate has reached 0. The log has a line a step, the screen one in ten."""
        since, tokens = self.elapsed, self.tokens
        while self.progress < 1.0:
            record = self.train_step()
            self.log(record)
            progress = self.progress
            if self.step % 10 == 0 and processes.rank() == 0:
                speed = (self.tokens - tokens) / max(1e-9, self.elapsed - since)
                left = (1 - progress) / max(1e-9, progress) * self.elapsed
                numbers = " ".join(f"{name} {value:.3f}" for name, value in record.items() if name != "lr")
                print(f"step {self.step} tokens {self.tokens} {numbers} | {speed:.0f} tokens/s, {left / 60:.0f} min left", flush=True)
                since, tokens = self.elapsed, self.tokens
            self.save_when_due(self.settings.checkpoint_minutes)
        self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in asdict(DraftSettings()).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    parser.add_argument("--model", type=Path, required=True, help="the model that verifies, converted (models/NAME) or an export")
    parser.add_argument("--run", default="drafts", help="name of the folder under runs/ in the cache")
    parser.add_argument("--init", type=Path, help="gated adapter to start from, with a fresh optimizer")
    parser.add_argument("--own", type=Path, help="texts of python -m recipe own, for --own-share")
    parser.add_argument("--resume", action="store_true")
    add_flags(parser, threads=1)
    # Where a processor multiplies bfloat16 without AMX, 32 bits may still be faster: try both.
    parser.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, help="16-bit products; default: as in `train`")
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments["threads"])
    settings = DraftSettings(**{name: arguments[name] for name in asdict(DraftSettings())})
    if (settings.own_share > 0) != (arguments["own"] is not None):
        parser.error("--own and --own-share come together")
    inputs = {name: arguments[name] for name in ("model", "init", "own")}
    forwards = forwards_of(parser, arguments, settings.batch)
    if settings.packed and not forwards.microbatch:
        parser.error("--packed needs --microbatch")
    torch.manual_seed(settings.seed)
    processes.join()
    device = best_device()
    model = add_gated_adapters(load_model(arguments["model"]), settings.rank, settings.scale)
    if arguments["init"]:
        check_start(arguments["init"], arguments["model"], "model")
        load_adapter(model, arguments["init"])
    model.to(device)
    windows = Windows(load_split("train").values(), settings.length, settings.seed)
    bfloat16 = half_precision(device) if arguments["bfloat16"] is None else arguments["bfloat16"]
    own = np.load(arguments["own"]) if arguments["own"] else None
    run = DraftRun(model, windows, settings, cache_dir() / "runs" / arguments["run"], text_tokenizer(), 1, own, bfloat16, forwards)
    options = given(arguments) | {"bfloat16": bfloat16}
    run_record.write(run.folder, run_record.describe("drafts", settings, inputs, options))
    if arguments["resume"]:
        run.resume()
    if bfloat16:
        halve_base(model)
    run.train()
    processes.leave()
