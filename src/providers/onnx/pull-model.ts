import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, stringAt } from '../../lib/json.ts';
import { ONNX_FILES, readLocalModel, type LocalModel } from './model-folder.ts';

export interface PullOptions {
  /** `owner/name` on the hub. */
  repository: string;
  /** Where models lie; the new one gets a folder under the name of the repository. */
  folder: string;
  /** Which ONNX file; absent: the whole weights where there are some, else the quantised. */
  file?: string;
  /** A branch, a tag or a commit. */
  revision?: string;
  /** https://huggingface.co or a mirror that speaks the same. */
  hub: string;
  signal: AbortSignal;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

interface RemoteFile {
  name: string;
  size: number;
  /** Of files in large file storage. */
  sha256: string | undefined;
}

const SMALL_FILES = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
  '1_Pooling/config.json',
];
const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
const MOST_BYTES = 8 * 1024 ** 3;
const MOST_LISTING_BYTES = 8 * 1024 ** 2;

/**
 * Fetches a model of the Hugging Face hub: its tokenizer, its configuration and one ONNX file, each at the commit
 * that the revision names now, checked against the sizes and hashes that the hub states. The model appears
 * complete or not at all; one of the same name is replaced.
 * @throws Error in plain words.
 */
export async function pullModel(options: PullOptions): Promise<LocalModel> {
  const { repository, folder, signal } = options;
  if (!REPOSITORY.test(repository) || repository.includes('..')) {
    throw new Error(`"${repository}" names no model: write owner/name, such as BAAI/bge-small-en-v1.5.`);
  }
  const { commit, files } = await listing(options);
  const wanted = chosen(files, options);
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  if (total > MOST_BYTES) throw new Error(`${repository} has ${total} bytes, more than ${MOST_BYTES}.`);

  const name = repository.slice(repository.indexOf('/') + 1);
  const place = join(folder, name);
  const part = `${place}.part`;
  rmSync(part, { recursive: true, force: true });
  try {
    let done = 0;
    for (const file of wanted) {
      const target = join(part, file.name);
      mkdirSync(dirname(target), { recursive: true });
      const url = `${options.hub}/${repository}/resolve/${commit}/${file.name}`;
      await download(url, target, { file, signal, onBytes: (bytes) => options.onProgress?.((done += bytes), total) });
    }
    const model = readLocalModel(name, part);
    if (model === undefined)
      throw new Error(`${repository} has no config.json or tokenizer.json beside its ONNX file.`);
    rmSync(place, { recursive: true, force: true });
    renameSync(part, place);
    return readLocalModel(name, place) ?? model;
  } finally {
    if (existsSync(part)) rmSync(part, { recursive: true, force: true });
  }
}

async function listing({ hub, repository, revision = 'main', signal }: PullOptions) {
  const url = `${hub}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const response = await answered(url, signal);
  const text = await response.text();
  const json = text.length > MOST_LISTING_BYTES ? undefined : parseJson(text);
  const commit = isJsonObject(json) ? stringAt(json, 'sha') : undefined;
  if (!isJsonObject(json) || commit === undefined || !/^[0-9a-f]{6,64}$/.test(commit)) {
    throw new Error(`${hub} did not say what ${repository} holds.`);
  }
  const files = arrayAt(json, 'siblings')
    .filter(isJsonObject)
    .flatMap((each): RemoteFile[] => {
      const name = stringAt(each, 'rfilename');
      const size = numberAt(each, 'size');
      if (name === undefined || size === undefined) return [];
      return [{ name, size, sha256: stringAt(objectAt(each, 'lfs') ?? {}, 'sha256') }];
    });
  return { commit, files };
}

function chosen(files: readonly RemoteFile[], { repository, file }: PullOptions): RemoteFile[] {
  const offered = files.map(({ name }) => name).filter((name) => /^[\w./-]+\.onnx$/.test(name) && !name.includes('..'));
  const onnx = file ?? ONNX_FILES.find((name) => offered.includes(name));
  if (onnx === undefined || !offered.includes(onnx)) {
    const has = offered.length === 0 ? 'It has none.' : `It has: ${offered.slice(0, 20).join(', ')}.`;
    throw new Error(`${repository} has no ONNX file${file === undefined ? '' : ` "${file}"`}. ${has}`);
  }
  // Weights beyond two gigabytes lie beside their graph.
  const names = new Set([...SMALL_FILES, onnx, `${onnx}_data`, onnx.replace(/\.onnx$/, '.onnx.data')]);
  return files.filter(({ name }) => names.has(name));
}

async function answered(url: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal }).catch((cause: unknown) => {
    throw new Error(`${new URL(url).host} cannot be reached.`, { cause });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}.`);
  return response;
}

async function download(
  url: string,
  path: string,
  { file, signal, onBytes }: { file: RemoteFile; signal: AbortSignal; onBytes: (bytes: number) => void },
): Promise<void> {
  const response = await answered(url, signal);
  if (response.body === null) throw new Error(`${url} answered with nothing.`);
  const output = createWriteStream(path);
  const failed = once(output, 'error').then(([error]) => {
    throw error instanceof Error ? error : new Error('The file cannot be written.');
  });
  failed.catch(() => undefined);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > file.size) break;
      hash.update(chunk);
      if (!output.write(chunk)) await Promise.race([once(output, 'drain'), failed]);
      onBytes(chunk.length);
    }
  } finally {
    output.end();
  }
  await Promise.race([once(output, 'close'), failed]);
  if (bytes !== file.size) throw new Error(`${file.name} came with ${bytes} bytes in place of ${file.size}.`);
  if (file.sha256 !== undefined && hash.digest('hex') !== file.sha256) {
    throw new Error(`${file.name} is not what the hub says it is: its hash differs.`);
  }
}
