/**
 * The Hub's cache directory, as its tools in Python and JavaScript write it. `blobs/<hash>` is the content.
 * `snapshots/<commit>/<path>` is a link to it.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { TransferError, type TransferPatience, transfer } from '../../sources/resumable.ts';
import { ConversionError } from '../checkpoint.ts';

export interface HubFile {
  /** In errors and progress. */
  readonly name: string;
  readonly path: string;
  readonly url: string;
  readonly bytes: number;
  /** SHA-256 of the content for large files, Git's SHA-1 of it for small ones. */
  readonly hash: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Transfers {
  readonly patience?: Partial<TransferPatience>;
  /** Called for each file with a function that gets its bytes, those of earlier runs included. */
  readonly progress?: (name: string) => (done: number, total: number) => void;
}

/**
 * @param folder of the repository, in the cache
 * @throws ConversionError naming the file. What had come stays as `<blob>.incomplete`, unless it is wrong.
 */
export async function keepHubFile(file: HubFile, folder: string, commit: string, transfers: Transfers): Promise<void> {
  const hash = hashOf(file);
  const blob = join(folder, 'blobs', file.hash);
  const pointer = join(folder, 'snapshots', commit, file.path);
  await mkdir(dirname(blob), { recursive: true });
  await mkdir(dirname(pointer), { recursive: true });
  if (!existsSync(blob)) await complete(file, hash, blob, transfers);
  await rm(pointer, { force: true });
  // Where links need a privilege (Windows), a copy.
  await symlink(relative(dirname(pointer), blob), pointer).catch(() => copyFile(blob, pointer));
}

async function complete(
  file: HubFile,
  hash: Hash,
  blob: string,
  { patience = {}, progress }: Transfers,
): Promise<void> {
  const partial = `${blob}.incomplete`;
  const told = progress?.(file.name) ?? (() => {});
  // A transfer that was never begun has no partial file.
  let done = (await stat(partial).catch(() => null))?.size ?? 0;
  if (done > file.bytes) {
    await rm(partial);
    done = 0;
  }
  if (done > 0) for await (const chunk of createReadStream(partial)) hash.update(chunk);
  if (done < file.bytes) {
    const handle = await open(partial, 'a');
    try {
      for await (const chunk of transfer(file.url, file.name, { headers: file.headers, patience }, done)) {
        await handle.appendFile(chunk);
        hash.update(chunk);
        done += chunk.length;
        told(done, file.bytes);
      }
    } catch (error) {
      throw error instanceof TransferError ? new ConversionError(error.message, { cause: error }) : error;
    } finally {
      await handle.close();
    }
  }
  const digest = hash.digest('hex');
  if (done !== file.bytes || digest !== file.hash) {
    await rm(partial, { force: true });
    const what =
      done === file.bytes ? `its hash is ${digest}, not ${file.hash}` : `${done} of ${file.bytes} bytes came`;
    throw new ConversionError(`${file.name} came wrong: ${what}; fetch it again`);
  }
  await rename(partial, blob);
}

/** @throws ConversionError where the hub's hash is neither, and so no name in the cache either */
function hashOf({ name, hash, bytes }: HubFile): Hash {
  if (/^[0-9a-f]{64}$/.test(hash)) return createHash('sha256');
  if (/^[0-9a-f]{40}$/.test(hash)) return createHash('sha1').update(`blob ${bytes}\0`);
  throw new ConversionError(`${name}: the hub gives ${JSON.stringify(hash)} as its hash`);
}
