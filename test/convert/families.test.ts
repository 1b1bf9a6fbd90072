/** The table of families: what the converter makes of each one's files, and what it refuses. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { Semantics } from '../../src/convert/checkpoint.ts';
import { type ConvertOptions, convert } from '../../src/convert/convert.ts';
import { FAMILIES, type FamilyName, familyDirectory, familyGolden } from '../support/engines/families.ts';

const WHOLE = 1 << 20;
const low = (schedule: string, ranking: string) => ({ policy: 'fixed', schedule, ranking, steps: null });
const sure = (threshold: number, inclusive: boolean) => ({ policy: 'confidence', threshold, inclusive });

/** What the table says, where the fixture's own files do not say otherwise. */
const EXPECTED: Readonly<Record<FamilyName, object>> = {
  'tiny-a2d-bd3lm': {
    architecture: 'qwen2',
    logitShift: false,
    contextAttention: 'block_causal',
    grid: 'prompt_end',
    blockLength: 32,
    stopRule: 'after_block',
    maskTokenId: 259,
    eosTokenIds: [256, 258],
    decoding: low('round', 'probability'),
    tieWordEmbeddings: true,
  },
  'tiny-a2d-qwen3-bd3lm': { architecture: 'qwen3', grid: 'prompt_end', blockLength: 32, headDim: 32, qkNorm: true },
  sdar: {
    architecture: 'qwen3',
    logitShift: false,
    contextAttention: 'block_causal',
    grid: 'zero',
    blockLength: 4,
    maskTokenId: 259,
    stopRule: 'after_block',
    decoding: sure(0.85, false),
    tieWordEmbeddings: false,
  },
  'stable-diffcoder': {
    architecture: 'llama',
    logitShift: false,
    contextAttention: 'block_causal',
    grid: 'zero',
    blockLength: 4,
    maskTokenId: 5,
    eosTokenIds: [2],
    startTokenId: 0,
    decoding: sure(0.95, true),
    tieWordEmbeddings: false,
  },
  'fast-dllm-v2': {
    architecture: 'qwen2',
    logitShift: true,
    contextAttention: 'block_causal',
    grid: 'zero',
    blockLength: 8,
    subBlockLength: 8,
    firstToken: 'from_commit',
    stopRule: 'no_mask_before',
    maskTokenId: 259,
    decoding: sure(0.9, false),
    tieWordEmbeddings: true,
  },
  'tiny-a2d-mdlm': {
    logitShift: false,
    contextAttention: 'full',
    blockLength: 32,
    decoding: low('round', 'probability'),
  },
  'open-dcoder': {
    architecture: 'qwen2',
    logitShift: true,
    contextAttention: 'full',
    blockLength: WHOLE,
    maskTokenId: 259,
    decoding: low('floor', 'entropy'),
  },
  dream: {
    architecture: 'qwen2',
    logitShift: true,
    contextAttention: 'full',
    blockLength: WHOLE,
    maskTokenId: 259,
    tieWordEmbeddings: false,
  },
};

const temporary = () => mkdtemp(join(tmpdir(), 'seedling-families-'));

async function run(directory: string, options: Partial<ConvertOptions> = {}, semantics: Semantics = {}) {
  const settings = { name: 'tiny', out: await temporary(), dtype: 'f32', embedding: 'f32' } as const;
  return convert(directory, { ...settings, semantics, ...options });
}

/** A copy under a name that tells nothing unless given, with files changed, or gone if null. */
async function copy(
  name: FamilyName,
  files: Readonly<Record<string, ((json: Record<string, unknown>) => object) | null>> = {},
  as = 'checkpoint',
): Promise<string> {
  const directory = join(await temporary(), as);
  await cp(familyDirectory(name), directory, { recursive: true });
  for (const [file, change] of Object.entries(files)) {
    const path = join(directory, file);
    if (change === null) await rm(path);
    else await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8').catch(() => '{}')))));
  }
  return directory;
}

describe.each(FAMILIES)('%s', (name) => {
  it('gets its semantics from its files and the table', async () => {
    const { family } = (await familyGolden(name)).flags;
    const { config } = await run(familyDirectory(name), { family });
    expect(config).toMatchObject(EXPECTED[name]);
  });

  it('lets flags override all of it', async () => {
    const { family } = (await familyGolden(name)).flags;
    const flags = {
      logitShift: true,
      contextAttention: 'block_causal',
      grid: 'zero',
      blockLength: 16,
      subBlockLength: 2,
      firstToken: 'from_commit',
      stopRule: 'none',
      maskTokenId: 7,
      eosTokenIds: [9],
      startTokenId: 8,
      decoding: { policy: 'confidence', threshold: 0.4, inclusive: true },
    } as const;
    expect((await run(familyDirectory(name), { family }, flags)).config).toMatchObject(flags);
  });

  it('names a tensor that is missing, and one of another shape', async () => {
    const { family } = (await familyGolden(name)).flags;
    const deeper = await copy(name, { 'config.json': (json) => ({ ...json, num_hidden_layers: 3 }) }, name);
    await expect(run(deeper, { family })).rejects.toThrow('no tensor model.layers.2.input_layernorm.weight');
    const wider = await copy(name, { 'config.json': (json) => ({ ...json, intermediate_size: 96 }) }, name);
    await expect(run(wider, { family })).rejects.toThrow(/mlp\.gate_proj\.weight has shape \[64,32\].*\[96,32\]/);
  });
});

describe('families with the same config.json', () => {
  test.each(['tiny-a2d-bd3lm', 'tiny-a2d-mdlm'] as const)('%s is told by its name or by --family', async (name) => {
    const nameless = await copy(name);
    await expect(run(nameless)).rejects.toThrow(
      /does not say which family.*--family \(tiny-a2d-bd3lm, tiny-a2d-mdlm\)/,
    );
    expect((await run(nameless, { family: name })).family).toBe(name);
    const kind = name.split('-').at(-1)!;
    const hub = `Qwen2.5-Coder-0.5B-Instruct-diffusion-${kind}-v0.1`;
    expect((await run(await copy(name, {}, hub))).family).toBe(name);
  });

  test('Open-dCoder is not taken for an autoregressive Qwen2', async () => {
    const nameless = await copy('open-dcoder');
    await expect(run(nameless)).rejects.toThrow(
      /<M>, the mask of open-dcoder.*--family open-dcoder or --family autoreg/,
    );
    expect((await run(nameless, { family: 'open-dcoder' })).config.contextAttention).toBe('full');
    expect((await run(nameless, { family: 'autoregressive' })).config.contextAttention).toBe('causal');
    expect((await run(await copy('open-dcoder', {}, 'open-dcoder-0.5B'))).config.contextAttention).toBe('full');
  });

  test('a family that is not one of this architecture is refused with those that are', async () => {
    await expect(run(familyDirectory('sdar'), { family: 'dream' })).rejects.toThrow(
      /--family dream: architectures \["SDARForCausalLM"\] is none of it \(its families: sdar/,
    );
  });
});

describe('what is not supported says what it would need', () => {
  test.each([
    ['LLaDAModelLM', 'tensors have names of their own'],
    ['LLaDA2MoeModelLM', 'a mixture of experts'],
    ['WeDLMForCausalLM', 'a reordered window'],
    ['EfficientDLM', 'not published'],
    ['DreamForCausalLM', 'another model than Dream'],
    ['GemmaForCausalLM', "a row in the converter's table"],
  ])('architectures %s', async (architecture, needed) => {
    const source = await copy('dream', { 'config.json': (json) => ({ ...json, architectures: [architecture] }) });
    await expect(run(source)).rejects.toThrow(
      new RegExp(`architectures \\["${architecture}"\\] is not supported.*${needed}`),
    );
  });

  test.each([
    [{ rope_scaling: { rope_type: 'dynamic', factor: 4 } }, 'rope_scaling'],
    [{ use_sliding_window: true, sliding_window: 128 }, 'sliding_window'],
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
    [{ num_experts: 8 }, 'num_experts'],
    [{ attention_bias: true }, 'attention_bias'],
    [{ final_logit_softcapping: 30 }, 'final_logit_softcapping'],
  ])('%j', async (changes, field) => {
    const source = await copy('sdar', { 'config.json': (json) => ({ ...json, ...changes }) });
    await expect(run(source)).rejects.toThrow(`config.json: ${field} is`);
  });

  test('a directory without a tokenizer', async () => {
    await expect(run(await copy('sdar', { 'tokenizer.json': null }))).rejects.toThrow('has no tokenizer.json');
  });

  test('a block longer than a forward, and parts that do not divide it', async () => {
    const sdar = familyDirectory('sdar');
    await expect(run(sdar, {}, { blockLength: 128 })).rejects.toThrow('blockLength 128 is more than the 64 positions');
    await expect(run(sdar, {}, { subBlockLength: 3 })).rejects.toThrow(
      'subBlockLength 3 does not divide blockLength 4',
    );
    await expect(run(sdar, {}, { firstToken: 'from_commit' })).rejects.toThrow("'from_commit' needs logitShift");
  });
});

describe('the length of a block', () => {
  const unrecorded = { 'config.json': (json: Record<string, unknown>) => ({ ...json, block_size: undefined }) };

  test.each([
    ['SDAR-1.7B-Chat', 4],
    ['SDAR-1.7B-Chat-b16', 16],
    ['SDAR-4B-Chat-b32', 32],
  ])('of %s is %i where config.json does not say', async (as, blockLength) => {
    expect((await run(await copy('sdar', unrecorded, as))).config.blockLength).toBe(blockLength);
    expect((await run(await copy('sdar', {}, as))).config.blockLength).toBe(4);
  });

  test('Fast-dLLM v2 decides a block of 32 in parts of 8', async () => {
    const source = await copy('fast-dllm-v2', { 'config.json': (json) => ({ ...json, bd_size: 32 }) });
    expect((await run(source)).config).toMatchObject({ blockLength: 32, subBlockLength: 8 });
  });
});

describe('the mask id', () => {
  const withoutM = (json: Record<string, unknown>) => ({
    ...json,
    added_tokens: (json.added_tokens as { content: string }[]).filter(({ content }) => content !== '<M>'),
  });
  const withoutMask = (json: Record<string, unknown>) => ({
    ...json,
    added_tokens: (json.added_tokens as { content: string }[]).filter(({ content }) => !content.includes('MASK')),
  });

  test('is the one that the family assumes where no file says, never the last of the vocabulary', async () => {
    const files = { 'tokenizer.json': withoutMask, 'tokenizer_config.json': () => ({}) };
    expect((await run(await copy('stable-diffcoder', files))).config.maskTokenId).toBe(5);
  });

  test('is not an id that the tokenizer gives another token', async () => {
    const other = (json: Record<string, unknown>) => ({
      ...withoutMask(json),
      added_tokens: [{ id: 5, content: '<tool>', special: true }],
    });
    const source = await copy('stable-diffcoder', { 'tokenizer.json': other, 'tokenizer_config.json': () => ({}) });
    await expect(run(source)).rejects.toThrow(/assumes for <\[MASK_TOKEN\]>, 5, is <tool>.*--mask-token-id/);
  });

  test('is not chosen where config.json and the tokenizer contradict each other', async () => {
    const moved = { 'config.json': (json: Record<string, unknown>) => ({ ...json, mask_token_id: 258 }) };
    const source = await copy('dream', moved);
    await expect(run(source)).rejects.toThrow(
      'config.json: mask_token_id is 258, but the tokenizer has <|mask|> as 259: choose with --mask-token-id',
    );
    expect((await run(source, {}, { maskTokenId: 259 })).config.maskTokenId).toBe(259);
  });

  test('that no file names is asked for, and one that ends the text is refused', async () => {
    const files = { 'tokenizer.json': withoutM, 'added_tokens.json': null };
    const base = await copy('open-dcoder', files);
    await expect(run(base, { family: 'autoregressive' })).rejects.toThrow(/no mask token: .*--mask-token-id/);
    await expect(run(familyDirectory('sdar'), {}, { maskTokenId: 258 })).rejects.toThrow(
      'maskTokenId 258 is one of eosTokenIds',
    );
  });

  test('outside the vocabulary is refused', async () => {
    const nameless = await copy('fast-dllm-v2', { 'tokenizer.json': withoutMask, 'added_tokens.json': null });
    await expect(run(nameless)).rejects.toThrow('maskTokenId 151665 is outside the vocabulary of 272');
  });
});
