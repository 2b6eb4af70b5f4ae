import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';

/** How the vectors of tokens become the one of a text. */
export type Pooling = 'mean' | 'cls' | 'last';

/** A model in a folder as Hugging Face lays it out: tokenizer.json, config.json, and the ONNX file. */
export interface LocalModel {
  name: string;
  folder: string;
  kind: 'embedding' | 'rerank';
  onnx: string;
  /** Changes with the weights: the size and time of the ONNX file. */
  stamp: string;
  pooling: Pooling;
  /** Longer texts are cut. */
  maxTokens: number;
  padToken: string | undefined;
  /** What the model wants before a text, by what the text is for. */
  prefixes: { query: string; document: string };
}

/** In order of wish: whole weights first, since a smaller file was asked for by leaving the others out. */
export const ONNX_FILES = ['onnx/model.onnx', 'model.onnx', 'onnx/model_quantized.onnx', 'model_quantized.onnx'];
const LONGEST = 8_192;
const MOST_MODELS = 100;

/** Prefixes that models were trained with and whose folders do not tell them, by name. */
const KNOWN_PREFIXES: readonly { name: RegExp; query: string; document: string }[] = [
  { name: /(?:^|-)e5-/i, query: 'query: ', document: 'passage: ' },
  { name: /^ruri-v3/i, query: '検索クエリ: ', document: '検索文書: ' },
  { name: /^ruri-(?!v3)/i, query: 'クエリ: ', document: '文章: ' },
  {
    name: /^bge-(?:small|base|large)-en/i,
    query: 'Represent this sentence for searching relevant passages: ',
    document: '',
  },
];

/** The models in the folders below a folder, by name; folders without an ONNX file are none. */
export function findLocalModels(folder: string): LocalModel[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.') && statSync(join(folder, name)).isDirectory())
    .slice(0, MOST_MODELS)
    .flatMap((name) => readLocalModel(name, join(folder, name)) ?? [])
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The model of a folder; undefined where it holds no ONNX file, no tokenizer or no config. */
export function readLocalModel(name: string, folder: string): LocalModel | undefined {
  const file = ONNX_FILES.find((each) => existsSync(join(folder, each)));
  const config = jsonIn(folder, 'config.json');
  if (file === undefined || config === undefined || !existsSync(join(folder, 'tokenizer.json'))) return undefined;
  const onnx = join(folder, file);
  const { size, mtimeMs } = statSync(onnx);
  const tokenizer = jsonIn(folder, 'tokenizer_config.json') ?? {};
  const reranks = arrayAt(config, 'architectures').some(
    (each) => typeof each === 'string' && each.includes('ForSequenceClassification'),
  );
  return {
    name,
    folder,
    kind: reranks ? 'rerank' : 'embedding',
    onnx,
    stamp: `${size}-${Math.trunc(mtimeMs)}`,
    pooling: poolingOf(jsonIn(folder, '1_Pooling/config.json')),
    maxTokens: longest(config, tokenizer, jsonIn(folder, 'sentence_bert_config.json')),
    padToken: stringAt(tokenizer, 'pad_token') ?? stringAt(objectAt(tokenizer, 'pad_token') ?? {}, 'content'),
    prefixes: prefixesOf(name, jsonIn(folder, 'config_sentence_transformers.json')),
  };
}

function poolingOf(config: JsonObject | undefined): Pooling {
  if (config?.['pooling_mode_cls_token'] === true) return 'cls';
  return config?.['pooling_mode_lasttoken'] === true ? 'last' : 'mean';
}

/** The least of what the files say; a tokenizer without a bound says 1e30. */
function longest(config: JsonObject, tokenizer: JsonObject, sentences: JsonObject | undefined): number {
  const told = [
    numberAt(sentences ?? {}, 'max_seq_length'),
    numberAt(tokenizer, 'model_max_length'),
    numberAt(config, 'max_position_embeddings'),
    LONGEST,
  ];
  return Math.min(...told.filter((each): each is number => each !== undefined && each > 0));
}

function prefixesOf(name: string, config: JsonObject | undefined): LocalModel['prefixes'] {
  const prompts = objectAt(config ?? {}, 'prompts') ?? {};
  const query = stringAt(prompts, 'query');
  const document = stringAt(prompts, 'document') ?? stringAt(prompts, 'passage');
  if ((query ?? '') !== '' || (document ?? '') !== '') return { query: query ?? '', document: document ?? '' };
  const known = KNOWN_PREFIXES.find((each) => each.name.test(name));
  return { query: known?.query ?? '', document: known?.document ?? '' };
}

function jsonIn(folder: string, file: string): JsonObject | undefined {
  const path = join(folder, file);
  if (!existsSync(path)) return undefined;
  const json = parseJson(readFileSync(path, 'utf8'));
  return isJsonObject(json) ? json : undefined;
}
