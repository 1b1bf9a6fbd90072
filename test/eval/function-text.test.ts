import { expect, test } from 'vitest';
import { FUNCTION_END, functionBody } from '../../eval/function-text.ts';
import { regeneratePrompt } from '../../eval/repair/repairer.ts';

const START = 'const f = (a: number) => {';
const BODY = '\n  if (a) {\n    return b;\n  }\n  return c;\n}\n';

test('a generation that was stopped at the end of its function is the function', () => {
  const generated = `${BODY}\nconsole.log(f());\n`;
  const text = generated.slice(0, generated.indexOf(FUNCTION_END));
  expect(functionBody(START, { text, finishReason: 'stop' })).toBe(BODY);
});

test('one that ended by itself keeps the brace that it wrote, and gets none', () => {
  expect(functionBody(START, { text: ' return a; }', finishReason: 'stop' })).toBe(' return a; }\n');
});

test('one that reached its limit is not completed for it', () => {
  expect(functionBody(START, { text: '\n  return a;', finishReason: 'length' })).toBe('\n  return a;\n');
});

test('the repair prompt shows the bug and begins the function again, up to its brace', () => {
  const problem = {
    task_id: 'x/0',
    entry_point: 'f',
    declaration: '\nconst f = (a) => {\n',
    buggy_solution: '  return a - 1;\n}\n\n',
    canonical_solution: '  return a + 1;\n}\n\n',
    test: '',
  };
  expect(regeneratePrompt(problem)).toBe(
    '// f has a bug:\nconst f = (a) => {\n  return a - 1;\n}\n\n// Fix the bug in f:\nconst f = (a) => {',
  );
});
