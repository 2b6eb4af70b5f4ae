import { expect, test } from 'bun:test';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { pinOf, withoutPins } from './pins.ts';

const bodyOf = (json: JsonObject) => ({ json, text: JSON.stringify(json) });

test('marks are taken from messages and from input, and nothing else is touched', () => {
  const body = bodyOf({
    model: 'fast',
    pinned: 'a field of its own',
    messages: [
      { role: 'user', content: 'pinned', pinned: true },
      { role: 'user', content: [{ pinned: true }] },
    ],
    input: [{ type: 'message', pinned: false }, 'plain'],
  });
  const bare = withoutPins(body);
  expect(parseJson(bare.text)).toEqual({
    model: 'fast',
    pinned: 'a field of its own',
    messages: [
      { role: 'user', content: 'pinned' },
      { role: 'user', content: [{ pinned: true }] },
    ],
    input: [{ type: 'message' }, 'plain'],
  });
  expect(parseJson(bare.text)).toEqual(bare.json);
  // What was given is still marked: the decoder reads it.
  const [first] = Array.isArray(body.json['messages']) ? body.json['messages'] : [];
  expect(isJsonObject(first) && pinOf(first)).toEqual({ pinned: true });
});

test('a body without marks is handed back as it is', () => {
  for (const json of [{ messages: [{ role: 'user', content: '"pinned" is a word' }] }, { pinned: true }, {}]) {
    const body = bodyOf(json);
    expect(withoutPins(body)).toBe(body);
  }
  expect(pinOf({ pinned: 'yes' })).toEqual({});
});
