import { createHash } from 'node:crypto';
import type { FileToParse } from '../../ingest/parse/parse-file.ts';
import type { Connector } from './connector.ts';

/** Files that were handed over. What was handed over before stays: a part of what there is says nothing of the rest. */
export function createUploadConnector(files: readonly FileToParse[]): Connector {
  return {
    list: async function* () {
      for (const file of files) {
        const stamp = createHash('sha256').update(file.bytes).digest('hex');
        yield { kind: 'item', key: file.name, stamp, fetch: () => Promise.resolve(file) };
      }
      return { complete: true, isPart: true };
    },
  };
}
