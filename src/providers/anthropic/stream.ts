import { isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import { parseSse, splitSse } from '../../lib/sse.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Usage } from '../../spec/usage.ts';
import type { EventRuns } from '../kit/upstream.ts';
import { decodeFinish } from './decode.ts';
import { decodeUsage } from './usage.ts';

/** Events that tell of more than content; no other event is parsed on a pass-through. */
const TELLING = ['message_start', 'message_delta', 'message_stop', 'event: error', '"type":"error"', '"type": "error"'];

/** Pings are no data: a model that only pings has stalled. */
export function hasData(run: Buffer): boolean {
  if (!run.includes('data:')) return false;
  return !run.includes('ping') || parseSse(run).some(({ data }) => !/^\s*\{\s*"type"\s*:\s*"ping"/.test(data));
}

/** Frames of a stream: with `passThrough` the events as they came, else every event in the vocabulary. */
export async function* readMessageStream(options: {
  runs: EventRuns;
  target: string;
  passThrough: boolean;
}): AsyncGenerator<StreamFrame> {
  const { target, passThrough } = options;
  const decoder = createMessageDecoder(target);
  let stopped = false;
  let failure: SekishoError | undefined;
  try {
    for await (const run of options.runs) {
      if (passThrough && !TELLING.some((name) => run.includes(name))) {
        yield { bytes: run, parts: [] };
        continue;
      }
      const parts: StreamPart[] = [];
      const passed: Uint8Array[] = [];
      for (const piece of splitSse(run)) {
        const decoded = parseSse(piece).flatMap(({ data }) => decoder.decode(data));
        parts.push(...decoded);
        if (decoded.some((part) => part.type === 'error')) break;
        passed.push(piece);
      }
      stopped ||= parts.some((part) => part.type === 'finish');
      const failed = parts.some((part) => part.type === 'error');
      if (passThrough) {
        const telling = parts.filter((part) => part.type === 'usage' || part.type === 'finish' || part.type === 'error');
        yield { bytes: Buffer.concat(passed), parts: telling };
      } else if (parts.length > 0) yield { parts };
      if (failed) return;
    }
  } catch (thrown) {
    if (thrown instanceof SekishoError && thrown.code === 'caller_left') throw thrown;
    failure = thrown instanceof SekishoError ? thrown : broken(target, thrown);
  }
  if (!stopped) yield { parts: [{ type: 'error', error: failure ?? broken(target, 'the stream closed before it was done') }] };
}

/** Decodes events one by one; usage comes in two halves, at the start and at the end. */
function createMessageDecoder(target: string): { decode(data: string): StreamPart[] } {
  let started: JsonObject = {};
  let finish: StreamPart = { type: 'finish', finish: 'stop' };
  let usage: Usage | undefined;
  /** Index among tool calls by index among blocks. */
  const calls = new Map<number, number>();

  function decodeEvent(event: JsonObject): StreamPart[] {
    const block = numberAt(event, 'index') ?? 0;
    switch (event['type']) {
      case 'message_start': {
        const message = objectAt(event, 'message') ?? {};
        started = objectAt(message, 'usage') ?? {};
        usage = decodeUsage(started);
        return [
          { type: 'start', id: stringAt(message, 'id') ?? '', model: stringAt(message, 'model') ?? '', createdMs: Date.now() },
        ];
      }
      case 'content_block_start': {
        const content = objectAt(event, 'content_block') ?? {};
        if (content['type'] !== 'tool_use') return [];
        const index = calls.size;
        calls.set(block, index);
        return [{ type: 'tool-call-start', index, id: stringAt(content, 'id') ?? '', name: stringAt(content, 'name') ?? '' }];
      }
      case 'content_block_delta':
        return decodeDelta(objectAt(event, 'delta') ?? {}, calls.get(block) ?? 0);
      case 'message_delta': {
        // The numbers here are totals; a field that is missing keeps the value of the start.
        usage = decodeUsage({ ...started, ...objectAt(event, 'usage') });
        finish = { type: 'finish', finish: decodeFinish(stringAt(objectAt(event, 'delta') ?? {}, 'stop_reason') ?? '') };
        return [];
      }
      case 'message_stop':
        return usage === undefined ? [finish] : [{ type: 'usage', usage }, finish];
      case 'error':
        return [{ type: 'error', error: new SekishoError('upstream_failed', { values: { target }, cause: new Error(JSON.stringify(event).slice(0, 2_000)) }) }];
      default:
        return [];
    }
  }

  return {
    decode: (data) => {
      const event = parseJson(data);
      return isJsonObject(event) ? decodeEvent(event) : [{ type: 'error', error: broken(target, 'an event was not JSON') }];
    },
  };
}

function decodeDelta(delta: JsonObject, call: number): StreamPart[] {
  switch (delta['type']) {
    case 'text_delta':
      return [{ type: 'text', text: stringAt(delta, 'text') ?? '' }];
    case 'thinking_delta':
      return [{ type: 'reasoning', text: stringAt(delta, 'thinking') ?? '' }];
    case 'signature_delta':
      return [{ type: 'reasoning', text: '', signature: stringAt(delta, 'signature') ?? '' }];
    case 'input_json_delta':
      return [{ type: 'tool-call-delta', index: call, arguments: stringAt(delta, 'partial_json') ?? '' }];
    default:
      return [];
  }
}

function broken(target: string, cause: unknown): SekishoError {
  return new SekishoError('upstream_broken', { values: { target }, cause });
}
