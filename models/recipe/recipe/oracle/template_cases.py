"""python -m recipe template-cases: what transformers renders from chat templates, for the tests of the engine's renderer.

The templates are written here, with the features of published families. Each is rendered over every conversation. The expressions
are one template each, over fixed variables. A case without a text is one that Jinja, or the template itself, refuses.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from recipe.oracle.template_texts import CONVERSATIONS, EXPRESSIONS, STATEMENTS, TEMPLATES, UNSUPPORTED, VARIABLES
from recipe.paths import REPOSITORY_ROOT

BOS, EOS = "<s>", "</s>"


def render(template: str, messages: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
    """{"text"}, or {"error"} with the words of the exception."""
    try:
        rendered, _ = render_jinja_template(
            conversations=[messages],
            tools=None,
            documents=None,
            chat_template=template,
            add_generation_prompt=True,
            bos_token=BOS,
            eos_token=EOS,
            **variables,
        )
    except Exception as error:  # Jinja, Python and the template raise what they like
        return {"error": f"{type(error).__name__}: {error}"}
    return {"text": rendered[0]}


def cases() -> dict[str, Any]:
    families = [
        {"name": name, "template": template, "conversation": conversation, "variables": variables}
        | render(template, CONVERSATIONS[conversation], variables)
        for name, (template, settings) in TEMPLATES.items()
        for conversation in CONVERSATIONS
        for variables in settings
    ]
    snippets = [
        {"template": template} | render(template, [], VARIABLES)
        for template in [*("{{ " + expression + " }}" for expression in EXPRESSIONS), *STATEMENTS]
    ]
    return {
        "bos": BOS,
        "eos": EOS,
        "conversations": CONVERSATIONS,
        "variables": VARIABLES,
        "families": families,
        "snippets": snippets,
        "unsupported": UNSUPPORTED,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY_ROOT / "test" / "fixtures")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = cases()
    (arguments.out / "templates.json").write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n")
    refused = sum("error" in case for case in [*made["families"], *made["snippets"]])
    print(f"{len(made['families'])} conversations, {len(made['snippets'])} snippets, {refused} of them refused")
