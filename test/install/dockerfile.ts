/** Runs the steps of a Dockerfile in folders, one for each stage. Steps run on this machine, not in the base image. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join, matchesGlob, relative, resolve } from 'node:path';
import { promisify } from 'node:util';

/** What a stage has after its last step. */
export interface Stage {
  /** The folder that stands for `/` of the image. */
  readonly root: string;
  /** Absolute, in the image. */
  workdir: string;
  readonly env: Record<string, string>;
  cmd: readonly string[];
}

export interface Build {
  /** Absolute path of the build context. */
  readonly context: string;
  /** An empty folder. */
  readonly scratch: string;
  /** `--build-arg`, by name. */
  readonly args: Readonly<Record<string, string>>;
  /** Stages that an earlier build made: they are taken as they are. */
  readonly done: ReadonlyMap<string, Stage>;
  /** Commands that are done in another way, by `STAGE: COMMAND`. It gets the folder that the command would run in. */
  readonly instead: ReadonlyMap<string, (folder: string) => Promise<void>>;
}

interface Step {
  readonly instruction: string;
  readonly rest: string;
}

function parseSteps(text: string): readonly Step[] {
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, instruction, rest] = /^(\S+)\s+(.*)$/.exec(line)!;
      return { instruction: instruction!, rest: rest!.trim() };
    });
}

/** @returns the stages by name; the last one is named `image` where it has no name */
export async function build(options: Build): Promise<ReadonlyMap<string, Stage>> {
  const { context, scratch, args, done, instead } = options;
  const ignored = (await readFile(join(context, '.dockerignore'), 'utf8')).split('\n').filter((line) => line !== '');
  const stages = new Map<string, Stage>(done);
  let name = '';
  let stage: Stage | undefined;
  let variables: Record<string, string> = {};
  for (const { instruction, rest } of parseSteps(await readFile(join(context, 'Dockerfile'), 'utf8'))) {
    if (instruction === 'FROM') {
      const [image, as] = rest.split(/\s+AS\s+/i);
      if (image !== `node:${process.versions.node.split('.')[0]}-slim`) {
        throw new Error(`The base image is ${image}, and the steps would run on Node ${process.version}`);
      }
      name = as ?? 'image';
      variables = {};
      stage = done.has(name) ? undefined : { root: join(scratch, name), workdir: '/', env: {}, cmd: [] };
      if (stage) {
        stages.set(name, stage);
        await mkdir(stage.root);
      }
      continue;
    }
    if (!stage) continue;
    const folder = join(stage.root, stage.workdir);
    switch (instruction) {
      case 'WORKDIR':
        stage.workdir = resolve(stage.workdir, rest);
        await mkdir(join(stage.root, stage.workdir), { recursive: true });
        break;
      case 'ARG': {
        const [key, fallback = ''] = rest.split('=');
        variables[key!] = args[key!] ?? fallback.replaceAll('"', '');
        break;
      }
      case 'ENV':
        for (const pair of rest.split(/\s+/)) {
          const [key, value] = pair.split('=');
          stage.env[key!] = value!;
        }
        break;
      case 'RUN': {
        const other = instead.get(`${name}: ${rest}`);
        if (other) await other(folder);
        else await run(rest, folder, { ...variables, ...stage.env });
        break;
      }
      case 'COPY':
        await copy(rest.split(/\s+/), folder, context, stages, ignored);
        break;
      case 'CMD':
        stage.cmd = JSON.parse(rest);
        break;
      case 'USER':
      case 'EXPOSE':
      case 'HEALTHCHECK':
        break;
      default:
        throw new Error(`No folder stands for ${instruction}`);
    }
  }
  return stages;
}

/** As in the image, `node` is this process's, and no test is under way. npm may need the rest of this environment. */
async function run(command: string, cwd: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const { NODE_ENV: _test, PATH, ...environment } = process.env;
  const path = `${resolve(process.execPath, '..')}:${PATH}`;
  const env = { ...environment, PATH: path, ...variables };
  await promisify(execFile)('sh', ['-c', command], { cwd, env, maxBuffer: 1 << 26 });
}

/** @param words of a COPY: perhaps `--from=STAGE`, the sources, where to */
async function copy(
  words: readonly string[],
  folder: string,
  context: string,
  stages: ReadonlyMap<string, Stage>,
  ignored: readonly string[],
): Promise<void> {
  const from = words[0]!.startsWith('--from=') ? stages.get(words[0]!.slice('--from='.length))!.root : null;
  const paths = from === null ? words : words.slice(1);
  const to = resolve(folder, paths.at(-1)!);
  const base = from ?? context;
  for (const path of paths.slice(0, -1)) {
    const source = join(base, path);
    const kept = (file: string) =>
      from !== null || !ignored.some((pattern) => matchesGlob(relative(context, file), pattern));
    // The contents of a folder; a file under its own name.
    const isFolder = (await stat(source)).isDirectory();
    await cp(source, isFolder ? to : join(to, basename(path)), { recursive: true, filter: kept });
  }
}
