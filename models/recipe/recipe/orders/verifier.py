"""The verifier of rollouts: whether the text parses, and whether the causal head would have written the same."""

from __future__ import annotations

import ast
import codeop
from collections.abc import Callable
from functools import cache

import numpy as np
from tokenizers import Tokenizer

from recipe.data.tokenizer import END_OF_TEXT
from recipe.orders.own import loops

LANGUAGES = ("python", "javascript")
"""JavaScript includes TypeScript: the parser of the one reads nearly all of the other."""
UNFINISHED_LINES = 2
"""A text that is cut anywhere may end in up to this many lines of an unfinished statement."""
PARSE_SHARE = 0.5
"""Share of parsing in the score; the rest is agreement."""
CLOSERS = {"{": "}", "(": ")", "[": "]", "${": "}"}

Verifier = Callable[[list[int], list[int], list[int]], float]
"""(prompt ids, continuation ids [C], the causal head's choice at each place [C]) -> score in 0..1."""


def endings(text: str) -> list[str]:
    """The text, and the text without its last lines."""
    lines = text.splitlines(keepends=True)
    return [text, *("".join(lines[: len(lines) - cut]) for cut in range(1, min(UNFINISHED_LINES, len(lines) - 1) + 1))]


def begins_python(text: str) -> bool:
    """Whether some Python program begins with exactly this text: it parses, or fails only because it is incomplete."""
    unfinished = codeop.PyCF_ALLOW_INCOMPLETE_INPUT | codeop.PyCF_DONT_IMPLY_DEDENT  # type: ignore[attr-defined]
    flags = ast.PyCF_ONLY_AST | unfinished
    try:
        compile(text, "<rollout>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        return "incomplete input" in str(error)
    except (ValueError, OverflowError, MemoryError, RecursionError):
        return False  # null bytes, too long numbers, too deep nesting
    return True


@cache
def javascript_parsers() -> tuple[object, object]:
    """Parsers of TypeScript and of JavaScript with JSX."""
    import tree_sitter
    import tree_sitter_javascript
    import tree_sitter_typescript

    languages = (tree_sitter_typescript.language_typescript(), tree_sitter_javascript.language())
    one, two = (tree_sitter.Parser(tree_sitter.Language(language)) for language in languages)
    return one, two


def open_brackets(root: object) -> list[str]:
    """Unclosed brackets of a syntax tree, outermost first. Brackets in strings and comments do not count."""
    stack: list[str] = []
    nodes = [root]
    while nodes:
        node = nodes.pop()
        children = node.children  # type: ignore[attr-defined]
        nodes.extend(reversed(children))
        kind = node.type  # type: ignore[attr-defined]
        if children or node.is_missing:  # type: ignore[attr-defined]
            continue
        if kind in CLOSERS:
            stack.append(kind)
        elif stack and kind == CLOSERS[stack[-1]]:
            stack.pop()
    return stack


def begins_javascript(text: str) -> bool:
    """Whether the text is a TypeScript or JavaScript program without an error once its comment and brackets are closed."""
    if text.rfind("/*") > text.rfind("*/"):
        text += "*/"
    for parser in javascript_parsers():
        tree = parser.parse(text.encode())  # type: ignore[attr-defined]
        closers = "".join(CLOSERS[bracket] for bracket in reversed(open_brackets(tree.root_node)))
        if closers:
            tree = parser.parse((text + closers).encode())  # type: ignore[attr-defined]
        if not tree.root_node.has_error:
            return True
    return False


def parses(text: str, language: str) -> bool:
    """Whether the beginning of a program has no error up to its cut."""
    assert language in LANGUAGES, language
    sound = begins_python if language == "python" else begins_javascript
    return any(sound(ending) for ending in endings(text))


def agreement(ids: list[int], causal: list[int]) -> float:
    """Share of the ids, up to the end of the text, that the causal head would have written after the ids before them."""
    end = ids.index(END_OF_TEXT) + 1 if END_OF_TEXT in ids else len(ids)
    return float(np.mean([one == other for one, other in zip(ids[:end], causal[:end], strict=True)]))


def code_verifier(tokenizer: Tokenizer, language: str) -> Verifier:
    """Parsing and agreement, half each. A continuation with a loop scores 0, because both would score it high."""

    def score(prompt: list[int], ids: list[int], causal: list[int]) -> float:
        end = ids.index(END_OF_TEXT) if END_OF_TEXT in ids else len(ids)
        if loops(ids[:end]):
            return 0.0
        text = tokenizer.decode([*prompt, *ids[:end]], skip_special_tokens=False).rstrip("\ufffd")
        return PARSE_SHARE * parses(text, language) + (1 - PARSE_SHARE) * agreement(ids, causal)

    return score


def agreement_alone(prompt: list[int], ids: list[int], causal: list[int]) -> float:
    """The verifier of text that is not code: agreement without parsing."""
    return agreement(ids, causal)
