import { parseDocx } from './docx.ts';
import { parsePdf } from './pdf.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

declare const self: {
  onmessage: ((event: { data: HeavyTask }) => void) | null;
  postMessage(answer: HeavyAnswer): void;
};

/** What the worker is asked for: formats whose parsers may take long or much. */
export interface HeavyTask {
  format: 'pdf' | 'docx';
  bytes: Uint8Array;
}

export type HeavyAnswer = { parsed: ParsedDocument } | { problem: string };

self.onmessage = ({ data: { format, bytes } }): void => {
  (format === 'pdf' ? parsePdf(bytes) : parseDocx(bytes)).then(
    (parsed) => self.postMessage({ parsed }),
    (thrown: unknown) => {
      const known = thrown instanceof UnreadableFile;
      self.postMessage({ problem: known ? thrown.message : `the ${format} is damaged or not a ${format}` });
    },
  );
};
