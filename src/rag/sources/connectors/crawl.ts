import { GuardedFetchError } from '../../../lib/guarded-request.ts';
import { createChoice, type Choice } from './choose-keys.ts';
import { SourceProblem, type Connector, type Listed } from './connector.ts';
import type { Polite } from './polite.ts';
import { canonicalUrl, readLinks } from './read-links.ts';
import { mediaTypeOf, webFileOf } from './web-file.ts';

export interface CrawlOptions extends Choice {
  polite: Polite;
  url: string;
  prefix?: string | undefined;
  maxDepth: number;
  maxItems: number;
}

/** What is known of and not yet fetched, at most. */
const MAX_FRONTIER = 200_000;
const HTML = new Set(['text/html', 'application/xhtml+xml']);

/**
 * Pages below a prefix, by following links, breadth first. robots.txt, `nofollow`, `noindex` and the address that a
 * page calls its own are honoured. `include` and `exclude` speak of the path below the prefix; what they leave out is
 * still followed. The listing is complete where every page that was reached could be read.
 */
export function createCrawlConnector(options: CrawlOptions): Connector {
  const { polite, maxDepth, maxItems } = options;
  const start = canonicalUrl(new URL(options.url));
  const prefix = options.prefix === undefined ? new URL('.', start).href : canonicalUrl(new URL(options.prefix)).href;
  const isInside = (url: URL): boolean => canonicalUrl(url).href.startsWith(prefix);
  const isChosen = createChoice(options);
  const isWanted = (url: URL): boolean => isChosen(url.href.slice(prefix.length));

  return {
    list: async function* ({ signal }) {
      const seen = new Set([start.href]);
      const taken = new Set<string>();
      let problem: string | undefined;
      let frontier = [start];

      for (let depth = 0; frontier.length > 0; depth++) {
        const next: URL[] = [];
        for (const url of frontier) {
          signal.throwIfAborted();
          if (taken.size >= maxItems) return { complete: false, reason: `more than ${maxItems} pages` };
          const page = await look(url, signal);
          if (page.kind !== 'page') {
            if (page.kind === 'failed') problem = `a page could not be read: ${page.reason}`;
            yield page;
            continue;
          }
          for (const found of page.links) {
            const { href } = found;
            if (seen.has(href) || !isInside(found)) continue;
            if (depth >= maxDepth || seen.size >= MAX_FRONTIER) problem ??= 'links beyond the bounds were not followed';
            else {
              seen.add(href);
              if (await polite.mayFetch(found, signal)) next.push(found);
            }
          }
          if (page.item !== undefined && !taken.has(page.item.key)) {
            taken.add(page.item.key);
            yield page.item;
          }
        }
        frontier = next;
      }
      return problem === undefined ? { complete: true } : { complete: false, reason: problem };
    },
  };

  type Look =
    | { kind: 'page'; links: URL[]; item: (Listed & { kind: 'item' }) | undefined }
    | (Listed & { kind: 'failed' | 'gone' });

  async function look(url: URL, signal: AbortSignal): Promise<Look> {
    const key = url.href;
    try {
      const answer = await polite.get(key, signal, { mayFollow: isInside });
      const file = webFileOf(answer);
      if (file === 'gone' || file === 'unchanged') return { kind: 'gone', key };
      const at = canonicalUrl(new URL(answer.url));
      const page = HTML.has(mediaTypeOf(answer.headers))
        ? await readLinks(answer.bytes, { url: at, headers: answer.headers })
        : undefined;
      // A page is filed under the address that it ended at; one that says it is another page is left to that.
      const own = page?.canonical !== undefined && isInside(page.canonical) ? page.canonical : at;
      const links = page === undefined || page.nofollow ? [] : page.links;
      if (own.href !== at.href) return { kind: 'page', links: [...links, own], item: undefined };
      if (page?.noindex === true || !isWanted(at)) return { kind: 'page', links, item: undefined };
      const { stamp } = file;
      const fetch = () => Promise.resolve(file);
      return {
        kind: 'page',
        links,
        item: { kind: 'item', key: at.href, ...(stamp !== undefined && { stamp }), fetch },
      };
    } catch (thrown) {
      signal.throwIfAborted();
      if (key === start.href) throw thrown;
      if (!(thrown instanceof SourceProblem || thrown instanceof GuardedFetchError)) throw thrown;
      return { kind: 'failed', key, reason: thrown.message };
    }
  }
}
