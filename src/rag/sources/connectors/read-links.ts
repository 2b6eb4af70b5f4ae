/** What a page says to robots, and where it leads. */
export interface PageLinks {
  /** Absolute, in order, each once. */
  links: URL[];
  /** What the page calls its own address. */
  canonical: URL | undefined;
  noindex: boolean;
  nofollow: boolean;
}

const MAX_LINKS = 10_000;
const MAX_URL = 2_048;
/** What is said after a `?` to tell who came from where, and does not change the page. */
const TRACKING = /^(utm_\w+|gclid|fbclid|yclid|msclkid|mc_[ce]id|_ga)$/i;

/** One way to write an address: without fragment and without what only tracks visitors. */
export function canonicalUrl(url: URL): URL {
  const plain = new URL(url);
  plain.hash = '';
  for (const name of new Set(plain.searchParams.keys())) if (TRACKING.test(name)) plain.searchParams.delete(name);
  if (plain.search === '') plain.search = '';
  return plain;
}

/** Reads the links of a page, as they stand in its HTML; no script is run. */
export async function readLinks(
  html: Uint8Array,
  { url, headers }: { url: URL; headers: Headers },
): Promise<PageLinks> {
  const links = new Map<string, URL>();
  let base = url;
  let canonical: URL | undefined;
  const spoken: string[] = [headers.get('x-robots-tag') ?? ''];
  const absolute = (href: string | null): URL | undefined => {
    const found = href === null || href.length > MAX_URL ? null : URL.parse(href.trim(), base.href);
    return found !== null && /^https?:$/.test(found.protocol) && found.username === '' && found.password === ''
      ? canonicalUrl(found)
      : undefined;
  };
  const rewriter = new HTMLRewriter()
    .on('base[href]', {
      element: (element) => {
        if (base === url) base = URL.parse(element.getAttribute('href') ?? '', url.href) ?? url;
      },
    })
    .on('link[rel][href]', {
      element: (element) => {
        const isCanonical = /(^|\s)canonical(\s|$)/i.test(element.getAttribute('rel') ?? '');
        if (isCanonical) canonical ??= absolute(element.getAttribute('href'));
      },
    })
    .on('meta[name][content]', {
      element: (element) => {
        if (/^(robots|sekisho)$/i.test(element.getAttribute('name') ?? '')) {
          spoken.push(element.getAttribute('content') ?? '');
        }
      },
    })
    .on('a[href], area[href]', {
      element: (element) => {
        if (/(^|\s)nofollow(\s|$)/i.test(element.getAttribute('rel') ?? '') || links.size >= MAX_LINKS) return;
        const found = absolute(element.getAttribute('href')?.replaceAll('&amp;', '&') ?? null);
        if (found !== undefined) links.set(found.href, found);
      },
    });
  await rewriter.transform(new Response(html.slice())).arrayBuffer();
  const words = spoken.join(',').toLowerCase();
  const says = (word: string): boolean => new RegExp(`(^|[\\s,:])(${word}|none)($|[\\s,])`).test(words);
  return { links: [...links.values()], canonical, noindex: says('noindex'), nofollow: says('nofollow') };
}
