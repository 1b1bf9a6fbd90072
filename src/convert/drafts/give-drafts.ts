/** Gives a model the adapters of its drafts. The base's shards stay as they are. */
import { draftNames, draftWidth, rowsAndLength } from '../../model/manifest.ts';
import { ConversionError } from '../checkpoint.ts';
import type { ErrorReport } from '../write/error-report.ts';
import { type PlannedTensor, planLayout } from '../write/layout.ts';
import type { WrittenModel } from '../write/model-files.ts';
import { writeWeights } from '../write/weights.ts';
import { DraftAdapter } from './adapter.ts';

const ADAPTED = /^model\.layers\.\d+\.(?:self_attn|mlp)\.[a-z]+_proj\.weight$/;

/**
 * Writes shards `drafts-*.bin` into `directory`.
 * @param path the adapter: safetensors of `python -m recipe drafts`
 * @returns the model with them
 * @throws ConversionError naming the tensor that does not fit the base
 */
export async function giveDrafts(
  directory: string,
  { config, shards, tensors }: WrittenModel,
  path: string,
  shardLimit: number,
  weightsPerRead: number,
  report: ErrorReport,
): Promise<WrittenModel> {
  if (config.drafts !== null) throw new ConversionError(`${config.name} has drafts already`);
  const adapter = await DraftAdapter.open(path);
  try {
    const wanted = draftTensors(tensors, adapter.rank);
    checkAdapter(wanted, adapter, path);
    const layout = planLayout(wanted, shardLimit);
    const added = await writeWeights(directory, layout, adapter, weightsPerRead, report, 'drafts');
    const moved = layout.tensors.map(({ parts, ...rest }) => ({
      ...rest,
      parts: parts.map((part) => ({ ...part, shard: part.shard + shards.length })),
    }));
    return {
      config: { ...config, drafts: { rank: adapter.rank } },
      shards: [...shards, ...added],
      tensors: [...tensors, ...moved],
    };
  } finally {
    await adapter.close();
  }
}

type DraftTensor = Omit<PlannedTensor, 'parts'>;

/** The adapters' tensors, each in the type of the matrix that it corrects. */
function draftTensors(tensors: readonly PlannedTensor[], rank: number): DraftTensor[] {
  return tensors
    .filter(({ name }) => ADAPTED.test(name))
    .flatMap((tensor) => {
      const { rows, k } = rowsAndLength(tensor);
      const names = draftNames(tensor.name.replace(/\.weight$/, ''));
      const { type } = tensor;
      return [
        { name: names.a, shape: [rank, k], type },
        { name: names.b, shape: [rows, draftWidth(rank)], type },
      ];
    });
}

function checkAdapter(wanted: readonly DraftTensor[], { shapes }: DraftAdapter, path: string): void {
  for (const { name, shape } of wanted) {
    const found = shapes.get(name);
    if (found === undefined) throw new ConversionError(`${path} has no ${name}: the adapter is of another model`);
    if (found.join() !== shape.join()) {
      throw new ConversionError(
        `${name} has shape [${found}], the base needs [${shape}]: the adapter is of another model`,
      );
    }
  }
  if (shapes.size > wanted.length) {
    throw new ConversionError(`${path} has ${shapes.size} tensors, the base has a place for ${wanted.length}`);
  }
}
