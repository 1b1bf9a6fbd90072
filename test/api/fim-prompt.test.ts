import { expect, test } from 'vitest';
import { readFimPrompt } from '../../src/api/generate/fim-prompt.ts';

const P = 'function add(a, b) {\n  return ';
const S = ';\n}\n';

/** name, prompt, prefix, suffix */
const recognised: readonly (readonly [string, string, string, string])[] = [
  ['Qwen2.5-Coder', `<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`, P, S],
  ['Qwen, begun', `<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>a +`, `${P}a +`, S],
  ['Qwen, suffix first', `<|fim_suffix|>${S}<|fim_prefix|>${P}<|fim_middle|>`, P, S],
  [
    'Qwen, with its repository',
    `<|repo_name|>demo\n<|file_sep|>src/a.ts\nexport {};\n<|file_sep|>src/b.ts\n<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`,
    `// demo\n// src/a.ts\nexport {};\n// src/b.ts\n${P}`,
    S,
  ],
  [
    'Qwen, tags in the prefix',
    `<|fim_prefix|><|file_sep|>b.ts\n${P}<|fim_suffix|>${S}<|fim_middle|>`,
    `// b.ts\n${P}`,
    S,
  ],
  [
    'files of llama.vscode before the markers',
    `Context:\n\nx<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`,
    `Context:\n\nx${P}`,
    S,
  ],
  ['CodeGemma', `<bos><|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`, P, S],
  ['StarCoder', `<fim_prefix>${P}<fim_suffix>${S}<fim_middle>`, P, S],
  ['StarCoder, suffix first', `<fim_prefix><fim_suffix>${S}<fim_middle>${P}`, P, S],
  [
    'StarCoder 2, with its files',
    `<repo_name>demo<file_sep>a.ts\nlet a;<file_sep><fim_prefix>${P}<fim_suffix>${S}<fim_middle>`,
    `// demo\n// a.ts\nlet a;\n${P}`,
    S,
  ],
  [
    'StarCoder, stars',
    `<reponame>demo<filename>a.ts<gh_stars>0\n<fim_prefix>${P}<fim_suffix>${S}<fim_middle>`,
    `// demo\n// a.ts\n${P}`,
    S,
  ],
  ['Stable Code', `<fim_prefix>${P}<fim_suffix>${S}<fim_middle>`, P, S],
  ['SantaCoder', `<fim-prefix>${P}<fim-suffix>${S}<fim-middle>`, P, S],
  ['DeepSeek Coder', `<｜fim▁begin｜>${P}<｜fim▁hole｜>${S}<｜fim▁end｜>`, P, S],
  ['DeepSeek, with its start', `<｜begin▁of▁sentence｜><｜fim▁begin｜>${P}<｜fim▁hole｜>${S}<｜fim▁end｜>`, P, S],
  ['CodeLlama', `<PRE> ${P} <SUF>${S} <MID>`, P, S],
  ['CodeLlama, suffix first', `<PRE> <SUF>${S} <MID> ${P}`, P, S],
  ['CodeLlama keeps the spaces of the code', '<PRE>  a =  <SUF> ; <MID>', ' a = ', ' ;'],
  ['Codestral', `[SUFFIX]${S}[PREFIX]${P}`, P, S],
  ['Codestral, with other files', `+++++ a.ts\nlet a;\n[SUFFIX]${S}[PREFIX]${P}`, `+++++ a.ts\nlet a;\n${P}`, S],
  ['GLM', `<|code_prefix|>${P}<|code_suffix|>${S}<|code_middle|>`, P, S],
  ['no suffix', `<|fim_prefix|>${P}<|fim_suffix|><|fim_middle|>`, P, ''],
  ['no prefix', `<|fim_prefix|><|fim_suffix|>${S}<|fim_middle|>`, '', S],
  ['nothing at all', '<PRE> <SUF> <MID>', '', ''],
];

test.each(recognised)('%s', (_name, prompt, prefix, suffix) => {
  expect(readFimPrompt(prompt)).toEqual({ prefix, suffix });
});

test.each([
  ['plain code', P],
  ['an empty prompt', ''],
  ['one marker missing', `<|fim_prefix|>${P}<|fim_suffix|>${S}`],
  ['markers of two families', `<|fim_prefix|>${P}<fim_suffix>${S}<|fim_middle|>`],
  ['a marker twice', `<|fim_prefix|>"<|fim_suffix|>"<|fim_suffix|>${S}<|fim_middle|>`],
  ['an order that no template has', `<|fim_middle|>${P}<|fim_prefix|>${S}<|fim_suffix|>`],
  ['Codestral, prefix first', `[PREFIX]${P}[SUFFIX]${S}`],
  ['an array of that name', 'const x = [PREFIX];'],
  ['text before the markers', `Context: x\n<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`],
  ['Python that names them', 'A = "<|fim_prefix|>"\nB = "<|fim_suffix|>"\nC = "<|fim_middle|>"\n\nprint('],
  ['a table of them', '| <fim_prefix> | <fim_suffix> | <fim_middle> |\n|'],
  ['a comment about DeepSeek', '// <｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>\nconst x ='],
  ['an object of CodeLlama', "const t = { prefix: '<PRE> ', suffix: ' <SUF>', middle: ' <MID>' };\n"],
  ['a list of Codestral', 'const order = ["[SUFFIX]", "[PREFIX]"];\n'],
  ['an import of GLM', 'import "<|code_prefix|><|code_suffix|><|code_middle|>"'],
  ['a start and then text', `<s>Say:<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`],
  ['a line break before them', `\n<|fim_prefix|>${P}<|fim_suffix|>${S}<|fim_middle|>`],
])('%s is no hole', (_name, prompt) => {
  expect(readFimPrompt(prompt)).toBeNull();
});
