/** A file of answers, for people to read. */
import { appendFile, writeFile } from 'node:fs/promises';

export class Samples {
  readonly #path: string | undefined;

  private constructor(path: string | undefined) {
    this.#path = path;
  }

  /** @param path emptied first; undefined keeps nothing */
  static async open(path: string | undefined): Promise<Samples> {
    if (path !== undefined) await writeFile(path, '');
    return new Samples(path);
  }

  async add(sample: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#path !== undefined) await appendFile(this.#path, `${JSON.stringify(sample)}\n`);
  }
}
