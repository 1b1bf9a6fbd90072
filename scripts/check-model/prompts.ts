/** Beginnings of ordinary code in several languages. Each ends where a person would let a model go on. */
export const CHECK_PROMPTS: readonly string[] = [
  'function sum(numbers) {\n  let total = 0;\n  for (const n of numbers) {\n',
  'def factorial(n):\n    if n <= 1:\n        return 1\n',
  'export async function readJson(path: string): Promise<unknown> {\n  const text = await readFile(path, "utf8");\n',
  'class Counter:\n    def __init__(self, start=0):\n        self.value = start\n\n    def increment(self):\n',
  'const server = http.createServer((request, response) => {\n  if (request.url === "/health") {\n',
  'SELECT name, COUNT(*) AS orders\nFROM customers\n',
  '#include <stdio.h>\n\nint main(void) {\n    for (int i = 0; i < 10; i++) {\n',
  'import csv\n\ndef load_rows(path):\n    """Rows of a CSV file as dictionaries."""\n',
  'interface Point {\n  x: number;\n  y: number;\n}\n\nfunction distance(a: Point, b: Point): number {\n',
  'func reverse(s string) string {\n\trunes := []rune(s)\n',
];
