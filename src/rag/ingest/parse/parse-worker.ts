import type { FileFormat } from './file-format.ts';
import { PARSERS } from './parsers.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

declare const self: {
  onmessage: ((event: { data: ParseTask }) => void) | null;
  postMessage(answer: ParseAnswer): void;
};

/** What the worker is asked for. */
export interface ParseTask {
  format: FileFormat;
  bytes: Uint8Array;
}

export type ParseAnswer = { parsed: ParsedDocument[] } | { problem: string };

self.onmessage = ({ data: { format, bytes } }): void => {
  const parse = async (): Promise<ParsedDocument[]> => PARSERS[format](bytes);
  parse().then(
    (parsed) => self.postMessage({ parsed }),
    (thrown: unknown) => {
      const known = thrown instanceof UnreadableFile;
      self.postMessage({ problem: known ? thrown.message : `it is damaged or not a ${format} file` });
    },
  );
};
