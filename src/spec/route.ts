import type { Price } from './money.ts';

/** One upstream model at one provider endpoint. */
export interface Target {
  /** `provider/model`, unique. */
  name: string;
  provider: string;
  model: string;
  weight: number;
  price?: Price;
}

/** What a model can be asked for. */
export type ModelKind = 'chat' | 'embedding' | 'rerank';

/** A public model name and the targets it resolves to, in the order of fallback. */
export interface Route {
  name: string;
  targets: Target[];
  /** What the route can do, as /v1/models says. */
  kinds: ModelKind[];
  description?: string;
}
