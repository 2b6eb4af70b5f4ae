import { extractText, getDocumentProxy } from 'unpdf';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

const MAX_PAGES = 5_000;
/** Errors only: it writes to the console. */
const QUIET = 0;

/** The text layer of a PDF, page by page; `page_starts` tells at which offset each page begins: `{"1": 0, ...}`. */
export async function parsePdf(bytes: Uint8Array): Promise<ParsedDocument> {
  const document = await getDocumentProxy(new Uint8Array(bytes), {
    verbosity: QUIET,
  });
  if (document.numPages > MAX_PAGES) throw new UnreadableFile(`the PDF has more than ${MAX_PAGES} pages`);
  const { text: pages } = await extractText(document, { mergePages: false });
  // An object, not a list: the values of a list become tags that filters can name.
  const starts: Record<string, number> = {};
  let text = '';
  for (const [place, page] of pages.entries()) {
    starts[place + 1] = text.length;
    const clean = page.replace(/[ \t]+/g, ' ').trim();
    text += clean === '' ? '' : `${clean}\n\n`;
  }
  if (text === '') throw new UnreadableFile('the PDF has no text layer; it may be scanned');
  return { text: text.trimEnd(), headings: [], metadata: { pages: pages.length, page_starts: starts } };
}
