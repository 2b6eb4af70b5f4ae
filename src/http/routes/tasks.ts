import { Hono } from 'hono';
import type { ModelGateway } from '../../gateway/model-call.ts';
import { extractSummary } from '../../nlp/summarise/extract-summary.ts';
import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { ChatRequest, Message } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage } from '../../spec/usage.ts';
import { answerChat, type ChatAnswering } from '../answer-chat.ts';
import { askModel, type AskModelDeps } from '../ask-model.ts';
import { callHeaders } from '../call-headers.ts';
import {
  embedRequestSchema,
  generateRequestSchema,
  SUMMARY_SENTENCES,
  summarizeRequestSchema,
} from '../contract/tasks.ts';
import { encodeUsage, plainAnswer, plainText } from '../dialects/plain/plain-answer.ts';
import { wrong } from '../dialects/read-request.ts';
import { summaryRequest } from '../dialects/plain/summary-request.ts';
import type { HttpEnv } from '../http-context.ts';
import { modelHeaders } from '../model-headers.ts';
import { judge, readJson, readValid } from '../read-body.ts';

export interface TaskRouteDeps extends AskModelDeps {
  gateway: Pick<ModelGateway, 'chat' | 'embed'>;
  streams: ChatAnswering['streams'];
  analyser: TextAnalyser;
  /** What `/v1/generate` asks where the caller names no model. */
  defaultModel?: string;
}

/** The name under which a text is summarised by its own sentences. */
const EXTRACTIVE = 'extractive';
/** The model in this process that `/v1/embed` takes where the caller names none. */
const EMBEDDING_MODEL = 'static-en-ja';
/** More text than this would hold up everybody else while its sentences are weighed. */
const MAX_EXTRACTED = 300_000;

/** The plain endpoints: one task each, a few fields, no dialect to learn. */
export function taskRoutes(deps: TaskRouteDeps): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .post('/v1/generate', async (context) => {
      const body = await readJson(context);
      const request = judge(generateRequestSchema, body.json);
      const route = request.model ?? deps.defaultModel;
      if (route === undefined) throw wrong('model', 'a model name is required');
      const messages: Message[] = [{ role: 'user', parts: [{ type: 'text', text: request.prompt }] }];
      if (request.system !== undefined) {
        messages.unshift({ role: 'system', parts: [{ type: 'text', text: request.system }] });
      }
      const chat: ChatRequest = {
        messages,
        ...(request.max_tokens !== undefined && { maxOutputTokens: request.max_tokens }),
        ...(request.temperature !== undefined && { temperature: request.temperature }),
      };
      const call = { ...callHeaders(context), route, stream: request.stream, request: () => chat };
      const answer = await askModel(deps, call);
      return answerChat(context, { dialect: plainAnswer, body, answer, streams: deps.streams });
    })

    .post('/v1/summarize', async (context) => {
      const request = await readValid(context, summarizeRequestSchema);
      const { text, length, model = EXTRACTIVE } = request;
      if (model === EXTRACTIVE) {
        if (request.language !== undefined || request.style !== undefined) {
          throw wrong('model', 'a language or a style needs a model: without one a text is cut, not rewritten');
        }
        if (text.length > MAX_EXTRACTED) throw wrong('text', `longer than ${MAX_EXTRACTED} characters without a model`);
        const sentences = extractSummary(text, { analyser: deps.analyser, maxSentences: SUMMARY_SENTENCES[length] });
        const joint = deps.analyser.language(text) === 'ja' ? '' : ' ';
        return context.json({ summary: sentences.join(joint), model, usage: encodeUsage(noUsage()) });
      }
      const chat = summaryRequest({ ...request, sentences: SUMMARY_SENTENCES[length] }, deps.analyser.language(text));
      const call = { ...callHeaders(context), route: model, stream: false, request: () => chat };
      const answer = await askModel(deps, call);
      if (answer.kind !== 'whole') throw new SekishoError('internal', { cause: new Error('a summary was streamed') });
      const result = answer.answer.result();
      const told = { summary: plainText(result.parts).trim(), model: result.model || model };
      const usage = encodeUsage(answer.answer.usage);
      return context.json({ ...told, usage }, 200, modelHeaders(context, answer.facts));
    })

    .post('/v1/embed', async (context) => {
      const { input, texts, model = EMBEDDING_MODEL, purpose } = await readValid(context, embedRequestSchema);
      const given = texts ?? (typeof input === 'string' ? [input] : (input ?? []));
      const { facts, answer } = await deps.gateway.embed({
        ...callHeaders(context),
        route: model,
        request: { input: given, ...(purpose !== undefined && { purpose }) },
      });
      const { vectors, model: answered } = answer.result();
      const embeddings = vectors.map((vector) => Array.from(vector));
      const usage = encodeUsage(answer.usage);
      return context.json({ embeddings, model: answered || model, usage }, 200, modelHeaders(context, facts));
    });
}
