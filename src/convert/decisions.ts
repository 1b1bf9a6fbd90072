/** What a conversion decided, as one block for people. */
import type { ModelConfig } from '../model/config.ts';
import type { TensorType } from '../model/manifest.ts';
import { EMBEDDING } from './write/tensor-order.ts';

/** How matrices are stored. */
export interface StoredTypes {
  readonly layers: TensorType;
  /** The embedding and the LM head. */
  readonly embedding: TensorType;
}

export interface Decided {
  readonly config: ModelConfig;
  readonly types: StoredTypes;
  /** Text of the added tokens, by id. */
  readonly tokens: ReadonlyMap<number, string>;
  /** Its row in the table of families. Absent for a model on disk, which does not record it. */
  readonly family?: string | undefined;
  /** What was merged. */
  readonly adapter?: string | undefined;
}

interface StoredTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
}

/** @param tensors of a manifest */
export function storedTypes(tensors: readonly StoredTensor[]): StoredTypes {
  const typeOf = (matrix: (name: string) => boolean) =>
    tensors.find(({ name, shape }) => shape.length === 2 && matrix(name))?.type ?? 'f32';
  return { layers: typeOf((name) => name.includes('.layers.')), embedding: typeOf((name) => name === EMBEDDING) };
}

/** Lines of a name and what was decided under it. Ids have the text of their token. */
export function decisions({ config, types, tokens, family, adapter }: Decided): string {
  const named = (id: number) => {
    const text = tokens.get(id);
    return text === undefined ? String(id) : `${id} ${text}`;
  };
  const { infill, chatTemplate } = config;
  const decoder = `${config.architecture}, ${config.tieWordEmbeddings ? 'tied' : 'separate'} LM head`;
  const rows: readonly (readonly [string, string])[] = [
    family === undefined ? ['decoder', decoder] : ['family', `${family} (${decoder})`],
    ['dtype', `${types.layers}, embedding and LM head ${types.embedding}`],
    ...(adapter === undefined ? [] : [['adapter', adapter] as const]),
    ['context', `${config.contextAttention}, ${config.contextLength} tokens`],
    ['rope', rope(config)],
    ['shift', config.logitShift ? 'yes: row i-1 predicts i' : 'no: row i predicts i'],
    ['block', `${blocks(config)}, first token by ${config.firstToken}`],
    ['decoding', decoding(config)],
    ['mask', named(config.maskTokenId)],
    ['start', named(config.startTokenId)],
    ['ends', `${config.eosTokenIds.map(named).join(', ')} (${config.stopRule})`],
    [
      'drafts',
      config.drafts === null ? 'by the weights themselves' : `adapters of rank ${config.drafts.rank} on mask rows`,
    ],
    ['template', chatTemplate ? `${chatTemplate.template.length} characters` : 'none: the model does not chat'],
    ['infill', infill === null ? 'none: the model fills no holes' : frame(infill, named)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)}${value}`).join('\n');
}

function rope({ ropeTheta, ropeScaling: scaling }: ModelConfig): string {
  const theta = `theta ${ropeTheta}`;
  switch (scaling?.type) {
    case undefined:
      return `${theta}, not scaled`;
    case 'factors':
      return `${theta}, divided by ${scaling.factors.length} factors of the file`;
    case 'linear':
      return `${theta}, linear by ${scaling.factor}`;
    case 'llama3':
      return `${theta}, llama3 by ${scaling.factor} from ${scaling.originalContext} tokens`;
    case 'yarn':
      return (
        `${theta}, yarn by ${scaling.factor} from ${scaling.originalContext} tokens, ` +
        `attention by ${Number(scaling.attentionFactor.toPrecision(6))}`
      );
  }
}

function blocks({ blockLength, subBlockLength, grid }: ModelConfig): string {
  const parts = subBlockLength === null ? '' : ` in parts of ${subBlockLength}`;
  return `${blockLength} tokens${parts} from ${grid === 'zero' ? 'position zero' : "the prompt's end"}`;
}

function decoding({ decoding: rule }: ModelConfig): string {
  if (rule === null) return 'as this project does';
  if (rule.policy === 'confidence') return `probability ${rule.inclusive ? '>=' : '>'} ${rule.threshold}`;
  return `${rule.ranking}, ${rule.steps === null ? 'one position a step' : `${rule.steps} steps (${rule.schedule})`}`;
}

function frame(infill: NonNullable<ModelConfig['infill']>, named: (id: number) => string): string {
  const { prefix, suffix, middle, end, order, fileSeparator } = infill;
  const parts =
    order === 'prefix_first' ? [named(prefix), 'P', named(suffix), 'S'] : [named(suffix), 'S', named(prefix), 'P'];
  if (middle !== null) parts.push(named(middle));
  const ended = end === null ? '' : `, ended by ${named(end)}`;
  return `${parts.join(' ')}${ended}${fileSeparator === undefined ? '' : `, files after ${named(fileSeparator)}`}`;
}
