"""The base model's tokenizer, rebuilt from the GGUF with the digits pre-tokenizer and Seedling's special tokens."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from recipe.model.gguf_weights import base_gguf, gguf_reader
from recipe.model.llama import LlamaConfig
from recipe.paths import REPOSITORY_ROOT, cache_dir

END_OF_TEXT = 0
IM_END = 2
MASK_ID = 16
EOS_IDS = (END_OF_TEXT, IM_END)
FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, FIM_END = 8, 9, 10, 11
RENAMED = {
    FIM_PREFIX: "<|fim_prefix|>",
    FIM_SUFFIX: "<|fim_suffix|>",
    FIM_MIDDLE: "<|fim_middle|>",
    FIM_END: "<|fim_end|>",
    MASK_ID: "<|mask|>",
}
"""Special tokens with a new meaning; the base model never uses them on code."""

SHIPPED = REPOSITORY_ROOT / "models" / "seedling-135m"
"""The shipped model has the base's tokenizer and chat template."""

CONTROL_TOKEN = 3
"""GGUF token_type of a special token."""


def build_tokenizer(path: Path | None = None) -> Tokenizer:
    """Byte-level BPE with digits split one by one, as in the original model."""
    reader = gguf_reader(path or base_gguf())
    tokens: list[str] = reader.get_field("tokenizer.ggml.tokens").contents()
    kinds: list[int] = reader.get_field("tokenizer.ggml.token_type").contents()
    merges: list[str] = reader.get_field("tokenizer.ggml.merges").contents()
    tokens = [RENAMED.get(index, token) for index, token in enumerate(tokens)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        AddedToken(token, special=True, normalized=False) for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL_TOKEN
    ]
    tokenizer.add_special_tokens(special)
    return tokenizer


def load_tokenizer() -> Tokenizer:
    """The base's tokenizer from a file in the cache. The file is made at the first call."""
    path = cache_dir() / "base" / "tokenizer.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        (shipped_tokenizer() or build_tokenizer()).save(str(path))
    return Tokenizer.from_file(str(path))


def shipped_tokenizer() -> Tokenizer | None:
    """The tokenizer of the shipped model, if it is there and has the base's vocabulary: it saves a download of 98 MB."""
    path = SHIPPED / "tokenizer.json"
    if not path.exists():
        return None
    tokenizer = Tokenizer.from_file(str(path))
    return tokenizer if tokenizer.get_vocab_size() == LlamaConfig().vocab_size else None


def text_tokenizer() -> Tokenizer:
    """load_tokenizer for plain text: a special token spelled out in a source file stays ordinary characters."""
    tokenizer = load_tokenizer()
    tokenizer.encode_special_tokens = True
    return tokenizer


def build_chat_template() -> str:
    """The Jinja chat template in the GGUF."""
    entry = gguf_reader(base_gguf()).get_field("tokenizer.chat_template")
    assert entry is not None
    return str(entry.contents())


def chat_template() -> str:
    """The base's Jinja chat template from a file in the cache. The file is made at the first call, like the tokenizer's."""
    path = cache_dir() / "base" / "chat_template.jinja"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        config = SHIPPED / "config.json"
        shipped = json.loads(config.read_text())["chatTemplate"]["template"] if shipped_tokenizer() else None
        path.write_text(shipped or build_chat_template())
    return path.read_text()


def tokenizer_config() -> dict[str, object]:
    """Contents of tokenizer_config.json for an exported model."""
    tokenizer = json.loads(load_tokenizer().to_str())
    added = {
        str(entry["id"]): {key: entry[key] for key in ("content", "special", "normalized", "lstrip", "rstrip", "single_word")}
        for entry in tokenizer["added_tokens"]
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": added,
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "mask_token": RENAMED[MASK_ID],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
    }
