import { Hono } from 'hono';
import type { ModelCall } from '../../gateway/model-call.ts';
import { answerChat, type ChatAnswering } from '../answer-chat.ts';
import { askModel, type AskModelDeps } from '../ask-model.ts';
import { callHeaders } from '../call-headers.ts';
import type { ChatDialect } from '../dialects/dialect.ts';
import type { HttpEnv } from '../http-context.ts';
import { withoutPins } from '../dialects/pins.ts';
import { readJson } from '../read-body.ts';

export interface ChatRouteDeps extends AskModelDeps {
  streams: ChatAnswering['streams'];
}

/** The chat endpoints: one per dialect, all on the same road. */
export function chatRoutes(
  deps: ChatRouteDeps,
  endpoints: readonly { path: string; dialect: ChatDialect }[],
): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  for (const { path, dialect } of endpoints) {
    app.post(path, async (context) => {
      const body = await readJson(context);
      const { route, stream, endUser } = dialect.check(body.json);
      const call: ModelCall = {
        ...callHeaders(context),
        route,
        stream,
        request: () => dialect.decode(body.json),
        native: { wire: dialect.wire, ...withoutPins(body) },
        ...(endUser !== undefined && { endUser }),
      };
      const answer = await askModel(deps, call);
      return answerChat(context, { dialect, body, answer, streams: deps.streams });
    });
  }
  return app;
}
