import { createChoice, type Choice } from './choose-keys.ts';
import { SourceProblem, type Connector, type Listed } from './connector.ts';
import type { Polite } from './polite.ts';
import { canonicalUrl } from './read-links.ts';
import { readSitemap } from './read-sitemap.ts';
import { conditionOf, webFileOf } from './web-file.ts';

export interface SitemapOptions extends Choice {
  polite: Polite;
  url: string;
  maxItems: number;
}

const MAX_SITEMAPS = 1_000;

/**
 * Pages that a sitemap names, or the sitemaps that it names. What it says of the last change is the stamp, else the
 * page is asked for conditionally. Pages of other sites are passed over: a sitemap speaks for its own. `include` and
 * `exclude` speak of the path with its query.
 */
export function createSitemapConnector(options: SitemapOptions): Connector {
  const { polite, maxItems } = options;
  const isChosen = createChoice(options);
  const { origin } = new URL(options.url);
  const isHere = (url: URL): boolean => url.origin === origin;

  return {
    list: async function* ({ signal }) {
      const waiting = [options.url];
      const known = new Set(waiting);
      const seen = new Set<string>();
      for (let read = 0; waiting.length > 0; read++) {
        const url = waiting.shift() ?? '';
        if (read >= MAX_SITEMAPS) return { complete: false, reason: `more than ${MAX_SITEMAPS} sitemaps` };
        // One that cannot be read ends the listing: what it names is not gone.
        const answer = await polite.get(url, signal, { mayFollow: isHere });
        if (answer.status < 200 || answer.status > 299) {
          throw new SourceProblem(`the sitemap ${url.slice(0, 200)} was answered with ${answer.status}`);
        }
        const sitemap = await readSitemap(answer.bytes);
        for (const { url: text, lastmod } of sitemap.entries) {
          const found = text.length > 2_048 ? null : URL.parse(text);
          if (found === null || !isHere(found) || found.username !== '' || found.password !== '') continue;
          const page = canonicalUrl(found);
          if (sitemap.kind === 'index') {
            if (!known.has(page.href)) waiting.push(page.href);
            known.add(page.href);
            continue;
          }
          if (seen.has(page.href) || !isChosen(`${page.pathname}${page.search}`.slice(1))) continue;
          if (seen.size >= maxItems) return { complete: false, reason: `more than ${maxItems} pages` };
          seen.add(page.href);
          if (await polite.mayFetch(page, signal)) yield itemOf(page.href, lastmod);
        }
      }
      return { complete: true };
    },
  };

  function itemOf(key: string, lastmod: string | undefined): Listed {
    return {
      kind: 'item',
      key,
      ...(lastmod !== undefined && { stamp: `lastmod ${lastmod}` }),
      fetch: async (known, signal) => {
        const file = webFileOf(await polite.get(key, signal, { headers: conditionOf(known), mayFollow: isHere }));
        if (typeof file === 'string' || lastmod === undefined) return file;
        const { stamp: _, ...rest } = file;
        return rest;
      },
    };
  }
}
