import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt, isJsonObject, parseJson, stringAt } from '../../src/lib/json.ts';
import type { JsonObject } from '../../src/lib/json.ts';

const DATA = join(import.meta.dir, '../../../shared/data');

export interface CorpusRow {
  id: string;
  title: string;
  text: string;
}

export interface Question {
  id: string;
  text: string;
  relevant: string[];
}

export interface RetrievalSet {
  name: string;
  corpus: CorpusRow[];
  questions: Question[];
}

const FILES: [name: string, corpus: string, questions: string][] = [
  ['jsquad-valid', 'jsquad-valid.corpus', 'jsquad-valid.queries'],
  ['jaquad-train', 'jaquad-train.corpus', 'jaquad-train.queries'],
  ['xquad-en', 'xquad-en.corpus', 'xquad-en.queries'],
  ['scifact', 'scifact.corpus', 'scifact-train.queries'],
];

/** True where the evaluation data lies beside the repository. */
export function hasData(): boolean {
  return existsSync(join(DATA, 'retrieval'));
}

/** The sets with judged questions: find the paragraph that answers. */
export async function retrievalSets(): Promise<RetrievalSet[]> {
  return Promise.all(
    FILES.map(async ([name, corpus, questions]) => ({
      name,
      corpus: (await lines(`retrieval/${corpus}.jsonl`)).map((row) => ({
        id: text(row, 'id'),
        title: text(row, 'title'),
        text: text(row, 'text'),
      })),
      questions: (await lines(`retrieval/${questions}.jsonl`)).map((row) => ({
        id: text(row, 'id'),
        text: text(row, 'text'),
        relevant: arrayAt(row, 'relevant').map(String),
      })),
    })),
  );
}

const EVERY = 4;

/**
 * Every fourth English paragraph as a question for its Japanese translation, among all of them; short ones, which
 * say too little, left out.
 */
export async function crossLingualSet(): Promise<RetrievalSet> {
  const pairs = (await lines('scale/python-docs-en-ja.jsonl')).filter(
    (row) => text(row, 'ja').length >= 20 && text(row, 'en').length >= 40,
  );
  return {
    name: 'python-docs-en-ja',
    corpus: pairs.map((row) => ({ id: text(row, 'id'), title: '', text: text(row, 'ja') })),
    questions: pairs
      .filter((_, i) => i % EVERY === 0)
      .map((row) => ({ id: text(row, 'id'), text: text(row, 'en'), relevant: [text(row, 'id')] })),
  };
}

/** English and Japanese paragraphs of the documentation, for bulk. */
export async function bulkTexts(): Promise<string[]> {
  return (await lines('scale/python-docs-en-ja.jsonl'))
    .flatMap((row) => [text(row, 'en'), text(row, 'ja')])
    .filter((each) => each.length >= 60);
}

async function lines(path: string): Promise<JsonObject[]> {
  const content = await Bun.file(join(DATA, path)).text();
  return content.split('\n').map(parseJson).filter(isJsonObject);
}

function text(row: JsonObject, key: string): string {
  return stringAt(row, key) ?? '';
}
