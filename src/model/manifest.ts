/** Where every tensor of a model lies. The format is described in models/README.md. */
import { z } from 'zod';

/** Names the layout; a reader of another one must refuse it. */
export const MANIFEST_FORMAT = 'seedling-weights-1';

const count = z.int().nonnegative();

export const manifestSchema = z.strictObject({
  format: z.literal(MANIFEST_FORMAT),
  shards: z
    .array(
      z.strictObject({
        file: z.string().regex(/^[A-Za-z0-9._-]+$/),
        bytes: z.int().positive(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1),
  tensors: z.array(
    z.strictObject({
      name: z.string(),
      type: z.enum(['int4', 'int8', 'f32']),
      shape: z.array(z.int().positive()).min(1).max(2),
      parts: z
        .array(
          z.strictObject({
            shard: count,
            /** First row and one past the last. */
            rows: z.tuple([count, z.int().positive()]),
            data: count,
            scales: count.optional(),
          }),
        )
        .min(1),
    }),
  ),
});

export type Manifest = Readonly<z.infer<typeof manifestSchema>>;
export type TensorEntry = Manifest['tensors'][number];
export type TensorType = TensorEntry['type'];

/** Quantized weights share one scale per this many k. */
export const GROUP = 32;

/** Rows and row length of a tensor; a vector has rows of one element. */
export function rowsAndLength({ shape }: { readonly shape: readonly number[] }): {
  readonly rows: number;
  readonly k: number;
} {
  return { rows: shape[0]!, k: shape[1] ?? 1 };
}

/** Bytes of one row's data. */
export function rowBytes(type: TensorType, k: number): number {
  return type === 'int4' ? k / 2 : type === 'int8' ? k : k * 4;
}

/** Inputs of an adapter's B: the rank in whole groups. */
export function draftWidth(rank: number): number {
  return Math.ceil(rank / GROUP) * GROUP;
}

/** Names of an adapter's tensors beside the matrix `name`. */
export const draftNames = (name: string) => ({ a: `${name}.drafts.lora_a`, b: `${name}.drafts.lora_b` });
