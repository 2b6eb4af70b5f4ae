import { describe, expect, test } from 'bun:test';
import type { ModelAnswer, ModelCall } from '../../../gateway/model-call.ts';
import type { Message } from '../../../spec/chat.ts';
import type { RewriteSettings } from '../../../spec/collection.ts';
import { SekishoError } from '../../../spec/errors.ts';
import { noUsage } from '../../../spec/usage.ts';
import { createJudge } from '../verify/judge.ts';
import { rewriteQuestion } from './rewrite-question.ts';

const ALL: RewriteSettings = { condense: true, queries: 2, hyde: true, subQueries: true };
const ORIGIN = {
  requestId: 'req_1',
  principal: { tenantId: 'ten_a', keyId: 'key_a', name: 'a', role: 'member', allowedRoutes: ['rag/x'], limits: {} },
  signal: new AbortController().signal,
} as const;

/** A gateway that answers by what it is asked to write. */
function gateway(says: { wordings?: string; passage?: string; parts?: string; condensed?: string; judged?: string }) {
  const calls: ModelCall[] = [];
  const chat = async (call: ModelCall): Promise<ModelAnswer> => {
    calls.push(call);
    const [part] = call.request().messages[0]?.parts ?? [];
    const asked = part?.type === 'text' ? part.text : '';
    const said = asked.includes('other wordings')
      ? says.wordings
      : asked.includes('one short paragraph')
        ? says.passage
        : asked.includes('question apart')
          ? says.parts
          : asked.includes('You check')
            ? says.judged
            : says.condensed;
    if (said === undefined) throw new SekishoError('upstream_failed', { values: { target: 'x' } });
    const facts = {
      requestId: call.requestId,
      route: call.route,
      target: 't',
      wire: 'openai' as const,
    };
    const result = {
      id: '1',
      model: 'm',
      createdMs: 0,
      parts: [{ type: 'text' as const, text: said }],
      finish: 'stop' as const,
      usage: noUsage(),
    };
    return {
      kind: 'whole',
      facts: { ...facts, attempts: 1, cache: 'miss' as const, limits: [], overheadMs: () => 0, costMicros: 0 },
      answer: { usage: result.usage, result: () => result },
    };
  };
  return { gateway: { chat }, calls };
}

function turn(role: Message['role'], text: string): Message {
  return { role, parts: [{ type: 'text', text }] };
}

const rewriting = { origin: ORIGIN, route: 'writer', collection: 'x' };

describe('what is searched for', () => {
  test('other wordings, parts and an imagined answer, by calls of whoever asked', async () => {
    const { gateway: model, calls } = gateway({
      wordings: '```json\n{"queries": ["harbour hours", "closing time"]}\n```',
      passage: 'The harbour closes at eight.',
      parts: '{"type": "comparison", "queries": ["When does the harbour close?", "harbour hours"]}',
    });
    const question = 'Which closes earlier, harbour or bridge?';
    const found = await rewriteQuestion({ gateway: model }, { question, history: [], settings: ALL }, rewriting);
    expect(found).toMatchObject({
      query: question,
      queries: [
        { text: 'harbour hours', weight: 0.5 },
        { text: 'closing time', weight: 0.5 },
        { text: 'When does the harbour close?', weight: 0.7 },
      ],
      hyde: 'The harbour closes at eight.',
    });
    expect(found.steps.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done']);
    expect(calls).toHaveLength(3);
    for (const call of calls)
      expect(call).toMatchObject({ principal: { keyId: 'key_a', allowedRoutes: [] }, stream: false });
  });

  test.each([
    ['no JSON', 'harbour hours'],
    ['another shape', '{"queries": "harbour hours"}'],
    ['nothing', '{"queries": []}'],
    ['what is no text', '{"queries": [1, null, {"a": 1}]}'],
    ['what is too long', JSON.stringify({ queries: ['x'.repeat(501)] })],
    ['a kind there is not', '{"type": "delete", "queries": ["a"]}'],
    ['a failure', undefined],
  ])('of %s the question alone is left, and it is told', async (_, said) => {
    const { gateway: model } = gateway({ ...(said !== undefined && { parts: said }) });
    const settings = { ...ALL, queries: 0, hyde: false };
    const found = await rewriteQuestion({ gateway: model }, { question: 'Why?', history: [], settings }, rewriting);
    expect(found).toMatchObject({ query: 'Why?', queries: [], steps: [{ kind: 'sub_queries', outcome: 'failed' }] });
  });

  test('a follow-up is made to stand alone first; where that fails, with the question before it', async () => {
    const history = [turn('user', 'When does the harbour close?'), turn('assistant', 'At nine.')];
    const settings = { ...ALL, queries: 0, hyde: false, subQueries: false };
    const asked = { question: 'And open?', history, settings };
    const done = await rewriteQuestion(
      { gateway: gateway({ condensed: 'When does it open?' }).gateway },
      asked,
      rewriting,
    );
    expect(done.query).toBe('When does it open?');
    const failed = await rewriteQuestion({ gateway: gateway({}).gateway }, asked, rewriting);
    expect(failed).toMatchObject({ query: 'And open?\nWhen does the harbour close?', steps: [{ outcome: 'failed' }] });
    const off = { ...asked, settings: { ...settings, condense: false } };
    expect((await rewriteQuestion({ gateway: gateway({}).gateway }, off, rewriting)).query).toBe('And open?');
  });

  test('a model that only quotes rewrites nothing', async () => {
    const { gateway: model, calls } = gateway({});
    const quoting = { ...rewriting, route: 'extractive' };
    const found = await rewriteQuestion({ gateway: model }, { question: 'Why?', history: [], settings: ALL }, quoting);
    expect(found.steps.map(({ outcome }) => outcome)).toEqual(['no_model', 'no_model', 'no_model']);
    expect(calls).toHaveLength(0);
  });

  test('whoever has left is not answered', async () => {
    const signal = AbortSignal.abort(new SekishoError('caller_left'));
    const asked = { question: 'Why?', history: [], settings: ALL };
    const left = { ...rewriting, origin: { ...ORIGIN, signal } };
    expect(await rewriteQuestion({ gateway: gateway({}).gateway }, asked, left).catch(() => 'left')).toBe('left');
  });
});

describe('a judge says yes only where it says so', () => {
  test.each([
    ['{"supported": true}', true],
    ['```json\n{"supported": true}\n```', true],
    ['{"supported": false}', false],
    ['{"supported": "true"}', false],
    ['Yes, supported: true', false],
    [undefined, false],
  ])('%s', async (judged, verdict) => {
    const { gateway: model } = gateway({ ...(judged !== undefined && { judged }) });
    const judge = createJudge({ gateway: model, route: 'judge', origin: ORIGIN });
    expect(await judge('It closes.', [])).toBe(verdict);
  });

  test('and no more than twenty times for one answer', async () => {
    const { gateway: model, calls } = gateway({ judged: '{"supported": true}' });
    const judge = createJudge({ gateway: model, route: 'judge', origin: ORIGIN });
    for (let at = 0; at < 25; at++) await judge('It closes.', []);
    expect(calls).toHaveLength(20);
  });
});
