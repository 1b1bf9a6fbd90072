/** Where a generated function ends. */
import ts from 'typescript';
import type { Completion } from '../test/support/engines/engine.ts';

/**
 * Generation of a function stops here: a closing brace at the start of a line ends a function that began at the start of
 * one. The stop string itself is not part of the text.
 */
export const FUNCTION_END = '\n}';

/** Whether a text is a whole program of TypeScript or JavaScript. Types are not checked. */
function parses(program: string): boolean {
  const { diagnostics } = ts.transpileModule(program, { reportDiagnostics: true });
  return diagnostics?.length === 0;
}

/**
 * A generated body with the closing brace that the stop string removed. A text that ended by itself may have closed its
 * function within a line already. A text that reached its limit stays as it is.
 * @param start the part of the function in the prompt: up to its opening brace
 */
export function functionBody(start: string, { text, finishReason }: Pick<Completion, 'text' | 'finishReason'>): string {
  if (finishReason === 'length' || parses(start + text)) return `${text}\n`;
  return `${text}${FUNCTION_END}\n`;
}
