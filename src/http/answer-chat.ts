import type { ModelAnswer } from '../gateway/model-call.ts';
import type { StreamFrame } from '../ports/provider.ts';
import type { SekishoError } from '../spec/errors.ts';
import type { AnswerDialect, ChatDialect } from './dialects/dialect.ts';
import type { HttpContext } from './http-context.ts';
import { modelHeaders } from './model-headers.ts';
import type { JsonBody } from './read-body.ts';
import { STREAM_HEADERS, streamBody } from './stream-body.ts';

export interface ChatAnswering {
  /** With the form of bodies that need no encoding, where there is one. */
  dialect: AnswerDialect & Partial<Pick<ChatDialect, 'wire'>>;
  body: JsonBody;
  answer: ModelAnswer;
  streams: { streamOpened(): void; streamClosed(): void };
}

/**
 * Renders an answer in the caller's dialect: bytes of the caller's own wire as they are, everything else
 * encoded. A stream that breaks ends with the dialect's error event and without its terminator.
 */
export function answerChat(context: HttpContext, { dialect, body, answer, streams }: ChatAnswering): Response {
  const encoding = { route: answer.facts.route, request: body.json };
  const headers = modelHeaders(context, answer.facts);
  if (answer.kind === 'whole') {
    const { native } = answer.answer;
    const text =
      native !== undefined && native.wire === dialect.wire
        ? native.text
        : JSON.stringify(dialect.encodeResult(answer.answer.result(), encoding));
    headers['content-type'] = 'application/json';
    return new Response(text, { headers });
  }

  streams.streamOpened();
  const language = context.get('language');
  const requestId = context.get('requestId');
  const failed = (error: SekishoError): string => dialect.encodeStreamError(error, language, requestId);
  const bytes = renderFrames(answer.frames, {
    dialect,
    encoding,
    failed,
    messageOf: (error) => error.messageIn(language),
  });
  return new Response(streamBody(bytes, streams.streamClosed), { headers: { ...headers, ...STREAM_HEADERS } });
}

async function* renderFrames(
  frames: AsyncIterable<StreamFrame>,
  options: {
    dialect: AnswerDialect;
    encoding: Parameters<AnswerDialect['streamEncoder']>[0];
    failed: (error: SekishoError) => string;
    messageOf: (error: SekishoError) => string;
  },
): AsyncGenerator<Uint8Array> {
  const utf8 = new TextEncoder();
  const encoder = options.dialect.streamEncoder(options.encoding);
  let finished = false;
  let passedThrough = false;
  for await (const frame of frames) {
    if (frame.bytes !== undefined && frame.bytes.length > 0) {
      passedThrough = true;
      yield frame.bytes;
    }
    const broken = frame.parts.find((part) => part.type === 'error');
    const text = frame.bytes === undefined ? frame.parts.map((part) => encoder.encode(part)).join('') : '';
    if (broken !== undefined) {
      const last = passedThrough ? undefined : encoder.fail?.(broken.error, options.messageOf(broken.error));
      yield utf8.encode(text + (last ?? '') + options.failed(broken.error));
      return;
    }
    finished ||= frame.parts.some((part) => part.type === 'finish');
    if (text !== '') yield utf8.encode(text);
  }
  // Passed-through bytes bring their own terminator.
  if (!passedThrough && finished) yield utf8.encode(encoder.end());
}
