import type { FileFormat } from './file-format.ts';
import { parseParts } from './parse-parts.ts';
import { problemOf, type ParsedPart } from './parsed.ts';
import { unpackBudget } from './read-zip.ts';

declare const self: {
  onmessage: ((event: { data: ParseTask }) => void) | null;
  postMessage(answer: ParseAnswer): void;
};

/** What the worker is asked for. */
export interface ParseTask {
  name: string;
  format: FileFormat;
  bytes: Uint8Array;
}

/** Parts come as they are read; documents of one part may come in several. The last answer is `ended` or `problem`. */
export type ParseAnswer = { part: ParsedPart } | { ended: true } | { problem: string };

/** Documents per message: taking in many at once would hold up everyone on the other side. */
const AT_ONCE = 1_000;

self.onmessage = ({ data: { name, format, bytes } }): void => {
  const parse = async (): Promise<void> => {
    for await (const part of parseParts({ name, format, bytes }, unpackBudget())) {
      if ('problem' in part || part.documents.length <= AT_ONCE) {
        self.postMessage({ part });
        continue;
      }
      for (let from = 0; from < part.documents.length; from += AT_ONCE) {
        self.postMessage({ part: { path: part.path, documents: part.documents.slice(from, from + AT_ONCE) } });
      }
    }
  };
  parse().then(
    () => self.postMessage({ ended: true }),
    (thrown: unknown) => self.postMessage({ problem: problemOf(thrown, format) }),
  );
};
