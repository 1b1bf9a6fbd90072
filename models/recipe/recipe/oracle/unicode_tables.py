"""python -m recipe unicode-tables: the character classes of the Rust tokenizers, as src/engine/tokenizer/unicode-tables.ts.

A JavaScript host brings a Unicode version of its own, and the Rust library has two: Oniguruma's for patterns and Rust's for the rules
that it writes out (digits, punctuation). So every class is asked of the library itself, one code point at a time.
Its normalization is of a third, older version: `inert` has what a host would normalize and the library does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

from recipe.paths import REPOSITORY_ROOT

OUT = REPOSITORY_ROOT / "src" / "engine" / "tokenizer" / "unicode-tables.ts"
CATEGORIES = (
    *("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"),
    *("Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"),
)
"""General categories of assigned code points. The rest is Cn, and Cs where surrogates stand."""

RUST_FORMS = {"NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKD": normalizers.NFKD()}

Ranges = list[tuple[int, int]]


def code_points() -> list[str]:
    return [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def ranges_of(members: list[str]) -> Ranges:
    ranges: Ranges = []
    for code in map(ord, members):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return ranges


def pattern_class(pattern: str) -> Ranges:
    """Code points that Oniguruma takes for one match of the pattern."""
    splitter = pre_tokenizers.Split(Regex(pattern), "removed")
    return ranges_of([char for char in code_points() if not splitter.pre_tokenize_str(char)])


def rule_class(rule: pre_tokenizers.PreTokenizer) -> Ranges:
    """Code points that a rule written in Rust separates from a letter."""
    return ranges_of([char for char in code_points() if len(rule.pre_tokenize_str("a" + char)) == 2])


def alone(char: str, normal: Callable[[str, str], str]) -> bool:
    """Whether normalization neither changes a character nor moves it among marks."""
    moved = ("a\u0345" + char, "a" + char + "\u0334", "a" + char + "\u0345")
    return normal("NFKD", char) == char and all(normal("NFD", text) == text for text in moved)


def rust_normal(form: str, text: str) -> str:
    return RUST_FORMS[form].normalize_str(text)


def composing(compose: Callable[[str], str]) -> set[str]:
    """Characters that join the one before them."""
    pairs = [unicodedata2.decomposition(char).split() for char in code_points()]
    canonical = [chr(int(pair[0], 16)) + chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"]
    return {text[1] for text in canonical if compose(text) != text}


def inert() -> Ranges:
    """Characters of later Unicode versions: the library's normalization leaves them alone, a host's may not."""
    joins = composing(lambda text: unicodedata2.normalize("NFC", text))
    joined = composing(lambda text: rust_normal("NFC", text))
    later = [char for char in code_points() if char in joins or not alone(char, unicodedata2.normalize)]
    return ranges_of([char for char in later if char not in joined and alone(char, rust_normal)])


def packed(ranges: Ranges) -> str:
    """Gap and length of each range in base 36; a single code point has no length."""
    words, last = [], 0
    for first, end in ranges:
        words.append(base36(first - last) + (f"-{base36(end - first)}" if end > first else ""))
        last = end
    return " ".join(words)


def base36(value: int) -> str:
    digits = ""
    while value or not digits:
        value, digit = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    tables = {name: pattern_class(rf"\p{{{name}}}") for name in CATEGORIES}
    rules = {
        "space": pattern_class(r"\s"),
        "numeric": rule_class(pre_tokenizers.Digits(individual_digits=True)),
        "punctuation": rule_class(pre_tokenizers.Punctuation("isolated")),
        "inert": inert(),
    }
    entries = [f"  {name}: '{packed(ranges)}'," for name, ranges in (tables | rules).items()]
    OUT.write_text(
        "\n".join(
            [
                "/**",
                " * Character classes of the Rust tokenizers: `python -m recipe unicode-tables` writes this file.",
                " * A class is a list of ranges, each as gap from the last one and length, in base 36.",
                " */",
                "export const UNICODE_TABLES = {",
                *entries,
                "} as const;",
                "",
            ]
        ),
        "utf8",
    )
    print(OUT)
