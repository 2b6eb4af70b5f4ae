import { arrayAt, isJsonObject, numberAt, objectAt, parseJson } from '../../lib/json.ts';
import type { Deliver } from '../line-buffer.ts';
import { postLines, SinkRefusal, type SinkAddress } from './http-sink.ts';

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * Lines as documents over the bulk interface of Elasticsearch and OpenSearch. `create` suits indexes and data
 * streams alike; `@timestamp` is the line's time. The answer judges each document by itself: those refused for
 * now (429, 5xx) are tried again, those refused for good are lost, and neither holds up the others.
 */
export function deliverToElasticsearch(address: SinkAddress & { index: string }): Deliver {
  const bulk: SinkAddress = { url: `${address.url.replace(/\/+$/, '')}/_bulk`, headers: address.headers };
  const action = `${JSON.stringify({ create: { _index: address.index } })}\n`;
  return async (lines, signal) => {
    try {
      const body = lines.map((line) => action + withTimestamp(line)).join('');
      const answer = parseJson(await boundedText(await postLines(bulk, body, signal)));
      if (!isJsonObject(answer)) throw new Error('The answer of the log sink was not JSON.');
      if (answer['errors'] !== true) return { again: [], lost: 0 };
      const statuses = arrayAt(answer, 'items').map((item) =>
        isJsonObject(item) ? (numberAt(objectAt(item, 'create') ?? {}, 'status') ?? 500) : 500,
      );
      const again = lines.filter((_, index) => passing(statuses[index] ?? 500));
      const lost = lines.filter((_, index) => refused(statuses[index] ?? 500)).length;
      return { again, lost };
    } catch (error) {
      if (error instanceof SinkRefusal) return { again: [], lost: lines.length };
      throw error;
    }
  };
}

function passing(status: number): boolean {
  return status === 429 || status >= 500;
}

/** A conflict means that the document is there already. */
function refused(status: number): boolean {
  return status >= 400 && status !== 409 && !passing(status);
}

function withTimestamp(line: string): string {
  const time = /"time":("[^"]{0,40}")/.exec(line.slice(0, 100))?.[1];
  return time === undefined ? line : `{"@timestamp":${time},${line.slice(1)}`;
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  if (response.body === null) return text;
  for await (const piece of response.body) {
    size += piece.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('The answer of the log sink was too long.');
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}
