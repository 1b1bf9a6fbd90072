"""python -m recipe families: writes tiny random checkpoints in the file layout of each published family, with golden decodings.

Every forward is transformers' own Llama, Qwen2 or Qwen3 in float32 under an explicit 4-D mask, without a cache. Every sampler is
written here after the family's own code, so that it does not depend on the engine. The mask token's logit is -inf, as in the engine,
also where the family's code could choose it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from recipe.oracle.fixture import INIT_STD, MERGES, QUERY_KEY_STD
from recipe.paths import REPOSITORY_ROOT

VOCABULARY = 272
"""A few rows more than the tokenizer has, as in published checkpoints."""

EVERY = 4
"""Golden logits hold every fourth entry of the vocabulary."""

SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
}
QWEN = {"rms_norm_eps": 1e-6, "rope_theta": 1e6, "hidden_act": "silu", "use_sliding_window": False, "sliding_window": None}

Steps = list[tuple[list[int], list[int]]]
"""The decisions of each forward: completion offsets, ids."""

Sampler = Callable[..., Steps]


@dataclass
class Reference:
    """A model and how its family's code reads it."""

    model: Any
    mask_id: int
    shift: bool

    @torch.no_grad()
    def logits(self, ids: list[int], allowed: Tensor, positions: Tensor) -> Tensor:
        """[N, V] of ids [N] under a boolean mask [N, N], true where a row sees a column: row r as the model gives it."""
        mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
        out: Tensor = self.model(input_ids=torch.tensor([ids]), attention_mask=mask[None, None], position_ids=positions[None]).logits[0]
        return out

    def predictions(self, ids: list[int], allowed: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Greedy id, its probability and the entropy for every position [N], the mask token left out."""
        return self.read(self.logits(ids, allowed, positions))

    def read(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `predictions` says, of logits [N, V] as the model gives them."""
        if self.shift:
            logits = torch.cat([logits[:1], logits[:-1]])
        logits[:, self.mask_id] = float("-inf")
        probs = logits.softmax(-1)
        top = probs.max(-1)
        entropy = -torch.special.xlogy(probs, probs).sum(-1)
        return top.indices, top.values, entropy


def block_causal(length: int, block: int) -> Tensor:
    """[N, N]: a row sees its own block and those before it; blocks from position 0."""
    number = torch.arange(length) // block
    return number[:, None] >= number[None, :]


def rounded_quota(masks: int, steps: int) -> list[int]:
    """dllm's get_num_transfer_tokens under a linear schedule: halves to even, empty steps left out."""
    counts = []
    for i in range(steps):
        count = round(masks / (steps - i))
        masks -= count
        if count > 0:
            counts.append(count)
    return counts


def tiny_a2d_bd3lm(ref: Reference, prompt: list[int], new: int, stop: list[int], block: int = 4, steps: int | None = None) -> Steps:
    """dllm's bd3lm sampler: the prompt is padded on the left to whole blocks, so that the grid ends with it."""
    pad = -len(prompt) % block
    x = [0] * pad + prompt
    taken: Steps = []
    for start in range(0, new, block):
        begin = len(x)
        x += [ref.mask_id] * min(block, new - start)
        physical = torch.arange(len(x))
        number = torch.where(physical < pad, -1, physical // block)
        allowed = (number[:, None] >= number[None, :]) & (physical >= pad)[None, :]
        positions = (physical - pad).clamp(min=0)
        for count in rounded_quota(len(x) - begin, steps or block):
            ids, probs, _ = ref.predictions(x, allowed, positions)
            open_ = [i for i in range(begin, len(x)) if x[i] == ref.mask_id]
            chosen = sorted(sorted(open_, key=lambda i: (-float(probs[i]), i))[:count])
            for i in chosen:
                x[i] = int(ids[i])
            taken.append(([i - pad - len(prompt) for i in chosen], [x[i] for i in chosen]))
        if any(token in stop for token in x[begin:]):
            break
    return taken


def blocks_from_zero(
    ref: Reference, prompt: list[int], new: int, stop: list[int], block: int, choose: Callable[[list[float]], list[int]]
) -> Steps:
    """The loop of SDAR and Stable-DiffCoder: the prompt's tail is in the first block; EOS is looked for after a block."""
    total = len(prompt) + new
    x = prompt + [ref.mask_id] * new
    taken: Steps = []
    for begin in range(len(prompt) // block * block, total, block):
        end = min(begin + block, total)
        while ref.mask_id in x[begin:end]:
            ids, probs, _ = ref.predictions(x[:end], block_causal(end, block), torch.arange(end))
            open_ = [i for i in range(begin, end) if x[i] == ref.mask_id]
            chosen = [open_[row] for row in choose([float(probs[i]) for i in open_])]
            for i in chosen:
                x[i] = int(ids[i])
            taken.append(([i - len(prompt) for i in chosen], [x[i] for i in chosen]))
        if any(token in stop for token in x[len(prompt) : end]):
            break
    return taken


def sdar(ref: Reference, prompt: list[int], new: int, stop: list[int], block: int = 4, threshold: float = 0.85) -> Steps:
    """low_confidence_dynamic with as many steps as positions, so a quota of one."""

    def choose(probs: list[float]) -> list[int]:
        sure = [row for row, prob in enumerate(probs) if prob > threshold]
        return sure or [max(range(len(probs)), key=lambda row: probs[row])]

    return blocks_from_zero(ref, prompt, new, stop, block, choose)


def stable_diffcoder(ref: Reference, prompt: list[int], new: int, stop: list[int], block: int = 4, threshold: float = 0.95) -> Steps:
    """Threshold mode: the most probable stays, others only at the threshold or above."""

    def choose(probs: list[float]) -> list[int]:
        best = max(range(len(probs)), key=lambda row: probs[row])
        return [row for row, prob in enumerate(probs) if row == best or prob >= threshold]

    return blocks_from_zero(ref, prompt, new, stop, block, choose)


def fast_dllm_v2(
    ref: Reference, prompt: list[int], new: int, stop: list[int], block: int = 8, sub: int = 4, threshold: float = 0.9
) -> Steps:
    """Sub-blocks left to right, the first token of a block from the commit of the one before.

    Its own code ignores a prompt of exactly one block (`>` where `>=` is meant); here it is prefilled like any other.
    """
    start = len(prompt)
    x = list(prompt)
    taken: Steps = []

    def next_token() -> None:
        logits = ref.logits(x, block_causal(len(x), block), torch.arange(len(x)))[-1]
        logits[ref.mask_id] = float("-inf")
        x.append(int(logits.argmax()))
        taken.append(([len(x) - 1 - start], [x[-1]]))

    def stopped() -> bool:
        for token in x[start:]:
            if token == ref.mask_id:
                return False
            if token in stop:
                return True
        return False

    if len(x) >= block and len(x) % block == 0:
        next_token()
    while len(x) < start + new and not stopped():
        begin = len(x) // block * block
        x += [ref.mask_id] * (block - len(x) % block)
        for first in range(begin, begin + block, sub):
            while ref.mask_id in x[first : first + sub] and not stopped():
                ids, probs, _ = ref.predictions(x, block_causal(len(x), block), torch.arange(len(x)))
                open_ = [i for i in range(first, first + sub) if x[i] == ref.mask_id]
                best = max(open_, key=lambda i: float(probs[i]))
                chosen = [i for i in open_ if float(probs[i]) > threshold or i == best]
                for i in chosen:
                    x[i] = int(ids[i])
                taken.append(([i - start for i in chosen], [x[i] for i in chosen]))
        if len(x) < start + new and not stopped():
            next_token()
    return taken


@dataclass(frozen=True)
class Reuse:
    """Fast-dLLM's approximate cache: the rows that are not run again between two exact forwards."""

    dual: bool = False
    """What follows the block neither, not only what stands before it."""
    refresh: int | None = None
    """Every so many forwards of a block is exact; none: only its first."""


class StaleForwards:
    """Forwards of a canvas that read the K and V of an earlier one, on transformers' own cache."""

    def __init__(self, ref: Reference, reuse: Reuse) -> None:
        self.ref = ref
        self.reuse = reuse
        self.layers: list[tuple[Tensor, Tensor]] = []
        self.age = 0

    @torch.no_grad()
    def predictions(self, x: list[int], begin: int, end: int, first: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Of every position of the canvas; those outside the block are zero where they were not run."""
        if first or self.age == self.reuse.refresh:
            self.age = 1
            cache = DynamicCache()
            logits = self.forward(x, 0, len(x), cache)
            self.layers = [(layer.keys, layer.values) for layer in cache.layers]
            return self.ref.read(logits)
        self.age += 1
        # The token before the block predicts its first position where logits are shifted.
        begin -= int(self.ref.shift)
        end = end if self.reuse.dual else len(x)
        cache = DynamicCache()
        for index, (keys, values) in enumerate(self.layers):
            # Keys are stored with their positions' rotation, so attention does not mind the gap.
            kept = [torch.cat([part[:, :, :begin], part[:, :, end:]], dim=2) for part in (keys, values)]
            cache.update(*kept, index)
        logits = torch.zeros(len(x), VOCABULARY)
        logits[begin:end] = self.forward(x, begin, end, cache)
        return self.ref.read(logits)

    def forward(self, x: list[int], begin: int, end: int, cache: DynamicCache) -> Tensor:
        """[end - begin, V]: rows that see themselves and all of the cache."""
        positions = torch.arange(begin, end)[None]
        seen = torch.zeros(1, 1, end - begin, end - begin + cache.get_seq_length())
        ids = torch.tensor([x[begin:end]])
        out: Tensor = self.ref.model(ids, attention_mask=seen, position_ids=positions, past_key_values=cache, use_cache=True).logits[0]
        return out


def whole_canvas(
    ref: Reference,
    prompt: list[int],
    new: int,
    block: int,
    quota: Callable[[int], list[int]],
    by_entropy: bool,
    reuse: Reuse | None = None,
) -> Steps:
    """Prompt and completion in every forward; blocks only say which positions may be decided."""
    stale = StaleForwards(ref, reuse) if reuse else None
    total = len(prompt) + new
    x = prompt + [ref.mask_id] * new
    everything = torch.ones(total, total, dtype=torch.bool)
    taken: Steps = []
    for begin in range(len(prompt), total, block):
        end = min(begin + block, total)
        for step, count in enumerate(quota(end - begin)):
            if stale:
                ids, probs, entropy = stale.predictions(x, begin, end, step == 0)
            else:
                ids, probs, entropy = ref.predictions(x, everything, torch.arange(total))
            order = entropy if by_entropy else -probs
            open_ = [i for i in range(begin, end) if x[i] == ref.mask_id]
            chosen = sorted(sorted(open_, key=lambda i: (float(order[i]), i))[:count])
            for i in chosen:
                x[i] = int(ids[i])
            taken.append(([i - len(prompt) for i in chosen], [x[i] for i in chosen]))
    return taken


def tiny_a2d_mdlm(
    ref: Reference, prompt: list[int], new: int, stop: list[int], block: int = 4, steps: int | None = None, reuse: Reuse | None = None
) -> Steps:
    """dllm's mdlm sampler: no stop, text is cut afterwards."""
    return whole_canvas(ref, prompt, new, block, lambda masks: rounded_quota(masks, steps or block), False, reuse)


def dream(
    ref: Reference,
    prompt: list[int],
    new: int,
    stop: list[int],
    steps: int | None = None,
    block: int | None = None,
    reuse: Reuse | None = None,
) -> Steps:
    """Dream's `entropy` at temperature 0: steps that decide nothing are left out, as they change nothing."""

    def quota(masks: int) -> list[int]:
        total = steps or masks
        times = torch.linspace(1, 1e-3, total + 1)
        counts = []
        for i in range(total):
            count = int(masks * (1 - times[i + 1] / times[i])) if i < total - 1 else masks
            masks -= count
            if count > 0:
                counts.append(count)
        return counts

    return whole_canvas(ref, prompt, new, block or new, quota, True, reuse)


@dataclass(frozen=True)
class Family:
    """What its files look like, and its sampler."""

    architecture: str
    model_type: str
    core: str
    mask_token: str
    sampler: Sampler
    shift: bool
    block: int
    """Of the fixture; for whole canvases of the decided part, 0 for none."""
    context: str
    config: dict[str, Any] = field(default_factory=dict)
    head: str = "tied"
    """tied: no lm_head in the file; repeated: the embedding once more; own: a matrix of its own."""
    specials_first: bool = False
    flags: dict[str, Any] = field(default_factory=dict)
    """ConvertOptions: the settings that the converter needs."""
    looser: tuple[dict[str, Any], dict[str, Any]] | None = None
    """A second decoding with several positions a step: arguments of the sampler, of the engine's request."""


FAMILIES: dict[str, Family] = {
    "tiny-a2d-bd3lm": Family(
        "A2DQwen2LMHeadModel", "a2d-qwen2", "qwen2", "<|mask|>", tiny_a2d_bd3lm, False, 4, "prompt_end",
        {"tie_word_embeddings": True}, "repeated", flags={"semantics": {"blockLength": 4}},
        looser=({"steps": 2}, {"policy": "fixed", "schedule": "round", "steps": 2}),
    ),
    "tiny-a2d-qwen3-bd3lm": Family(
        "A2DQwen3LMHeadModel", "a2d-qwen3", "qwen3", "<|mask|>", tiny_a2d_bd3lm, False, 4, "prompt_end",
        {"head_dim": 32, "attention_bias": False}, "tied", flags={"semantics": {"blockLength": 4}},
        looser=({"steps": 3}, {"policy": "fixed", "schedule": "round", "steps": 3}),
    ),
    "sdar": Family(
        "SDARForCausalLM", "sdar", "qwen3", "<MASK>", sdar, False, 4, "zero",
        {"head_dim": 32, "attention_bias": False, "block_size": 4, "tie_word_embeddings": False}, "own",
        looser=({"threshold": 0.3}, {"policy": "confidence", "threshold": 0.3}),
    ),
    "stable-diffcoder": Family(
        "StableDiffcoderForCausalLM", "llama", "llama", "<[MASK_TOKEN]>", stable_diffcoder, False, 4, "zero",
        {"rope_theta": 5e5, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False}, "own", True,
        looser=({"threshold": 0.3}, {"policy": "confidence", "threshold": 0.3, "inclusive": True}),
    ),
    "fast-dllm-v2": Family(
        "Fast_dLLM_QwenForCausalLM", "Fast_dLLM_Qwen", "qwen2", "|<MASK>|", fast_dllm_v2, True, 8, "zero",
        {"bd_size": 8, "tie_word_embeddings": True}, "tied", flags={"semantics": {"subBlockLength": 4}},
        looser=({"threshold": 0.3}, {"policy": "confidence", "threshold": 0.3}),
    ),
    "tiny-a2d-mdlm": Family(
        "A2DQwen2LMHeadModel", "a2d-qwen2", "qwen2", "<|mask|>", tiny_a2d_mdlm, False, 4, "full",
        {"tie_word_embeddings": True}, "repeated", flags={"semantics": {"blockLength": 4}},
        looser=({"steps": 2}, {"policy": "fixed", "schedule": "round", "steps": 2}),
    ),
    "open-dcoder": Family(
        "Qwen2ForCausalLM", "qwen2", "qwen2", "<M>", dream, True, 0, "full", {"tie_word_embeddings": True}, "tied",
        flags={"family": "open-dcoder"},
        looser=({"steps": 5}, {"policy": "fixed", "schedule": "floor", "ranking": "entropy", "steps": 5}),
    ),
    "dream": Family(
        "DreamModel", "Dream", "qwen2", "<|mask|>", dream, True, 0, "full", {"tie_word_embeddings": False}, "own",
        looser=({"steps": 5}, {"policy": "fixed", "schedule": "floor", "ranking": "entropy", "steps": 5}),
    ),
}  # fmt: skip

CORES: dict[str, tuple[type[Any], type[Any], dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"rms_norm_eps": 1e-6, "hidden_act": "silu", "head_dim": 16}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, QWEN),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, QWEN),
}


def specials(family: Family) -> dict[str, int]:
    """Special tokens and their ids."""
    if family.specials_first:
        return {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<sep>": 4, family.mask_token: 5}
    return {"<|endoftext|>": 256, "<|im_start|>": 257, "<|im_end|>": 258, family.mask_token: 259}


def tokenizer_of(family: Family) -> Tokenizer:
    """Byte-level BPE with the family's special tokens, before or after the bytes."""
    own = specials(family)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*own, *alphabet] if family.specials_first else [*alphabet, *own]
    tokens += [left + right for left, right in MERGES]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=list(MERGES)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in own])
    return tokenizer


def start_id(family: Family) -> int:
    """The id that the engine commits before an empty prompt."""
    return 0 if family.specials_first else 256


def random_model(family: Family, seed: int) -> Any:
    """A transformers model whose weights are exact in bfloat16."""
    config_type, model_type, extra = CORES[family.core]
    shape = SHAPE | extra | family.config | {"tie_word_embeddings": family.head != "own"}
    shape = {key: value for key, value in shape.items() if key not in ("block_size", "bd_size")}
    config = config_type(**shape)
    config._attn_implementation = "eager"
    model = model_type(config).float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name == "model.norm.weight":
                value = 1.25 * (1 + 0.1 * noise)  # logits far enough apart for thresholds to bite
            elif "norm" in name:
                value = 1 + 0.1 * noise
            elif "embed" in name or "lm_head" in name:
                value = 0.35 * noise
            elif "q_proj.weight" in name or "k_proj.weight" in name:
                value = QUERY_KEY_STD * noise
            else:
                value = INIT_STD * noise
            parameter.copy_(value.bfloat16().float())
    return model


def write_files(family: Family, model: Any, folder: Path) -> None:
    """config.json, model.safetensors and the tokenizer files, each fact where the family has it."""
    own = specials(family)
    mask = own[family.mask_token]
    eos = 2 if family.specials_first else 258
    config: dict[str, Any] = {"architectures": [family.architecture], "model_type": family.model_type, "torch_dtype": "bfloat16"}
    config |= SHAPE | CORES[family.core][2] | family.config | {"eos_token_id": eos if family.specials_first else 256}
    if family.architecture == "DreamModel":
        config["mask_token_id"] = mask
    if family.specials_first:
        config |= {"bos_token_id": 0, "pad_token_id": 1}
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"eos_token_id": eos})
    state = {name: tensor.bfloat16().contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    if family.head != "tied":
        state["lm_head.weight"] = model.lm_head.weight.detach().bfloat16().clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer_of(family).save(str(folder / "tokenizer.json"), pretty=False)
    eos_token = "</s>" if family.specials_first else "<|im_end|>"
    named: dict[str, Any] = {"eos_token": eos_token}
    if family.architecture == "SDARForCausalLM":
        # Published files disagree in spelling; special_tokens_map names none.
        write_json(folder / "added_tokens.json", {family.mask_token: mask})
        write_json(folder / "special_tokens_map.json", {"additional_special_tokens": [family.mask_token], "eos_token": eos_token})
        named["mask_token"] = "<|MASK|>"
    elif family.architecture in ("Fast_dLLM_QwenForCausalLM", "Qwen2ForCausalLM"):
        write_json(folder / "added_tokens.json", {family.mask_token: mask})
    elif family.architecture != "DreamModel":
        named |= {"mask_token": family.mask_token, "added_tokens_decoder": {str(mask): {"content": family.mask_token}}}
    write_json(folder / "tokenizer_config.json", named)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def cut(steps: Steps, new: int, stop: list[int]) -> list[int]:
    """The completion: ids before the first stop id."""
    ids = {offset: token for offsets, tokens in steps for offset, token in zip(offsets, tokens, strict=True)}
    text: list[int] = []
    for offset in range(new):
        if offset not in ids or ids[offset] in stop:
            break
        text.append(ids[offset])
    return text


def logit_case(family: Family, ref: Reference, prompt: list[int], generator: torch.Generator) -> dict[str, Any]:
    """A prompt and a block with every other position hidden, under the family's mask."""
    block = family.block or 6
    active = block if family.context != "zero" else block - len(prompt) % block
    filler = torch.randint(6, 250, (active,), generator=generator).tolist()
    ids = prompt + [ref.mask_id if i % 2 else token for i, token in enumerate(filler)]
    if family.context == "full":
        allowed = torch.ones(len(ids), len(ids), dtype=torch.bool)
    else:
        pad = -len(prompt) % block if family.context == "prompt_end" else 0
        allowed = block_causal(len(ids) + pad, block)[pad:, pad:]
    rows = ref.logits(ids, allowed, torch.arange(len(ids)))[:, ::EVERY]
    return {"ids": ids, "prompt": len(prompt), "logits": [[round(value, 4) for value in row] for row in rows.tolist()]}


def golden(name: str, family: Family, model: Any, seed: int) -> dict[str, Any]:
    """Logits and decodings for prompts of 0 to 2B+1 tokens."""
    ref = Reference(model, specials(family)[family.mask_token], family.shift)
    generator = torch.Generator().manual_seed(seed + 1)
    block = family.block or 6
    arguments = {"block": family.block} if family.block else {}
    logits, decodings = [], []
    for length in range(2 * block + 2):
        prompt = torch.randint(6, 250, (length,), generator=generator).tolist()
        seen = prompt or [start_id(family)]
        # To the end of a block where their own code knows no other.
        new = 2 * block - len(seen) % block if family.context == "zero" else 2 * block + 1
        if length % 2:
            logits.append(logit_case(family, ref, seen, generator))

        def decode(stop: list[int], extra: dict[str, Any]) -> Steps:
            return family.sampler(ref, seen, new, stop, **arguments, **extra)  # noqa: B023

        steps = plain = decode([], {})
        decodings.append({"prompt": prompt, "maxTokens": new, "stop": None, "decoding": {}, "steps": steps, "ids": cut(steps, new, [])})
        if family.looser is not None and length in (1, block, block + 2):
            steps = decode([], family.looser[0])
            case = {"prompt": prompt, "maxTokens": new, "stop": None, "decoding": family.looser[1], "steps": steps}
            decodings.append(case | {"ids": cut(steps, new, [])})
        if length in (2, block, block + 1):
            # An id that comes up inside the second block, and what the family does once it has.
            stop = [cut(plain, new, [])[block // 2 + 1]]
            steps = decode(stop, {})
            case = {"prompt": prompt, "maxTokens": new, "stop": stop, "decoding": {}, "steps": steps}
            decodings.append(case | {"ids": cut(steps, new, stop)})
    if family.context == "full":
        decodings += [case for length in (0, block, 2 * block + 1) for case in stale_cases(family, ref, decodings, length)]
    return {"flags": family.flags, "every": EVERY, "logits": logits, "decodings": decodings}


STALE: dict[str, Reuse] = {"prefix": Reuse(), "dual": Reuse(dual=True), "prefix, every third exact": Reuse(refresh=3)}


def stale_cases(family: Family, ref: Reference, decodings: list[dict[str, Any]], length: int) -> list[dict[str, Any]]:
    """The first decoding of a prompt of this length again, in blocks and with each approximate cache."""
    plain = next(case for case in decodings if len(case["prompt"]) == length)
    prompt, new, block = plain["prompt"], plain["maxTokens"], family.block or 5
    cases = []
    for reuse in STALE.values():
        cache = {"kind": "dual" if reuse.dual else "prefix"} | ({"refresh": reuse.refresh} if reuse.refresh else {})
        steps = family.sampler(ref, prompt or [start_id(family)], new, [], block=block, reuse=reuse)
        decoding = {"block_length": block, "approximate_cache": cache}
        case = {"prompt": prompt, "maxTokens": new, "stop": None, "decoding": decoding, "steps": steps, "ids": cut(steps, new, [])}
        cases.append(case)
    return cases


def write_family(name: str, folder: Path, seed: int = 0) -> None:
    """The checkpoint's files and golden.json."""
    folder.mkdir(parents=True, exist_ok=True)
    family = FAMILIES[name]
    model = random_model(family, seed)
    write_files(family, model, folder)
    (folder / "golden.json").write_text(json.dumps(golden(name, family, model, seed), separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY_ROOT / "test" / "fixtures" / "families")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in FAMILIES:
        write_family(name, arguments.out / name)
        size = sum(file.stat().st_size for file in (arguments.out / name).iterdir())
        print(f"{name}: {size // 1000} kB")
