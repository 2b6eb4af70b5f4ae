import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { decodeChatResult } from '../../src/providers/openai/decode.ts';
import { filesIn, hasWireData, readData, readJsonData } from './golden-files.ts';
import { roads } from './open-stream.ts';

const VENDORS = ['openai', 'groq', 'xai', 'gemini'];
const chats = VENDORS.flatMap((vendor) =>
  filesIn(`gomodel-recordings/${vendor}`, '.json')
    .filter((name) => name.startsWith('chat_'))
    .map((name) => `gomodel-recordings/${vendor}/${name}`),
);
const cassettes = filesIn('envoy-cassettes', '.yaml').filter(
  (name) => name.startsWith('chat-') || name.startsWith('azure-'),
);

describe.skipIf(!hasWireData)('recorded answers of four vendors on the openai wire', () => {
  test.each(chats)('%s', (path) => {
    const body = readJsonData(path);
    const result = decodeChatResult(body);
    const usage = objectAt(body, 'usage') ?? {};
    expect(result.usage.inputTokens).toBe(Number(usage['prompt_tokens']));
    // Prompt and answer are the total, also where a vendor leaves reasoning out of the answer.
    expect(result.usage.inputTokens + result.usage.outputTokens).toBe(Number(usage['total_tokens']));
    expect(result.parts.length).toBeGreaterThan(0);
    expect(result.finish).not.toBe('other');
  });
});

describe.skipIf(!hasWireData)('a recorded stream of the anthropic wire', () => {
  const path = 'gomodel-recordings/anthropic/messages_stream.txt';

  test('passes to the byte, and is counted', async () => {
    const text = readData(path);
    const { parts, bytes } = await roads.passAnthropic(text, { packetBytes: 1 });
    expect(text.startsWith(bytes) || bytes.startsWith(text)).toBe(true);
    expect(parts).toEqual([
      { type: 'usage', usage: expect.objectContaining({ inputTokens: 10, outputTokens: 5, basis: 'reported' }) },
      { type: 'finish', finish: 'stop' },
    ]);
  });

  test('is understood', async () => {
    const { parts } = await roads.decodeAnthropic(readData(path), { packetBytes: 3 });
    expect(parts.map((part) => (part.type === 'text' ? part.text : '')).join('')).toBe('Hello World');
  });
});

describe.skipIf(!hasWireData)('recorded exchanges of the openai wire', () => {
  test.each(cassettes)('%s', async (name) => {
    const cassette: unknown = parse(readData(`envoy-cassettes/${name}`));
    const interactions =
      isJsonObject(cassette) && Array.isArray(cassette['interactions']) ? cassette['interactions'] : [];
    expect(interactions.length).toBeGreaterThan(0);
    for (const interaction of interactions.filter(isJsonObject)) {
      const answer = objectAt(interaction, 'response') ?? {};
      const body = stringAt(answer, 'body') ?? '';
      if (body.startsWith('data:')) await checkStream(body);
      else {
        const json = parseJson(body);
        if (Number(answer['code'] ?? 200) < 300 && isJsonObject(json) && json['choices'] !== undefined) {
          expect(decodeChatResult(json).usage.outputTokens).toBeGreaterThan(0);
        }
      }
    }
  });
});

async function checkStream(body: string): Promise<void> {
  const passed = await roads.passOpenAi(body, {}, { packetBytes: 5 });
  expect(body.startsWith(passed.bytes) || passed.bytes.startsWith(body)).toBe(true);
  expect(passed.parts.filter((part) => part.type === 'finish')).toHaveLength(1);
  const { parts } = await roads.decodeOpenAi(body, { packetBytes: 5 });
  expect(parts[0]?.type).toBe('start');
  expect(parts.at(-1)?.type).toBe('finish');
  expect(parts.map((part) => (part.type === 'text' ? part.text : '')).join('')).toBe(textIn(body));
}

/** The text of a stream, by nothing but its lines. */
function textIn(body: string): string {
  return body
    .split('\n')
    .map((line) => {
      const chunk = parseJson(line.slice('data: '.length));
      const [choice] = isJsonObject(chunk) && Array.isArray(chunk['choices']) ? chunk['choices'] : [];
      const delta: JsonObject = isJsonObject(choice) ? (objectAt(choice, 'delta') ?? {}) : {};
      return stringAt(delta, 'content') ?? '';
    })
    .join('');
}
