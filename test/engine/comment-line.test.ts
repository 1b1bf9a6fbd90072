import { expect, test } from 'vitest';
import { commentLine } from '../../src/engine/comment-line.ts';

test.each([
  ['a.py', '# x'],
  ['lib/a.rb', '# x'],
  ['deploy.sh', '# x'],
  ['.github/workflows/ci.yml', '# x'],
  ['Cargo.toml', '# x'],
  ['Dockerfile', '# x'],
  ['build/Makefile', '# x'],
  ['.env', '# x'],
  ['SCHEMA.SQL', '-- x'],
  ['init.lua', '-- x'],
  ['Main.hs', '-- x'],
  ['core.clj', ';; x'],
  ['paper.tex', '% x'],
  ['style.css', '/* x */'],
  ['index.html', '<!-- x -->'],
  ['README.md', '<!-- x -->'],
  ['Form.vb', "' x"],
  ['C:\\src\\a.py', '# x'],
  ['a.ts', '// x'],
  ['a.test.tsx', '// x'],
  ['main.go', '// x'],
  ['lib.rs', '// x'],
  ['a.c', '// x'],
  ['toml', '# x'],
  ['no-ending', '// x'],
  ['constructor', '// x'],
  ['.', '// x'],
  ['', '// x'],
  [null, '// x'],
])('a comment of %s is %j', (filename, line) => {
  expect(commentLine('x', filename)).toBe(line);
});
