"""Templates, conversations and expressions of `template-cases`."""

# ruff: noqa: E501

from __future__ import annotations

from typing import Any

Message = dict[str, Any]

CODE = "def f(x):\n    if x:\n        return 1\n\treturn 2\n"

CONVERSATIONS: dict[str, list[Message]] = {
    "user": [{"role": "user", "content": "Hello"}],
    "system": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi  "}],
    "turns": [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three"},
    ],
    "code": [
        {"role": "user", "content": CODE},
        {"role": "assistant", "content": "<think>\nwhy\n</think>\n\n    indented = True\n"},
        {"role": "user", "content": "    again\n"},
    ],
    "empty": [{"role": "system", "content": ""}, {"role": "user", "content": ""}],
    "none": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}, {"role": "user", "content": "b"}],
    "lines": [{"role": "user", "content": "a\r\nb\rc\u2028d\x85e\x1cf"}, {"role": "assistant", "content": "\ufeff \t x"}],
    "unicode": [{"role": "system", "content": "déjà 漢字"}, {"role": "user", "content": "😀 <b>&amp;\"' ß İ"}],
    "tool": [
        {"role": "user", "content": "sum"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": [1.5, None, True], "é": "<x>"}}}],
        },
        {"role": "tool", "name": "add", "content": "3"},
    ],
    "wrong order": [{"role": "assistant", "content": "I begin"}, {"role": "user", "content": "no"}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": " two "}]}],
    "names": [{"role": "user", "name": "ann", "content": "x"}, {"role": "developer", "content": "y"}],
}

CHATML = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helper.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

THINKING = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "<|im_end|>\\n" }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>')
        and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {{- '<|im_start|>assistant\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}{{- content }}{{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

HEADERS = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: tools\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson(indent=2) }}
        {{- "}" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

ALTERNATING = """{{ bos_token }}{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{% endif %}
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}
{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}
{% endfor %}"""

TURNS = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)

CUTTING = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
    "{% set ns = namespace(is_first=false, is_tool=false, system_prompt='', items=[]) %}"
    "{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}"
    "{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'user' %}"
    "{%- set ns.is_tool = false -%}{{'<|User|>' + message['content']}}{%- endif %}"
    "{%- if message['role'] == 'assistant' and message['content'] is not none %}{%- set content = message['content'] %}"
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{'<|Assistant|>' + content + eos_token}}{%- endif %}{%- endfor -%}"
    "{% if add_generation_prompt and not ns.is_tool %}{{'<|Assistant|>'}}{% endif %}"
)

LINES = (
    "{% for message in messages %}\r\n{% if message['role'] == 'system' and message['content'] %}\r\n"
    "{{'<|system|>\r\n' + message['content'] + '<|end|>\r\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}"
    "{{'<|assistant|>\n'}}{% generation %}{{ message['content'] }}{% endgeneration %}{{ '<|end|>\n'}}{% endif %}\r\n"
    "    {# a comment #}\r\n  {%- endfor -%}\r\n{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}\r\n"
)

MACROS = """{% macro text_of(content, sep='') -%}
  {%- if content is string -%}{{ content }}
  {%- elif content is iterable and content is not mapping -%}
    {%- for part in content if part.type == 'text' -%}{{ part.text }}{% if not loop.last %}{{ sep }}{% endif %}{%- endfor -%}
  {%- else -%}{{ content | default('', true) }}{%- endif -%}
{%- endmacro %}
{% set roles = {'user': 'U', 'assistant': 'A', 'system': 'S'} %}
{% for message in messages -%}
<{{ roles.get(message.role, '?') }}{% if message.name is defined %} name={{ message.name | upper }}{% endif %}>{{ text_of(message.content, sep='|') }}
{% if loop.previtem is defined and loop.previtem.role == message.role %}(again){% endif %}
{% endfor %}
{% call(prefix) wrap() %}{{ prefix }}end{% endcall %}
""".replace("{% call(prefix) wrap() %}{{ prefix }}end{% endcall %}\n", "")

LOOPS = """{%- for message in messages -%}
{%- if message.role == 'system' %}{% continue %}{% endif -%}
{%- if loop.index > 2 %}{% break %}{% endif -%}
{%- if message.content is string %}{% set shown = message.content %}{% endif -%}
{{ loop.index }}/{{ loop.length }}:{{ loop.cycle('odd', 'even') }}:{{ loop.revindex0 }} {{ shown | default('-') }}
{%- endfor %}
{%- set found = messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list %}
users={{ found | length }} {{ messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='role') | join(',') }}
{%- set blocks %}[{{ messages | map(attribute='role') | unique | sort | join('+') }}]{% endset %}
{{ blocks | trim }}"""

GRANITE = """{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set system_message = "Knowledge Cutoff Date: April 2024.\\n" + "You are a helper." %}{%- set loop_messages = messages %}
{%- endif %}
{%- if tools and documents %}{%- set system_message = system_message + " both" %}
{%- elif documents is defined and documents is not none %}{%- set system_message = system_message + " documents" %}{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + system_message + '<|end_of_text|>\\n' }}
{%- for message in loop_messages %}
{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + (message['content'] or '') + '<|end_of_text|>\\n' }}
{%- if loop.last and add_generation_prompt %}{{- '<|start_of_role|>assistant' }}{%- if controls %}{{- ' ' + controls | tojson }}{%- endif %}
{{- '<|end_of_role|>' }}{%- endif %}
{%- endfor %}"""

PLAIN = "{% for m in messages %}{{ m.role.capitalize() }}: {{ m.content }}\n\n{% endfor %}{{ 'Assistant:' if add_generation_prompt }}\n"

NUMBERED = (
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + (m.content | default('', true) | length) %}"
    "{{ '%02d' | format(3) if false }}{{ m.role.title().ljust(10, '.') }}{{ (m.content or 'none') | string | replace('\n', '\\\\n') }}\n{% endfor %}{{ ns.n }}"
).replace("{{ '%02d' | format(3) if false }}", "")

DICTS = (
    "{% for m in messages %}{% for key, value in m.items() %}{{ key }}={{ value | tojson }};{% endfor %}{{ m | dictsort | tojson }}"
    "{{ m.keys() | list }}{{ (m | items | list)[0][0] }}{{ m.get('name', 'nobody') }}{{ m.missing }}\n{% endfor %}"
)

TEMPLATES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "chatml": (CHATML, [{}]),
    "thinking": (THINKING, [{}, {"enable_thinking": False}]),
    "headers": (HEADERS, [{}, {"date_string": "1 Jan 2026"}]),
    "alternating": (ALTERNATING, [{}]),
    "turns": (TURNS, [{}]),
    "cutting": (CUTTING, [{}]),
    "lines": (LINES, [{}]),
    "macros": (MACROS, [{}]),
    "loops": (LOOPS, [{}]),
    "roles": (GRANITE, [{}, {"controls": {"length": "short", "é": 1}}]),
    "plain": (PLAIN, [{}]),
    "numbered": (NUMBERED, [{}]),
    "dicts": (DICTS, [{}]),
}
"""Name -> template, and the variables that it is rendered with, one after another."""

VARIABLES: dict[str, Any] = {
    "s": "  Hello, World\n",
    "code": CODE,
    "word": "straße",
    "emoji": "a😀b",
    "n": 7,
    "x": 2.5,
    "yes": True,
    "nothing": None,
    "xs": [3, 1, 2],
    "names": ["b", "A", "c", "a"],
    "d": {"b": 1, "a": [1, "x", None, True, 1.5], "items": "own"},
    "rows": [{"k": 2, "v": "two"}, {"k": 1, "v": "One"}, {"k": 1}],
    "empty": [],
}

EXPRESSIONS: list[str] = [
    "s.strip()",
    "s.lstrip(' ')",
    "s.rstrip('\\n')",
    "s.strip('Hd \\n')",
    "'xxaxx'.strip('x')",
    "s.split()",
    "s.split(',')",
    "'a b  c'.split(' ')",
    "' a b  c '.split(None, 1)",
    "'a,b,c'.split(',', 1)",
    "'a,b,c'.rsplit(',', 1)",
    "'a b c'.rsplit(maxsplit=1)",
    "'a,b,c'.split(',', maxsplit=1)[-1]",
    "''.split()",
    "''.split(',')",
    "'abc'.split('')",
    "code.splitlines()",
    "'a\\r\\nb\\rc'.splitlines()",
    "'a\\nb\\n'.splitlines(true)",
    "s.startswith(' ')",
    "'abc'.startswith(('x', 'a'))",
    "'abc'.endswith(('x', 'bc'))",
    "'abc'.startswith('b', 1)",
    "'abcabc'.replace('b', 'X', 1)",
    "'abc'.replace('', '-')",
    "'hello world'.title()",
    '"they\'re x-ray".title()',
    "'hELLO wORLD'.capitalize()",
    "word.upper()",
    "word.capitalize()",
    "'ÀÉ'.lower()",
    "'abcabc'.find('c')",
    "'abcabc'.rfind('c')",
    "'abc'.find('z')",
    "'abc'.index('z')",
    "'abcabc'.count('bc')",
    "'abc'.removeprefix('ab')",
    "'abc'.removesuffix('bc')",
    "', '.join(names)",
    "', '.join(xs)",
    "'a-b-c'.partition('-')[2]",
    "'a-b-c'.rpartition('-')[0]",
    "'12'.isdigit()",
    "'1.2'.isdigit()",
    "'ab'.isalpha()",
    "' \\n'.isspace()",
    "'Ab'.isupper()",
    "'7'.zfill(3)",
    "'-7'.zfill(4)",
    "'ab'.center(5, '*')",
    "'ab'.ljust(4) ~ '|'",
    "'ab'.rjust(4)",
    "emoji | length",
    "emoji[1]",
    "emoji[::-1]",
    "emoji[-1]",
    "'abc'[5]",
    "'abcdef'[1:4]",
    "'abcdef'[::2]",
    "'abcdef'[-3:]",
    "'abcdef'[4:1:-1]",
    "xs[1:]",
    "xs[-1]",
    "xs[::-1]",
    "xs[10]",
    "xs[0:0]",
    "none",
    "nothing",
    "yes",
    "missing",
    "[1, none, true, 'a', 1.0]",
    "{'a': 1, 'b': \"it's\"}",
    "('a', 1)",
    "d",
    "d['items']",
    "d.b",
    "d['zz']",
    "d.get('zz')",
    "d.get('zz', 3)",
    "d.get('b')",
    "missing is defined",
    "missing is none",
    "nothing is none",
    "nothing is defined",
    "d.zz is undefined",
    "missing.x",
    "missing.x is defined",
    "nothing.x",
    "missing == none",
    "missing | default('x')",
    "nothing | default('x')",
    "nothing | default('x', true)",
    "'' | default('x', boolean=true)",
    "missing or 'y'",
    "not missing",
    "missing ~ 'a'",
    "nothing ~ 'a'",
    "yes ~ 1 ~ 1.5",
    "missing + 'a'",
    "'a' + nothing",
    "'a' + 1",
    "1 == 1.0",
    "1 == true",
    "1 == '1'",
    "'a' == 'a'",
    "[1, 2] == [1, 2]",
    "{'a': 1} == {'a': 1}",
    "none == false",
    "0 == ''",
    "xs == [3, 1]",
    "'-' * 3",
    "[0] * 2",
    "7 // 2",
    "-7 // 2",
    "-7 % 3",
    "7 % -3",
    "7 / 2",
    "8 / 2",
    "2 ** 3",
    "2 ** -1",
    "1 / 0",
    "n + x",
    "n - 0.5",
    "x | int",
    "-x",
    "+n",
    "'3' | int + 1",
    "'3.7' | int",
    "'x' | int",
    "'x' | int(5)",
    "'1e3' | float",
    "3 | float",
    "0.00001",
    "1.0",
    "100000000000000000.0",
    "2.5 | round",
    "3.5 | round | int",
    "2.345 | round(2)",
    "7 | round",
    "2.1 | round(0, 'ceil')",
    "-3 | abs",
    "'a' < 'b'",
    "'Z' < 'a'",
    "[1, 2] < [1, 3]",
    "1 < 'a'",
    "'a' in 'abc'",
    "'a' in xs",
    "1 in xs",
    "'b' in d",
    "'zz' not in d",
    "1 in 'abc'",
    "'a' in missing",
    "'a' in nothing",
    "xs | first",
    "xs | last",
    "'abc' | first",
    "'abc' | last",
    "empty | first",
    "xs | length",
    "d | length",
    "n | length",
    "missing | length",
    "xs | sum",
    "xs | max",
    "xs | min",
    "empty | max",
    "xs | sort",
    "names | sort",
    "names | sort(case_sensitive=true)",
    "xs | sort(reverse=true)",
    "rows | sort(attribute='k') | map(attribute='k') | list",
    "xs | reverse | list",
    "'abc' | reverse",
    "xs | join",
    "xs | join('-')",
    "rows | join(',', attribute='k')",
    "names | map('upper') | list",
    "names | map('replace', 'a', 'z') | join",
    "rows | map(attribute='v', default='?') | list",
    "rows | map(attribute='v') | list",
    "xs | select('odd') | list",
    "xs | reject('gt', 2) | list",
    "xs | select | list",
    "rows | selectattr('v') | list | length",
    "rows | selectattr('v', 'defined') | list | length",
    "rows | selectattr('k', 'eq', 1) | list | length",
    "rows | selectattr('k', 'gt', 1) | list",
    "rows | rejectattr('v', 'undefined') | map(attribute='v') | list",
    "['a', 'A', 'b'] | unique | list",
    "d | dictsort",
    "d | dictsort(reverse=true) | map('first') | list",
    "{'x': 2, 'y': 1} | dictsort(by='value')",
    "d | items | list | length",
    "d | list",
    "'ab' | list",
    "missing | list",
    "nothing | list",
    "'  x ' | trim",
    "'xxaxx' | trim('x')",
    "'hello wORLD foo-bar (baz)' | title",
    "'aBC' | capitalize",
    "'a' | upper",
    "nothing | upper",
    "missing | upper",
    "nothing | trim",
    "n | string + 'a'",
    "yes | string",
    "nothing | string",
    "xs | string",
    "'a\\nb\\n\\nc' | indent",
    "'a\\nb' | indent(2, true)",
    "'a\\n\\nb' | indent(2, blank=true)",
    "'a\\nb' | indent('> ')",
    "code | indent(width=2)",
    "'a\\n' | indent",
    "'<a&\"b>' | e",
    "'<a>' | safe",
    "'a b_c d' | wordcount",
    "d | tojson",
    "d | tojson(indent=2)",
    "xs | tojson(indent=0)",
    "'é<&>\"\\n\\t' | tojson",
    "'é😀' | tojson(ensure_ascii=true)",
    "{'b': 1, 'a': {}} | tojson(sort_keys=true, indent=4)",
    "d | tojson(separators=(',', ':'))",
    "x | tojson",
    "nothing | tojson",
    "missing | tojson",
    "yes | tojson",
    "[] | tojson(indent=2)",
    "range(3) | list",
    "range(1, 10, 3) | list",
    "range(3, 0, -1) | list",
    "'yes' if n > 3 else 'no'",
    "'yes' if n > 9",
    "n is odd",
    "n is even",
    "x is float",
    "n is integer",
    "yes is integer",
    "yes is number",
    "yes is boolean",
    "'a' is string",
    "xs is iterable",
    "n is iterable",
    "d is mapping",
    "xs is mapping",
    "'a' is sequence",
    "d is sequence",
    "'ab' is lower",
    "'AB' is upper",
    "missing is string",
    "nothing is string",
    "namespace(a=1).a",
    "d.keys() | list",
    "d.values() | list",
    "d.pop('b')",
    "xs.append(1)",
    "'{}'.upper()",
    "xs.count(1)",
    "xs.index(2)",
    "xs.index(9)",
    "s.nothing",
    "s.nothing()",
    "'a%sb' is string",
    "raise_exception('stop')",
    "'a' ~ ('b' if missing else 'c')",
    "(xs | length) > 2 and 'many'",
    "[] or {} or 'last'",
    "not xs",
    "'\\u00e9' == 'é'",
    "'tab\\tx'",
    "\"a'b\" ~ 'c\"d'",
    "d['a'][0]",
    "d.a[1]",
    "rows[0].v",
    "rows[-1]['k']",
    "rows[0]['v'].upper()[0]",
    "s | trim | lower | replace('l', 'L', 1)",
    "('a', 'b') == ['a', 'b']",
    "1 if none else 2",
    "none is none and 'n'",
    "true is true",
    "True and False",
    "'x'.join(['a'])",
    "'abc'.upper().lower().title()",
    "s.length",
    "xs.length",
    "5 | default(1)",
    "false | default(1)",
    "false | default(1, true)",
]

STATEMENTS: list[str] = [
    "{% for c in 'ab😀' %}{{ c }}.{% endfor %}",
    "{% for k in d %}{{ k }} {% endfor %}",
    "{% for x in missing %}a{% else %}none{% endfor %}",
    "{% for x in nothing %}a{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{% endfor %}",
    "{% for x in xs %}{{ loop.first }}{{ loop.last }}{{ loop.revindex }} {% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% set y = 1 %}{% for x in xs %}{% set y = x %}{% endfor %}{{ y }}",
    "{% set ns = namespace(y=1) %}{% for x in xs %}{% set ns.y = x %}{% endfor %}{{ ns.y }}",
    "{% for x in xs %}{% if loop.first %}{% set z = x %}{% endif %}{{ z }},{% endfor %}",
    "{% set z = 9 %}{% for x in xs %}{% for y in xs %}{% if y == x %}{% set z = y %}{% endif %}{{ z }}{% endfor %}{% if x == 1 %}{% set z = 0 %}{% endif %}{{ z }};{% endfor %}{{ z }}",
    "{% if missing %}a{% elif nothing %}b{% else %}c{% endif %}",
    "{% if xs and d %}a{% endif %}",
    "{% if empty %}a{% else %}b{% endif %}",
    "{% set a, b = 1, 2 %}{{ a + b }}",
    "{% set t %}  x\n{% endset %}[{{ t }}]",
    "{% macro m(a, b='d') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}{{ m('x') | length }}",
    "{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}hi{% endcall %}",
    "{% filter upper %}abc {{ n }}{% endfilter %}",
    "a\n{% if true %}\n  b\n{% endif %}\nc\n",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "  {% if true %}x{% endif %}  \n  y",
    "{# gone #}\nx",
    "x\n\n",
    "x\r\ny\r\n",
    "{{ 'a\r\nb' }}",
    "{% generation %}a{% endgeneration %}b",
    "{%- generation -%} a {%- endgeneration -%} b",
    "{{ tools is none }}{{ tools is defined }}{{ documents is none }}",
    "{{ add_generation_prompt }}{{ bos_token }}{{ eos_token }}",
    "{{ messages }}",
    "{% for m in messages %}x{% else %}no messages{% endfor %}",
    "{{ '{{' }}",
    "{{ n if n }}{{ '' if n else 'x' }}",
    "{% set d2 = dict(a=1) %}{{ d2.a }}",
    "{{ 'a' is divisibleby 3 }}",
    "{{ unknown_function() }}",
    "{{ xs | nosuchfilter }}",
    "{% if %}",
    "{{ 'a' }",
    "{% for x in xs %}",
    "{{ strftime_now('%Y') | length }}",
]

UNSUPPORTED: list[str] = [
    "{%- for x in xs +%}\n{{ x }}{% endfor %}",
    "{% raw %}{{ x }}{% endraw %}",
    "{{ xs | batch(2) | list }}",
    "{{ 6 is divisibleby(3) }}",
    "{% if 'a' is in ['a'] %}y{% endif %}",
    "{% for x in xs recursive %}{{ x }}{% endfor %}",
    "{{ 1e20 }}",
    "{% for x in xs %}{{ x }}{% if x == 1 %}{% break %}{% endif %}{% endfor %}",
    "{% for x in xs %}{% if x == 1 %}a{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% break %}{% else %}a{% endfor %}",
    "{% filter indent %}a{% endfilter %}",
    "{{ xs | groupby('a') }}",
    "{{ n is filter }}",
]
"""What transformers renders and the engine refuses when a checkpoint is converted."""
