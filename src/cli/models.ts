import { findLocalModels } from '../providers/onnx/model-folder.ts';
import { pullModel } from '../providers/onnx/pull-model.ts';
import type { Command } from './command.ts';
import { settingsOf } from './settings-of.ts';

const HUB = 'https://huggingface.co';
const MEGABYTE = 1024 * 1024;

/** `models list` and `models pull <owner/name>`: embedding and rerank models that run inside the process. */
export const modelsCommand: Command = async (input) => {
  const { words, options, environment, terminal } = input;
  const [verb, repository, ...rest] = words;
  const { modelsFolder: folder } = settingsOf(input);
  if (verb === 'list' && repository === undefined) {
    for (const { name, kind, maxTokens } of findLocalModels(folder)) {
      terminal.print(`local/${name}\t${kind}\t${maxTokens} tokens`);
    }
    return 0;
  }
  if (verb !== 'pull' || repository === undefined || rest.length > 0) {
    terminal.warn('sekisho models list | sekisho models pull OWNER/NAME [--file onnx/model_quantized.onnx]');
    return 2;
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  let shown = -1;
  const model = await pullModel({
    repository,
    folder,
    ...(options.file !== undefined && { file: options.file }),
    hub: (environment.get('HF_ENDPOINT') ?? HUB).replace(/\/$/, ''),
    signal: stop.signal,
    onProgress: (done, total) => {
      const megabytes = Math.ceil(done / MEGABYTE);
      if (megabytes === shown) return;
      shown = megabytes;
      terminal.progress(`${repository}, MB`, megabytes, Math.ceil(total / MEGABYTE));
    },
  });
  terminal.print(`local/${model.name} (${model.kind}) is ready in ${model.folder}`);
  return 0;
};
