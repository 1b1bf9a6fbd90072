/** Numbers of a GGUF file's metadata. */

export type Metadata = Readonly<Record<string, unknown>>;

/** 64-bit values included; undefined where there is none. */
export function numberOf(metadata: Metadata, key: string): number | undefined {
  const value = metadata[key];
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
}

/** The decimal that was meant by a float32: 1e-5, not 0.000009999999747378752. */
export function shortest(value: number): number {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
}
