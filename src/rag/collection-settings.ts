import { parseJson } from '../lib/json.ts';
import { defaultCollectionSettings, type CollectionSettings } from '../spec/collection.ts';

type Change<T> = { [Field in keyof T]?: T[Field] | undefined };

/** What a caller changes of settings; what is left out stays. */
export interface SettingsChange {
  index?: Change<CollectionSettings['index']> | undefined;
  retrieval?:
    | (Change<Omit<CollectionSettings['retrieval'], 'rewrite'>> & {
        rewrite?: Change<CollectionSettings['retrieval']['rewrite']> | undefined;
      })
    | undefined;
  answer?: Change<CollectionSettings['answer']> | undefined;
}

/** Settings with a change in them; a part that is a union (chunker, reranker) is replaced whole. */
export function changedSettings(settings: CollectionSettings, change: SettingsChange): CollectionSettings {
  const { rewrite, ...retrieval } = change.retrieval ?? {};
  return {
    index: changed(settings.index, change.index),
    retrieval: {
      ...changed(settings.retrieval, retrieval),
      rewrite: changed(settings.retrieval.rewrite, rewrite),
    },
    answer: changed(settings.answer, change.answer),
  };
}

function changed<T extends object>(before: T, change: Change<T> = {}): T {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries(given) };
}

/**
 * Reads what was stored. It was judged when it was written; what a later version of the software has added stands at
 * its default, and so does everything of a collection for which nothing was chosen (null).
 *
 * @param stored `settings`: JSON of retrieval and answer; `index`: JSON of what the index is made with
 */
export function storedSettings(
  stored: { settings: string | null; index: string | null },
  embeddingRoute: string,
): CollectionSettings {
  const read = (json: string | null): unknown => (json === null ? undefined : parseJson(json));
  const change: unknown = { ...asObject(read(stored.settings)), index: asObject(read(stored.index)) };
  const defaults = defaultCollectionSettings(embeddingRoute);
  return isChange(change) ? changedSettings(defaults, change) : defaults;
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

/** Ours: nothing but settings is ever stored where this is read from. */
function isChange(stored: unknown): stored is SettingsChange {
  return typeof stored === 'object' && stored !== null && !Array.isArray(stored);
}
