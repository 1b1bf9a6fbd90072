import { expect, test } from 'vitest';
import { pickIsolation } from '../../eval/sandbox/isolation.ts';
import { type Language, type Outcome, Sandbox } from '../../eval/sandbox/sandbox.ts';

/** Whatever this host can do: the tests of a program's outcome do not depend on it. */
const limits = new Sandbox('process');

test.each<[string, Language, string, Outcome]>([
  [
    'types are stripped, asserts pass',
    'typescript',
    'const f = (a: number): number => a;\nimport * as assert from "assert";\nassert.deepEqual(f(1), 1);',
    'passed',
  ],
  ['a failed node:assert', 'typescript', 'import * as assert from "assert";\nassert.deepEqual([1], [2]);', 'failed'],
  ['no TypeScript', 'typescript', 'const f = (a: number) => {', 'invalid'],
  ['a failed console.assert', 'javascript', 'console.assert(1 === 2)', 'failed'],
  ['a passed console.assert', 'javascript', 'console.assert(1 === 1)', 'passed'],
  ['an exit before the tests', 'javascript', 'process.exit(0)', 'failed'],
  ['a flood of output', 'javascript', 'for (let i = 0; i < 5000; i++) console.log("x".repeat(50))', 'passed'],
  ['too much memory', 'javascript', 'const a = []; for (;;) a.push(Buffer.allocUnsafe(5e8))', 'failed'],
  ['a file of the host', 'javascript', 'require("fs").readFileSync("/etc/hostname")', 'failed'],
  ['a process of its own', 'javascript', 'require("child_process").execSync("true")', 'failed'],
  ['Python', 'python', 'assert sum([1, 2]) == 3', 'passed'],
  ['a failed Python assert', 'python', 'assert sum([1, 2]) == 4', 'failed'],
  ['no Python', 'python', 'def f(:', 'invalid'],
  ['too much memory in Python', 'python', 'a = []\nwhile True: a.append(bytearray(2 * 10**9))', 'failed'],
  ['an empty environment', 'python', 'import os\nassert not set(os.environ) - {"LC_CTYPE"}', 'passed'],
])('%s', async (_, language, program, outcome) => {
  expect(await limits.run(language, program)).toBe(outcome);
});

test('an endless program is stopped', async () => {
  expect(await new Sandbox('process', 1).run('python', 'while True: pass')).toBe('timeout');
});

test('namespaces cut off the network and the files, or say that they cannot', async () => {
  let sandbox: Sandbox;
  try {
    sandbox = new Sandbox('namespaces');
  } catch (error) {
    expect(String(error)).toContain('EVAL_ISOLATION=process');
    return;
  }
  expect(sandbox.description).toContain('no network');
  const noRoute =
    'import socket\ntry: socket.create_connection(("192.0.2.1", 80), 1)\nexcept OSError as e: assert e.errno == 101';
  expect(await sandbox.run('python', noRoute)).toBe('passed');
  const write = sandbox.description.includes('read-only') ? 'failed' : 'passed';
  expect(await sandbox.run('python', 'open("x", "w").write("x")')).toBe(write);
});

test('what is in force says so', () => {
  expect(pickIsolation('process').description).toContain('THE NETWORK CAN BE REACHED');
});
