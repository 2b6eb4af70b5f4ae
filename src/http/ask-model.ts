import type { ModelAnswer, ModelCall, ModelGateway } from '../gateway/model-call.ts';

export interface AskModelDeps {
  gateway: Pick<ModelGateway, 'chat'>;
  /** Answers calls to `rag/<collection>`; every other model goes to the gateway. */
  answerAsChat: (call: ModelCall, collection: string) => Promise<ModelAnswer>;
}

const COLLECTION_MODEL = /^rag\/(.+)$/;

/** Asks whoever stands behind a model's name: a collection of documents, or a model. */
export function askModel({ gateway, answerAsChat }: AskModelDeps, call: ModelCall): Promise<ModelAnswer> {
  const collection = COLLECTION_MODEL.exec(call.route)?.[1];
  return collection === undefined ? gateway.chat(call) : answerAsChat(call, collection);
}
