"""python -m recipe continued-turns: how transformers leaves a last message open -> test/fixtures/continued-turns.json.

Chat templates of the kinds that models come with, and last messages of an assistant. For each pair: the text of
`apply_chat_template` with `continue_final_message`, or null where transformers refuses. For each template, the text of a chat with
`add_generation_prompt` false.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from recipe.paths import REPOSITORY_ROOT

OUT = REPOSITORY_ROOT / "test" / "fixtures" / "continued-turns.json"
BOS, EOS = "<s>", "</s>"

LOOP = "{% for m in messages %}"
ASK = "{% if add_generation_prompt %}"
TEMPLATES = {
    "chatml": LOOP
    + "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    + ASK
    + "<|im_start|>assistant\n{% endif %}",
    "trims": "{{ bos_token }}"
    + LOOP
    + "<|start|>{{ m['role'] }}<|end|>\n\n{{ m['content'] | trim }}<|eot|>{% endfor %}"
    + ASK
    + "<|start|>assistant<|end|>\n\n{% endif %}",
    "a space after the content": "{{ bos_token }}"
    + LOOP
    + "{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    + "{% else %} {{ m['content'] }} {{ eos_token }}{% endif %}{% endfor %}",
    "trims, with a space after it": LOOP
    + "{{ m['role'] }}: {{ m['content'] | trim }} {{ eos_token }}\n{% endfor %}"
    + ASK
    + "assistant:{% endif %}",
    "looks at the last turn": LOOP
    + "{{ m['role'] }}\n{{ m['content'] }}"
    + "{% if not loop.last or m['role'] != 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}"
    + ASK
    + "assistant\n{% endif %}",
    "leaves the assistant out": LOOP
    + "{% if m['role'] != 'assistant' %}{{ m['content'] }}\n{% endif %}{% endfor %}",
    "upper case": LOOP + "{{ m['role'] }}: {{ m['content'] | upper }}\n{% endfor %}",
}

CONTENTS = (
    "def add(a, b):\n    return",
    "Hello",
    "Hello ",
    " Hello",
    "Hello\n\n",
    "```python\n",
    "a\u00a0",
    "a\ufeff",
    "a\x1f",
    "",
    " \n",
    "a CONTINUE_FINAL_MESSAGE_TAG b",
    "a<|im_end|>b",
    "\u4f60\u597d, \U0001f642",
)

ASKED = {"role": "user", "content": "Go on"}


def rendered(tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]], **ending: bool) -> str | None:
    """None for what transformers refuses."""
    try:
        text: Any = tokenizer.apply_chat_template(messages, tokenize=False, **ending)
    except ValueError:
        return None
    return str(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    cases = []
    for name, template in TEMPLATES.items():
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE()), bos_token=BOS, eos_token=EOS, chat_template=template
        )
        turns = []
        for content in CONTENTS:
            messages = [ASKED, {"role": "assistant", "content": content}]
            continued = rendered(tokenizer, messages, continue_final_message=True)
            turns.append({"content": content, "continued": continued})
        closed = rendered(tokenizer, [ASKED, {"role": "assistant", "content": "Hello "}], add_generation_prompt=False)
        cases.append({"name": name, "template": template, "turns": turns, "closed": closed})
    out.write_text(json.dumps({"bos": BOS, "eos": EOS, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
