import { describe, expect, it } from 'vitest';
import { parseHfConfig } from '../../../src/convert/hf/config.ts';
import { CONFIG } from '../support/tiny-checkpoint.ts';

const parse = (changes: object) => parseHfConfig({ ...CONFIG, ...changes });

describe('parseHfConfig', () => {
  it('takes head_dim if it is given', () => {
    expect(parse({}).decoder.headDim).toBe(16);
    expect(parse({ head_dim: 32 }).decoder.headDim).toBe(32);
  });

  it('sets the flags of an architecture', () => {
    const flags = (name: string) => {
      const { architecture, qkvBias, qkNorm } = parse({ architectures: [name] }).decoder;
      return [architecture, qkvBias, qkNorm];
    };
    expect(flags('LlamaForCausalLM')).toEqual(['llama', false, false]);
    expect(flags('Qwen2ForCausalLM')).toEqual(['qwen2', true, false]);
    expect(flags('Qwen3ForCausalLM')).toEqual(['qwen3', false, true]);
  });

  it('takes rope_theta from either place', () => {
    const rope_parameters = { rope_type: 'default', rope_theta: 5e5 };
    expect(parse({ rope_theta: undefined, rope_parameters }).decoder.ropeTheta).toBe(5e5);
    expect(parse({ rope_theta: 5e5, rope_parameters: null }).decoder.ropeTheta).toBe(5e5);
  });

  it.each([
    [{}, 1e4],
    [{ rope_theta: null }, 1e4],
    [{ rope_parameters: { rope_type: 'default' } }, 1e4],
    [{ rope_scaling: null, rope_parameters: null }, 1e4],
    [{ architectures: ['Qwen2ForCausalLM'] }, 1e4],
    [{ architectures: ['Qwen3ForCausalLM'] }, 1e4],
    [{ rope_theta: 5e5, rope_parameters: { rope_type: 'default', rope_theta: 7e5 } }, 7e5],
    [{ rope_theta: 5e5, rope_scaling: { rope_type: 'default', rope_theta: 7e5 } }, 7e5],
    [{ rope_theta: 5e5, rope_parameters: { rope_type: 'default' } }, 5e5],
  ])('takes the rope_theta that transformers takes: %j', (changes, theta) => {
    expect(parse({ rope_theta: undefined, ...changes }).decoder.ropeTheta).toBe(theta);
  });

  it.each<[object, object | null]>([
    [{ rope_scaling: { type: 'linear', factor: 2 } }, { type: 'linear', factor: 2 }],
    [
      { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 } },
      { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContext: 256 },
    ],
    [
      { rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 64, attention_factor: 1.5 } },
      {
        type: 'yarn',
        factor: 4,
        originalContext: 64,
        betaFast: 32,
        betaSlow: 1,
        truncate: true,
        attentionFactor: 1.5,
      },
    ],
    [
      { rope_scaling: {}, rope_parameters: { rope_type: 'linear', factor: 3 } },
      { type: 'linear', factor: 3 },
    ],
    [{ rope_scaling: { rope_type: 'default' }, rope_parameters: { rope_type: 'linear', factor: 3 } }, null],
    [{ rope_scaling: null, rope_parameters: null }, null],
  ])('takes the scaling that transformers takes: %j', (changes, scaling) => {
    expect(parse({ max_position_embeddings: 256, ...changes }).decoder.ropeScaling).toEqual(scaling);
  });

  it.each([
    [{ type: 'yarn', factor: 4, original_max_position_embeddings: 256 }, 1024],
    [{ type: 'yarn', factor: 4, original_max_position_embeddings: 32 }, 256],
    [{ type: 'linear', factor: 4 }, 256],
  ])('has the context that YaRN stretches to, where config.json keeps that of the training: %j', (rope, context) => {
    expect(parse({ max_position_embeddings: 256, rope_scaling: rope }).decoder.contextLength).toBe(context);
  });

  it('reads an autoregressive base where nothing is recorded', () => {
    const { semantics } = parse({ seedling: undefined });
    expect(semantics).toMatchObject({ logitShift: true, contextAttention: 'causal', blockLength: 8 });
  });

  it('takes one EOS id or several', () => {
    expect(parse({ eos_token_id: 2 }).semantics.eosTokenIds).toEqual([2]);
    expect(parse({ eos_token_id: [0, 2] }).semantics.eosTokenIds).toEqual([0, 2]);
  });

  it.each([
    ['architectures', ['MistralForCausalLM']],
    ['rope_scaling', { rope_type: 'dynamic', factor: 4 }],
    ['rope_scaling', { rope_type: 'longrope', short_factor: [1], long_factor: [2] }],
    ['rope_scaling', { type: 'su', factor: 2 }],
    ['rope_scaling', { rope_type: 'mrope', mrope_section: [2, 3, 3] }],
    ['rope_scaling', { type: 'linear' }],
    ['rope_scaling', { rope_type: 'linear', factor: 0 }],
    ['rope_scaling', { rope_type: 'yarn' }],
    ['rope_scaling', { rope_type: 'yarn', factor: 4, partial_rotary_factor: 0.5 }],
    ['rope_parameters', { rope_type: 'proportional', partial_rotary_factor: 1 }],
    ['rope_parameters', { rope_type: 'llama3', rope_theta: 1e4 }],
    ['rope_parameters', { rope_type: 'llama3', factor: 8, low_freq_factor: 1 }],
    ['rope_parameters', { full_attention: { rope_type: 'default' } }],
    ['partial_rotary_factor', 0.5],
    ['rope_parameters', { rope_type: 'default', partial_rotary_factor: 0.5 }],
    ['sliding_window', 4096],
    ['use_sliding_window', true],
    ['layer_types', ['full_attention', 'sliding_attention']],
    ['num_experts', 8],
    ['num_local_experts', 8],
    ['attention_bias', true],
    ['mlp_bias', true],
    ['hidden_act', 'gelu'],
    ['quantization_config', { bits: 4 }],
    ['hidden_size', 'wide'],
    ['hidden_size', 66],
  ])('refuses %s %j by its name', (field, value) => {
    expect(() => parse({ [field]: value })).toThrow(field);
  });

  it.each([
    { rope_scaling: null },
    { rope_scaling: { rope_type: 'default' } },
    { sliding_window: 32768, use_sliding_window: false },
    { sliding_window: null },
    { layer_types: ['full_attention', 'full_attention'] },
    { attention_bias: false, mlp_bias: false, hidden_act: 'silu' },
  ])('accepts what changes nothing: %j', (changes) => {
    expect(parse(changes).decoder).toEqual(parse({}).decoder);
  });
});
