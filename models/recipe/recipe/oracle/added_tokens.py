"""python -m recipe added-tokens: where transformers finds added tokens and first tokens -> test/fixtures/added-tokens.json.

A byte-level BPE without merges, with the files that may stand beside its tokenizer.json. For each set of files: the added tokens
that transformers ends up with, and the ids of a few texts as raw prompts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from recipe.paths import REPOSITORY_ROOT

OUT = REPOSITORY_ROOT / "test" / "fixtures" / "added-tokens.json"
END, TURN, MORE = "<|end|>", "<|turn_end|>", "<more>"
TEXTS = (f"x{TURN}y", f"x {TURN} y", f"{MORE}{TURN}{END}", "ab", "")
VOCABULARY = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}

Json = dict[str, Any]


def token(content: str, **flags: bool) -> Json:
    return {
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
        **flags,
    }


def first(*names: str) -> Json:
    """A post-processor that puts tokens before a text."""
    special = [{"SpecialToken": {"id": name, "type_id": 0}} for name in names]
    a, b = ({"Sequence": {"id": part, "type_id": 0}} for part in "AB")
    ids = {END: 256, MORE: 257}
    return {
        "type": "TemplateProcessing",
        "single": [*special, a],
        "pair": [a, b],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in names},
    }


def tokenizer(added: list[Json], words: list[str] | None = None, post: Json | None = None) -> Json:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocabulary = {**VOCABULARY, **{word: 256 + i for i, word in enumerate(words or [])}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 256 + i, **entry} for i, entry in enumerate(added)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": post,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def cases() -> dict[str, dict[str, Json]]:
    """Files by the name of a case."""
    end = [token(END)]
    base = tokenizer(end)
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END}

    def decoder(*entries: Json, start: int = 257, **more: Any) -> dict[str, Json]:
        table = {"256": token(END), **{str(start + i): entry for i, entry in enumerate(entries)}}
        return {"tokenizer.json": base, "tokenizer_config.json": {**named, "added_tokens_decoder": table, **more}}

    def config(json: Json = base, **more: Any) -> dict[str, Json]:
        return {"tokenizer.json": json, "tokenizer_config.json": {**named, **more}}

    bos: dict[str, Any] = {"bos_token": END}
    known = tokenizer([token(END), token(TURN)])
    return {
        "nothing": config(),
        "decoder": decoder(token(TURN)),
        "decoder, two": decoder(token(MORE), token(TURN)),
        "decoder, stripping": decoder(token(TURN, lstrip=True, rstrip=True)),
        "decoder, stripping left": decoder(token(TURN, lstrip=True)),
        "decoder, no special": decoder(token(TURN, special=False)),
        "decoder, normalized": decoder(token(TURN, special=False, normalized=True)),
        "decoder, named": decoder(token(TURN, special=False), bos_token=TURN),
        "decoder, content alone": decoder({"content": TURN}),
        "decoder, of a word": {
            **decoder(token(TURN)),
            "tokenizer.json": tokenizer(end, [END, TURN]),
        },
        "decoder, other flags": {**decoder(token(TURN, lstrip=True)), "tokenizer.json": known},
        "decoder, same": {**decoder(token(TURN)), "tokenizer.json": known},
        "decoder and list": {**decoder(token(TURN)), "added_tokens.json": {MORE: 258}},
        "decoder and map": {**decoder(token(TURN)), "special_tokens_map.json": {"bos_token": MORE}},
        "list": {**config(), "added_tokens.json": {TURN: 257}},
        "list, two": {**config(), "added_tokens.json": {TURN: 258, MORE: 257}},
        "list, named": {**config(bos_token=TURN), "added_tokens.json": {MORE: 258, TURN: 257}},
        "list, further": {**config(additional_special_tokens=[TURN]), "added_tokens.json": {TURN: 257}},
        "list and map": {**config(), "added_tokens.json": {TURN: 257}, "special_tokens_map.json": {"bos_token": TURN}},
        "named": config(bos_token=TURN),
        "named, with flags": config(bos_token={**token(TURN, lstrip=True), "__type": "AddedToken"}),
        "named, a word": config(tokenizer(end, [END, MORE, TURN]), bos_token=TURN),
        "named by the map": {**config(), "special_tokens_map.json": {"pad_token": TURN}},
        "further": config(additional_special_tokens=[TURN, MORE]),
        "further, and named": config(extra_special_tokens=[TURN], pad_token=MORE),
        "further, words": config(tokenizer(end, [END, MORE, TURN]), additional_special_tokens=[TURN]),
        "first token": config(tokenizer(end, post=first(END)), **bos),
        "first tokens": config(tokenizer([token(END), token(MORE)], post=first(END, MORE)), **bos),
        "first token, none": config(tokenizer(end, post=first()), **bos),
        "first token, asked": config(**bos, add_bos_token=True),
        "first token, asked of a template": config(tokenizer(end, post=first(END)), **bos, add_bos_token=True),
        "first token, declined": config(tokenizer(end, post=first(END)), **bos, add_bos_token=False),
        "first token and decoder": {**decoder(token(TURN)), "tokenizer.json": tokenizer(end, post=first(END))},
    }


def expected(files: dict[str, Json]) -> Json:
    with tempfile.TemporaryDirectory() as name:
        for file, content in {"config.json": {"model_type": "llama"}, **files}.items():
            (Path(name) / file).write_text(json.dumps(content))
        loaded = AutoTokenizer.from_pretrained(name)
    if not isinstance(loaded, PreTrainedTokenizerFast):
        raise TypeError(f"{type(loaded)} is not of the Rust library")
    added = json.loads(loaded.backend_tokenizer.to_str())["added_tokens"]
    return {"added": added, "ids": {text: loaded(text)["input_ids"] for text in TEXTS}}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    table = {name: {"files": files, **expected(files)} for name, files in cases().items()}
    OUT.write_text(json.dumps({"vocabulary": VOCABULARY, "cases": strip(table)}, ensure_ascii=False) + "\n")
    print(f"{OUT}: {len(table)} cases")


def strip(table: dict[str, Json]) -> dict[str, Json]:
    """The vocabulary is the same everywhere but for its last words: only those are written."""
    for case in table.values():
        model = case["files"]["tokenizer.json"]["model"]
        model["vocab"] = {word: i for word, i in model["vocab"].items() if i >= len(VOCABULARY)}
    return table
