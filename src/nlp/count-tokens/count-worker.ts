import { boundedCount } from './bounded-count.ts';
import type { Encoding } from './model-family.ts';

declare const self: {
  onmessage: ((event: { data: CountTask }) => void) | null;
  postMessage(answer: CountAnswer): void;
};

/** What the worker is asked for. */
export interface CountTask {
  id: number;
  encoding: Encoding;
  texts: readonly string[];
  /** Counting ends once the sum is above this. */
  stopAbove: number;
}

/** Counts of the texts from the first on; shorter than the texts where counting ended early. */
export interface CountAnswer {
  id: number;
  counts: number[];
}

interface Tokeniser {
  countTokens(text: string, options: { disallowedSpecial: Set<string> }): number;
}

const LOADERS: Record<Encoding, () => Promise<Tokeniser>> = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
};

/** What looks like a control token in a text of people is text. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

self.onmessage = ({ data: { id, encoding, texts, stopAbove } }): void => {
  void LOADERS[encoding]().then((tokeniser) => {
    const tokensOf = (piece: string): number => tokeniser.countTokens(piece, AS_TEXT);
    const counts: number[] = [];
    let left = stopAbove;
    for (const text of texts) {
      const count = boundedCount(text, { tokensOf, stopAbove: left });
      counts.push(count);
      left -= count;
      if (left < 0) break;
    }
    self.postMessage({ id, counts });
  });
};
