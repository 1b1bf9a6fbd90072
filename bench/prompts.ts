/** Beginnings of ordinary code, for benches. None of them is in the evaluation sets. */
export const PROMPTS: readonly string[] = [
  'function isPrime(n) {\n',
  'export function debounce(fn, delay) {\n  let timer;\n',
  'class Queue {\n  constructor() {\n    this.items = [];\n  }\n\n  push(item) {\n',
  'const express = require("express");\nconst app = express();\n\napp.get("/", (req, res) => {\n',
  'def read_lines(path):\n    with open(path) as f:\n',
  'class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n',
];

/** The first ones. All of them at most. */
export function promptsUpTo(count: number): readonly string[] {
  return PROMPTS.slice(0, count);
}

/** 62 tokens of the default tokenizer. */
export const LONG_PROMPT = `import { readFile } from 'node:fs/promises';

export interface Options {
  path: string;
  encoding?: string;
}

export async function loadConfig(options: Options): Promise<unknown> {
  const text = await readFile(options.path);
`;

/** 24 tokens together with the seven of `salted`, for a request without token healing. */
export const PROMPT_OF_24 = 'export function clamp(value, low, high) {\n  if (value < low';

/** 32 tokens together with the seven of `salted`, for a request without token healing. */
export const PROMPT_OF_32 = 'export function clamp(value, low, high) {\n  if (value < low) return low;\n  return Math.';

let salt = 0;

/** The prompt after a first line that no earlier prompt of this process had, so that no prefix cache has seen it. */
export function salted(prompt: string): string {
  salt++;
  return `// ${String(salt).padStart(4, '0')}\n${prompt}`;
}
