import { Hono } from 'hono';
import type { ModelGateway } from '../../gateway/model-call.ts';
import type { Collections } from '../../rag/collections.ts';
import { SekishoError, type Language } from '../../spec/errors.ts';
import type { Principal } from '../../spec/principal.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';

export interface ModelRouteDeps {
  gateway: Pick<ModelGateway, 'routes'>;
  collections: Pick<Collections, 'list'>;
  mayUseRoute: (principal: Principal, route: string) => boolean;
}

/** A model as the OpenAI SDKs read it, and what it is in plain words. */
interface ShownModel {
  id: string;
  object: 'model';
  created: number;
  owned_by: string;
  kinds: string[];
  description?: string;
}

/** Not the time of anything: models have no common birthday, and the SDKs want a number. */
const CREATED = 0;

const LOCAL: Record<string, Record<Language, string>> = {
  extractive: {
    en: 'Answers from documents with their own sentences, verbatim and cited. No language model behind it.',
    ja: '文書の文をそのまま引用して答えます。言語モデルは使いません。',
  },
  static: {
    en: 'Bundled static embedding model for English and Japanese; runs inside this process.',
    ja: '付属の日英静的埋め込みモデル。このプロセスの中で動きます。',
  },
};
const COLLECTION: Record<Language, (name: string) => string> = {
  en: (name) => `Answers from the documents of the collection "${name}", with citations.`,
  ja: (name) => `コレクション「${name}」の文書に基づき、引用付きで答えます。`,
};

/** `GET /v1/models`, also one by one: routes, upstream models, and each collection as a model that answers from it. */
export function modelRoutes(deps: ModelRouteDeps): Hono<HttpEnv> {
  async function modelsFor(context: HttpContext): Promise<ShownModel[]> {
    const principal = context.get('principal');
    const language = context.get('language');
    const routes = deps.gateway.routes(principal).map((route): ShownModel => {
      const provider = route.targets[0]?.provider ?? 'sekisho';
      const description = route.description ?? LOCAL[provider]?.[language];
      return {
        id: route.name,
        object: 'model',
        created: CREATED,
        owned_by: provider in LOCAL ? 'sekisho' : provider,
        kinds: route.kinds,
        ...(description !== undefined && { description }),
      };
    });
    const collections = (await deps.collections.list(principal.tenantId))
      .map(({ name }): ShownModel => ({
        id: `rag/${name}`,
        object: 'model',
        created: CREATED,
        owned_by: 'sekisho',
        kinds: ['chat', 'collection'],
        description: COLLECTION[language](name),
      }))
      .filter((model) => deps.mayUseRoute(principal, model.id));
    return [...collections, ...routes];
  }

  return new Hono<HttpEnv>()
    .get('/v1/models', async (context) => context.json({ object: 'list', data: await modelsFor(context) }))
    .get('/v1/models/:id{.+}', async (context) => {
      const id = context.req.param('id');
      const models = await modelsFor(context);
      const model = models.find((each) => each.id === id);
      if (model !== undefined) return context.json(model);
      const known = models
        .slice(0, 12)
        .map((each) => each.id)
        .join(', ');
      throw new SekishoError('route_not_found', { values: { route: id.slice(0, 200), known } });
    });
}
