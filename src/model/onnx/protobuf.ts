/**
 * Writes protobuf messages: only the wire format. A schema compiler would generate code at run time, which a page's
 * content security policy forbids, and it would bring twenty times the bytes.
 */

const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

export class Message {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  /** A whole number, 0 or more. */
  integer(field: number, value: number): this {
    return this.#push(varint(field * 8 + VARINT)).#push(varint(value));
  }

  float(field: number, value: number): this {
    return this.#push(varint(field * 8 + FIXED32)).#push(new Uint8Array(Float32Array.of(value).buffer));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#push(varint(field * 8 + BYTES))
      .#push(varint(value.length))
      .#push(value);
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  finish(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #push(chunk: Uint8Array): this {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    return this;
  }
}

function varint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a whole number from 0`);
  const bytes: number[] = [];
  let rest = value;
  // Division, as bit operations end at 32 bits.
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
