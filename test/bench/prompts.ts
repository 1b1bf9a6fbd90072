/** Beginnings of ordinary code, for benches: nothing here is in the evaluation sets. */
export const PROMPTS: readonly string[] = [
  'function isPrime(n) {\n',
  'export function debounce(fn, delay) {\n  let timer;\n',
  'class Queue {\n  constructor() {\n    this.items = [];\n  }\n\n  push(item) {\n',
  'const express = require("express");\nconst app = express();\n\napp.get("/", (req, res) => {\n',
  'def read_lines(path):\n    with open(path) as f:\n',
  'class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n',
];

/** 62 tokens of the default tokenizer. */
export const LONG_PROMPT = `import { readFile } from 'node:fs/promises';

export interface Options {
  path: string;
  encoding?: string;
}

export async function loadConfig(options: Options): Promise<unknown> {
  const text = await readFile(options.path);
`;
