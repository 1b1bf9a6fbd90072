/** Templates and expressions as transformers renders them: `python -m recipe template-cases` made the fixture. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ChatTemplate, TemplateRefusal } from '../../../src/engine/template/template.ts';

interface Case {
  readonly template: string;
  readonly text?: string;
  readonly error?: string;
}
interface Fixture {
  readonly bos: string;
  readonly eos: string;
  readonly conversations: Readonly<Record<string, readonly object[]>>;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly families: readonly (Case & { name: string; conversation: string; variables: Record<string, unknown> })[];
  readonly snippets: readonly Case[];
  readonly unsupported: readonly string[];
}

const path = new URL('../../fixtures/templates.json', import.meta.url);
const fixture: Fixture = JSON.parse(await readFile(path, 'utf8'));

function render(template: string, messages: readonly object[], variables: Readonly<Record<string, unknown>>): string {
  return new ChatTemplate(template).render({
    ...variables,
    messages,
    tools: null,
    documents: null,
    add_generation_prompt: true,
    bos_token: fixture.bos,
    eos_token: fixture.eos,
  });
}

function check({ template, text, error }: Case, messages: readonly object[], variables: Record<string, unknown>): void {
  if (text !== undefined) {
    expect(render(template, messages, variables)).toBe(text);
    return;
  }
  const refused = () => render(template, messages, variables);
  expect(refused).toThrow();
  // Only what the template itself says is shown to a client word for word.
  if (error!.startsWith('TemplateError: ')) expect(refused).toThrow(new TemplateRefusal(error!.slice(15)));
}

describe.each(Object.keys(fixture.conversations))('the conversation "%s"', (conversation) => {
  const cases = fixture.families.filter((one) => one.conversation === conversation);
  test.each(cases)('$name $variables', (one) => {
    check(one, fixture.conversations[conversation]!, one.variables);
  });
});

describe('what a template may write', () => {
  test.each(fixture.snippets)('$template', (one) => check(one, [], fixture.variables));
});

describe('what the library cannot do is refused before anything is rendered', () => {
  test.each(fixture.unsupported)('%s', (template) => {
    expect(() => new ChatTemplate(template)).toThrow();
  });
});
