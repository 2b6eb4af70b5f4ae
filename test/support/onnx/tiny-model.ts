import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Words that the tiny models know; [PAD], [CLS], [SEP] and [UNK] stand before them. */
const SPECIAL = ['[PAD]', '[CLS]', '[SEP]', '[UNK]'];

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const number = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)];
const bytes = (field: number, value: readonly number[]): number[] => [
  ...varint((field << 3) | 2),
  ...varint(value.length),
  ...value,
];
const text = (field: number, value: string): number[] => bytes(field, [...Buffer.from(value)]);

const FLOAT = 1;
const INT64 = 7;

function valueInfo(name: string, type: number, shape: readonly (string | number)[]): number[] {
  const dims = shape.flatMap((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : text(2, dim)));
  return [...text(1, name), ...bytes(2, bytes(1, [...number(1, type), ...bytes(2, dims)]))];
}

function floats(name: string, dims: readonly number[], values: readonly number[]): number[] {
  const raw = [...Buffer.from(Float32Array.from(values).buffer)];
  return [...dims.flatMap((dim) => number(1, dim)), ...number(2, FLOAT), ...text(8, name), ...bytes(9, raw)];
}

function node(type: string, inputs: readonly string[], output: string, attributes: readonly number[][] = []): number[] {
  return [
    ...inputs.flatMap((input) => text(1, input)),
    ...text(2, output),
    ...text(4, type),
    ...attributes.flatMap((attribute) => bytes(5, attribute)),
  ];
}

/** An ONNX model (onnx.proto3, by hand): the rows of a table for the tokens, summed up for a reranker. */
function onnxFile(rows: readonly (readonly number[])[], kind: 'embedding' | 'rerank'): Uint8Array {
  const width = rows[0]?.length ?? 0;
  const axes = [...text(1, 'axes'), ...number(8, 1), ...number(20, 7)];
  const keep = [...text(1, 'keepdims'), ...number(3, 0), ...number(20, 2)];
  const nodes =
    kind === 'embedding'
      ? [node('Gather', ['table', 'input_ids'], 'last_hidden_state')]
      : [node('Gather', ['table', 'input_ids'], 'taken'), node('ReduceL1', ['taken'], 'logits', [axes, keep])];
  const output =
    kind === 'embedding'
      ? valueInfo('last_hidden_state', FLOAT, ['b', 's', width])
      : valueInfo('logits', FLOAT, ['b', width]);
  const graph = [
    ...nodes.flatMap((each) => bytes(1, each)),
    ...text(2, 'tiny'),
    ...bytes(5, floats('table', [rows.length, width], rows.flat())),
    ...bytes(11, valueInfo('input_ids', INT64, ['b', 's'])),
    ...bytes(11, valueInfo('attention_mask', INT64, ['b', 's'])),
    ...bytes(12, output),
  ];
  return Uint8Array.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, [...text(1, ''), ...number(2, 13)])]);
}

export interface TinyModel {
  kind: 'embedding' | 'rerank';
  /** A row of numbers for each word; special tokens and unknown words are zeros. */
  words: Readonly<Record<string, readonly number[]>>;
  maxTokens?: number;
  /** Further files by name, as JSON. */
  files?: Readonly<Record<string, object>>;
}

/** Every file of the model by its name, as a repository of the hub holds them. */
export function tinyModelFiles({ kind, words, maxTokens = 32, files = {} }: TinyModel): Map<string, Uint8Array> {
  const width = Object.values(words)[0]?.length ?? 1;
  const rows = [...SPECIAL.map(() => Array.from({ length: width }, () => 0)), ...Object.values(words)];
  const vocab = Object.fromEntries([...SPECIAL, ...Object.keys(words)].map((word, id) => [word, id]));
  const special = (id: string): object => ({ SpecialToken: { id, type_id: id === '[CLS]' ? 0 : 0 } });
  const sequence = (id: string, type_id: number): object => ({ Sequence: { id, type_id } });
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: false, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special('[CLS]'), sequence('A', 0), special('[SEP]')],
      pair: [special('[CLS]'), sequence('A', 0), special('[SEP]'), sequence('B', 1), special('[SEP]')],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((id) => [id, { id, ids: [SPECIAL.indexOf(id)], tokens: [id] }]),
      ),
    },
    decoder: null,
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
  const json: Record<string, object> = {
    'config.json': {
      architectures: [kind === 'embedding' ? 'BertModel' : 'BertForSequenceClassification'],
      max_position_embeddings: maxTokens,
    },
    'tokenizer.json': tokenizer,
    'tokenizer_config.json': { pad_token: '[PAD]', model_max_length: 1e30, tokenizer_class: 'BertTokenizer' },
    ...files,
  };
  return new Map([
    ...Object.entries(json).map(([name, value]) => [name, Buffer.from(JSON.stringify(value))] as const),
    ['onnx/model.onnx', onnxFile(rows, kind)] as const,
  ]);
}

/** Writes the model into a folder, as it lies on disk. */
export function writeTinyModel(folder: string, model: TinyModel): void {
  for (const [name, content] of tinyModelFiles(model)) {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
  }
}
