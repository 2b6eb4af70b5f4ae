import { afterAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTokenCounter } from '../../nlp/count-tokens/token-counter.ts';
import type { ChatRequest, Message } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { ContextPolicy } from '../catalogue.ts';
import { createFitter } from './fitter.ts';
import type { SummariseOptions } from './summary-note.ts';

const counter = createTokenCounter();
afterAll(() => counter.close());
const { signal } = new AbortController();
const noSummary = () => Promise.reject(new Error('there is no writer'));
const fitter = createFitter({ countTokens: counter, summarise: noSummary });

const say = (role: Message['role'], text: string, more: Partial<Message> = {}): Message => ({
  role,
  parts: [{ type: 'text', text }],
  ...more,
});
const call = (id: string): Message => ({
  role: 'assistant',
  parts: [{ type: 'tool-call', id, name: 'look', arguments: '{"at":"the gate"}' }],
});
const result = (id: string): Message => ({
  role: 'user',
  parts: [{ type: 'tool-result', id, content: [{ type: 'text', text: 'Nobody is there. '.repeat(5) }] }],
});
const textsOf = (messages: readonly Message[]): string[] =>
  messages.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : part.type)).join());
const long = (name: string): string => `${name} ${'the road to the capital is long and dusty '.repeat(10)}`;

/** Turn by turn: a question of the user and an answer, each about a hundred tokens. */
const conversation = (turns: number): Message[] => [
  say('system', 'You keep the gate.'),
  ...Array.from({ length: turns }, (_, at) => [
    say('user', long(`question ${at}`)),
    say('assistant', long(`answer ${at}`)),
  ]).flat(),
  say('user', 'And now?'),
];
const names = (messages: readonly Message[]): string[] =>
  textsOf(messages).map((text) => text.split(' ').slice(0, 2).join(' '));

async function fit(messages: Message[], policy: ContextPolicy, model = 'gpt-4o-mini') {
  return fitter.fit({ messages }, { policy, model, signal });
}

describe('what is kept', () => {
  test('without a policy, without a bound, and where everything fits, nothing changes', async () => {
    const messages = conversation(20);
    const request: ChatRequest = { messages };
    expect(await fitter.fit(request, { model: 'gpt-4o', signal, windowTokens: 10 })).toBeUndefined();
    expect(await fitter.fit(request, { policy: { policy: 'newest' }, model: 'gpt-4o', signal })).toBeUndefined();
    expect(await fit(messages, { policy: 'newest', maxInputTokens: 100_000 })).toBeUndefined();
    const exact = await fitter.count(request, 'gpt-4o-mini');
    expect(await fit(messages, { policy: 'newest', maxInputTokens: exact })).toBeUndefined();
    expect((await fit(messages, { policy: 'newest', maxInputTokens: exact - 100 }))?.dropped).toBeGreaterThan(0);
  });

  test('newest: instructions and the last turns, whole turns first of the user', async () => {
    const fitted = await fit(conversation(10), { policy: 'newest', maxInputTokens: 500 });
    expect(names(fitted?.request.messages ?? [])).toEqual([
      'You keep',
      'question 8',
      'answer 8',
      'question 9',
      'answer 9',
      'And now?',
    ]);
    expect(fitted).toMatchObject({ dropped: 16, summarised: false });
    expect(fitted?.inputTokens).toBeLessThanOrEqual(500);
  });

  test('drop-middle: the opening as well', async () => {
    const fitted = await fit(conversation(10), { policy: 'drop-middle', maxInputTokens: 850 });
    const kept = names(fitted?.request.messages ?? []);
    expect(kept.slice(0, 3)).toEqual(['You keep', 'question 0', 'answer 0']);
    expect(kept.slice(-3)).toEqual(['question 9', 'answer 9', 'And now?']);
    expect(fitted?.dropped).toBeGreaterThan(0);
  });

  test('what is pinned stays, in its place, with the call that it belongs to', async () => {
    const messages = conversation(10);
    messages[7] = say('user', long('pinned question'), { pinned: true });
    messages.splice(3, 0, call('a'), { ...result('a'), pinned: true });
    const fitted = await fit(messages, { policy: 'newest', maxInputTokens: 300 });
    const kept = fitted?.request.messages ?? [];
    expect(names(kept)).toEqual(['You keep', 'tool-call', 'tool-result', 'pinned question', 'And now?']);
  });

  test('inside one long task, the task and the newest steps stay', async () => {
    const steps = Array.from({ length: 30 }, (_, at) => [call(`step-${at}`), result(`step-${at}`)]).flat();
    const messages = [say('system', 'Guard.'), say('user', 'Search the road.'), ...steps];
    const fitted = await fit(messages, { policy: 'newest', maxInputTokens: 300 });
    const kept = fitted?.request.messages ?? [];
    expect(textsOf(kept).slice(0, 3)).toEqual(['Guard.', 'Search the road.', 'tool-call']);
    expect(kept.at(-1)).toEqual(result('step-29'));
    expect(kept.length).toBeGreaterThan(5);
  });

  test('the answer is left its room in the window', async () => {
    const request: ChatRequest = { messages: conversation(10), maxOutputTokens: 700 };
    const options = { policy: { policy: 'newest' as const }, model: 'gpt-4o', signal, windowTokens: 1_200 };
    const fitted = await fitter.fit(request, options);
    expect(fitted?.inputTokens).toBeLessThanOrEqual(500);
    expect(fitted?.inputTokens).toBeGreaterThan(200);
  });

  test('what must stay and does not fit is an error with both sizes, in both languages', async () => {
    const messages = [say('user', long('question').repeat(10))];
    const thrown: unknown = await fit(messages, { policy: 'newest', maxInputTokens: 50 }).catch(
      (error: unknown) => error,
    );
    if (!(thrown instanceof SekishoError)) throw new Error('nothing was thrown');
    expect(thrown.code).toBe('context_too_long');
    expect(thrown.messageIn('en')).toMatch(/at least \d+ tokens, and 50 fit/);
    expect(thrown.messageIn('ja')).toMatch(/少なくとも \d+ トークン必要ですが、入るのは 50 トークン/);
    expect(new SekishoError('context_too_long').message).toBe(
      'The prompt does not fit into the context window of the model.',
    );
  });
});

describe('summaries', () => {
  const policy: ContextPolicy = { policy: 'summarise', maxInputTokens: 900, summaryRoute: 'small' };

  test('the middle is summarised in a note behind the instructions; the same middle once', async () => {
    const asked: { text: string; options: SummariseOptions }[] = [];
    const summing = createFitter({
      countTokens: counter,
      summarise: async (text, options) => {
        asked.push({ text, options });
        return 'They spoke of the road.';
      },
    });
    const messages = conversation(14);
    const first = await summing.fit({ messages }, { policy, model: 'gpt-4o', signal });
    const kept = first?.request.messages ?? [];
    expect(first?.summarised).toBe(true);
    expect(first?.inputTokens).toBeLessThanOrEqual(900);
    expect(await summing.count({ messages: kept }, 'gpt-4o')).toBeLessThanOrEqual(900);
    expect(kept[1]?.role).toBe('system');
    expect(textsOf(kept)[1]).toContain('for reference only:\nThey spoke of the road.');
    expect(names(kept).at(-1)).toBe('And now?');
    expect(asked[0]?.text).toStartWith('User: question 0');
    expect(asked[0]?.options).toMatchObject({ route: 'small' });

    const next = [...messages, say('assistant', 'Yes.'), say('user', 'Well then?')];
    expect((await summing.fit({ messages: next }, { policy, model: 'gpt-4o', signal }))?.summarised).toBe(true);
    expect(asked).toHaveLength(1);
  });

  test('a conversation that goes on is summarised anew every few turns, not at each', async () => {
    let written = 0;
    const summing = createFitter({
      countTokens: counter,
      summarise: () => Promise.resolve(`Summary ${++written}.`),
    });
    const roomy = { ...policy, maxInputTokens: 4_000 };
    for (let turns = 30; turns < 42; turns++) {
      const fitted = await summing.fit({ messages: conversation(turns) }, { policy: roomy, model: 'gpt-4o', signal });
      expect(fitted?.summarised).toBe(true);
      expect(fitted?.inputTokens).toBeGreaterThan(2_000);
    }
    expect(written).toBeLessThanOrEqual(6);
  });

  test('Japanese is summarised in Japanese', async () => {
    let told = '';
    const summing = createFitter({
      countTokens: counter,
      summarise: (_, options) => {
        told = options.instructions;
        return Promise.resolve('関所について話した。');
      },
    });
    const turns = Array.from({ length: 20 }, (_, at) => [
      say('user', `${at} 番目の質問です。${'関所の門はいつ開きますか。'.repeat(5)}`),
      say('assistant', `${at} 番目の答えです。${'門は夜明けに開きます。'.repeat(5)}`),
    ]).flat();
    const messages = [...turns, say('user', 'では今は？')];
    const fitted = await summing.fit({ messages }, { policy, model: 'claude-sonnet-4-5', signal });
    expect(told).toContain('要約');
    expect(textsOf(fitted?.request.messages ?? [])[0]).toContain(
      'この会話の前半の要約（参考情報）:\n関所について話した。',
    );
  });

  test.each([
    ['fails', () => Promise.reject(new Error('down'))],
    ['says nothing', () => Promise.resolve('  ')],
    ['does not keep to its length', () => Promise.resolve(long('summary').repeat(20))],
    ['never answers', () => new Promise<string>(() => undefined)],
  ])('a writer who %s: the middle is dropped', async (_, summarise) => {
    const summing = createFitter({ countTokens: counter, summarise, summaryTimeoutMs: 20 });
    const request = { messages: conversation(14) };
    const fitted = await summing.fit(request, { policy, model: 'gpt-4o', signal });
    const dropped = await fit(request.messages, { policy: 'newest', maxInputTokens: 900 });
    expect(fitted).toEqual({ ...dropped, summarised: false } as typeof fitted);
  });

  test('a caller who leaves ends it', async () => {
    const leaving = new AbortController();
    const summing = createFitter({
      countTokens: counter,
      summarise: () => {
        leaving.abort();
        return new Promise<string>(() => undefined);
      },
    });
    const answer = summing.fit({ messages: conversation(14) }, { policy, model: 'gpt-4o', signal: leaving.signal });
    expect(await answer.catch((error: unknown) => error instanceof Error && error.name)).toBe('AbortError');
  });
});

const turn = fc.oneof(
  fc.record({ kind: fc.constant('say' as const), role: fc.constantFrom('user' as const, 'assistant' as const) }),
  fc.record({
    kind: fc.constant('tools' as const),
    ids: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
  }),
);
const histories = fc
  .array(fc.tuple(turn, fc.string({ unit: 'grapheme', maxLength: 200 }), fc.boolean()), { maxLength: 25 })
  .map((turns) =>
    turns.flatMap(([each, text, pinned], at): Message[] => {
      const mark = pinned && at % 5 === 0 ? { pinned: true } : {};
      if (each.kind === 'say') return [say(each.role, `${at}: ${text}`, mark)];
      return [
        { role: 'assistant', parts: each.ids.flatMap((id) => call(id).parts), ...mark },
        { role: 'user', parts: each.ids.flatMap((id) => result(id).parts) },
      ];
    }),
  );

test.each(['claude-sonnet-4-5', 'gpt-4o'])(
  'whatever is said to %s: never above the limit, in order, tools whole, pins and the last turn kept',
  async (model) => {
    await fc.assert(
      fc.asyncProperty(
        histories,
        fc.constantFrom('newest' as const, 'drop-middle' as const, 'summarise' as const),
        fc.integer({ min: 20, max: 1_500 }),
        async (history, policy, maxInputTokens) => {
          const messages = [say('system', 'Keep the gate.'), ...history, say('user', 'Now?')];
          const summing = createFitter({ countTokens: counter, summarise: () => Promise.resolve('They spoke.') });
          const options = { policy: { policy, maxInputTokens, summaryRoute: 's' }, model, signal };
          const fitted = await summing.fit({ messages }, options).catch((error: unknown) => {
            if (error instanceof SekishoError && error.code === 'context_too_long') return 'too long' as const;
            throw error;
          });
          if (fitted === 'too long') return;
          const kept = fitted?.request.messages ?? messages;
          expect(await summing.count({ messages: kept }, model)).toBeLessThanOrEqual(maxInputTokens);
          const own = kept.filter((message) => messages.includes(message));
          const places = own.map((message) => messages.indexOf(message));
          expect(places).toEqual(places.toSorted((a, b) => a - b));
          expect(kept.length - own.length).toBe(fitted?.summarised === true ? 1 : 0);
          expect(messages.length - own.length).toBe(fitted?.dropped ?? 0);
          expect(own).toContain(messages[0] as Message);
          expect(own.at(-1)).toBe(messages.at(-1) as Message);
          for (const message of messages) if (message.pinned === true) expect(own).toContain(message);
          messages.forEach((message, at) => {
            if (message.parts.some((part) => part.type === 'tool-call')) {
              expect(own.includes(message)).toBe(own.includes(messages[at + 1] as Message));
            }
          });
        },
      ),
      { numRuns: model === 'gpt-4o' ? 60 : 300 },
    );
  },
);
