import { readFileSync } from 'node:fs';
import { createStaticEncoder, type StaticEncoder } from '../../nlp/embed/static-encoder.ts';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { ChunkerSettings } from '../../spec/collection.ts';
import { chunkerOf } from './chunkers/chunker-of.ts';
import { prepareDocument, type DocumentText, type PreparedChunk } from './prepare-document.ts';

declare const self: {
  onmessage: ((event: { data: TextTask }) => void) | null;
  postMessage(answer: TextAnswer, transfer?: ArrayBuffer[]): void;
};

/** What the worker is asked for; tasks are done in order. */
export type TextTask = { id: number; modelPath: string } & (
  | { kind: 'prepare'; chunker: ChunkerSettings; documents: readonly DocumentText[] }
  | { kind: 'encode'; texts: readonly string[] }
);

/** One document: its chunks, or what kept it from being cut. */
export type PreparedDocument = { chunks: PreparedChunk[] } | { problem: string };

export type TextAnswer = { id: number } & (
  | { prepared: PreparedDocument[] }
  /** The vectors one after the other. */
  | { vectors: Float32Array<ArrayBuffer>; dimensions: number; tokens: number }
  | { problem: string }
);

/** Works off tasks; analyser and model are made at the first that needs them. */
function createAnswer(): (task: TextTask) => Promise<void> {
  const analyser = createTextAnalyser();
  let made: { path: string; encoder: StaticEncoder } | undefined;

  function encoderAt(path: string): StaticEncoder {
    if (made?.path !== path) made = { path, encoder: createStaticEncoder(readFileSync(path)) };
    return made.encoder;
  }

  async function prepare(task: Extract<TextTask, { kind: 'prepare' }>): Promise<PreparedDocument[]> {
    const how = {
      chunker: chunkerOf(task.chunker),
      tools: {
        sentences: analyser.sentences,
        countTokens: encoderAt(task.modelPath).countTokens,
        embed: () => Promise.reject(new Error('no model can be asked from here')),
      },
      terms: analyser.terms,
      pause: () => undefined,
    };
    const prepared: PreparedDocument[] = [];
    for (const document of task.documents) {
      prepared.push(
        await prepareDocument(document, how).then(
          (chunks) => ({ chunks }),
          (thrown: unknown) => ({ problem: String(thrown) }),
        ),
      );
    }
    return prepared;
  }

  function encode(task: Extract<TextTask, { kind: 'encode' }>) {
    const { dimensions, encodeInto } = encoderAt(task.modelPath);
    const vectors = new Float32Array(task.texts.length * dimensions);
    let tokens = 0;
    for (const [at, text] of task.texts.entries()) tokens += encodeInto(text, vectors, at * dimensions);
    return { vectors, dimensions, tokens };
  }

  return async (task) => {
    const { id } = task;
    try {
      if (task.kind === 'prepare') return self.postMessage({ id, prepared: await prepare(task) });
      const encoded = encode(task);
      self.postMessage({ id, ...encoded }, [encoded.vectors.buffer]);
    } catch (thrown) {
      self.postMessage({ id, problem: String(thrown) });
    }
  };
}

const answer = createAnswer();
self.onmessage = ({ data }): void => void answer(data);
