import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PDFDocumentProxy, RefProxy } from 'pdfjs-dist/types/src/display/api.d.ts';
import type { Heading } from '../../documents.ts';
import { linesOf, textOfLines, usualMarginOf, withoutFurniture, type Line, type PlacedText } from './pdf-lines.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

const MAX_PAGES = 10_000;
const MAX_OUTLINE = 5_000;
const MAX_CHARACTERS = 20_000_000;
/** Errors only: it writes to the console. */
const QUIET = 0;

/**
 * The text layer of a PDF, page by page, without running titles. Headings are those of its outline, or else lines in
 * larger letters. Texts in the encodings of Japanese, Chinese and Korean fonts that are not embedded are read by
 * Adobe's tables, which come with the library. Scripts and forms are not run.
 */
export async function parsePdf(bytes: Uint8Array): Promise<ParsedDocument> {
  const { getDocument } = await quietly(() => import('pdfjs-dist/legacy/build/pdf.mjs'));
  // Given here, so that the library looks for no file of its own to work in.
  const workings = await import('pdfjs-dist/legacy/build/pdf.worker.mjs');
  Object.assign(globalThis, { pdfjsWorker: workings });
  const task = getDocument({
    data: new Uint8Array(bytes),
    verbosity: QUIET,
    useSystemFonts: false,
    disableFontFace: true,
    useWorkerFetch: false,
    useWasm: false,
    enableXfa: false,
    stopAtErrors: false,
    maxImageSize: 1,
    ...tables(),
  });
  try {
    const pdf = await task.promise.catch((cause: unknown) => {
      const isLocked = cause instanceof Error && cause.name === 'PasswordException';
      throw new UnreadableFile(isLocked ? 'the PDF is encrypted and needs a password' : 'it is damaged or not a PDF', {
        cause,
      });
    });
    return await readPages(pdf);
  } finally {
    await task.destroy();
  }
}

/** Loads the library without what it writes to the console where it cannot draw: nothing is drawn here. */
async function quietly<T>(load: () => Promise<T>): Promise<T> {
  const { warn, log } = console;
  const silent = (): void => undefined;
  Object.assign(console, { warn: silent, log: silent });
  try {
    return await load();
  } finally {
    Object.assign(console, { warn, log });
  }
}

async function readPages(pdf: PDFDocumentProxy): Promise<ParsedDocument> {
  if (pdf.numPages > MAX_PAGES) throw new UnreadableFile(`the PDF has more than ${MAX_PAGES} pages`);
  const read: Line[][] = [];
  let characters = 0;
  for (let number = 1; number <= pdf.numPages; number++) {
    const lines = await linesOn(pdf, number);
    characters += lines.reduce((sum, { text }) => sum + text.length, 0);
    if (characters > MAX_CHARACTERS) throw new UnreadableFile(`the PDF has more than ${MAX_CHARACTERS} characters`);
    read.push(lines);
  }
  const pages: number[] = [];
  const large: Heading[] = [];
  const sizes = headingSizes(read);
  let text = '';
  const kept = withoutFurniture(read);
  const margin = usualMarginOf(kept);
  for (const lines of kept) {
    pages.push(text.length);
    const page = textOfLines(lines, margin);
    for (const [place, line] of lines.entries()) {
      const level = sizes.indexOf(Math.round(line.height)) + 1;
      const isShort = line.text.length <= 120 && /\p{L}{2}/u.test(line.text);
      if (level > 0 && isShort) large.push({ level, start: text.length + (page.starts[place] ?? 0), text: line.text });
    }
    if (page.text !== '') text += `${page.text}\n\n`;
  }
  if (text === '') throw new UnreadableFile('the PDF has no text layer; it may be scanned');
  const outline = await outlineOf(pdf, { text, pages });
  const title = await titleOf(pdf);
  return {
    text: text.trimEnd(),
    headings: outline.length > 0 ? outline : large,
    pages,
    metadata: { pages: pdf.numPages },
    ...(title !== undefined && { title }),
  };
}

/** A page that cannot be read is empty: the others still can. */
async function linesOn(pdf: PDFDocumentProxy, number: number): Promise<Line[]> {
  try {
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent({ disableNormalization: false });
    page.cleanup();
    return linesOf(
      items.flatMap((item): PlacedText[] => {
        if (!('str' in item)) return [];
        const [, , , , x, y]: unknown[] = item.transform;
        const placed = { x: typeof x === 'number' ? x : 0, y: typeof y === 'number' ? y : 0 };
        return [{ text: item.str, ...placed, width: item.width, height: item.height, endsLine: item.hasEOL }];
      }),
    );
  } catch {
    return [];
  }
}

/** Up to three sizes of letters that are clearly larger than the one in which most of the text is set, largest first. */
function headingSizes(pages: readonly Line[][]): number[] {
  const amount = new Map<number, number>();
  for (const { height, text } of pages.flat()) {
    const size = Math.round(height);
    amount.set(size, (amount.get(size) ?? 0) + text.length);
  }
  const [body] = [...amount].sort((a, b) => b[1] - a[1])[0] ?? [0];
  return [...amount.keys()]
    .filter((size) => size >= body * 1.2 && size > body + 1)
    .sort((a, b) => b - a)
    .slice(0, 3);
}

type Outline = Awaited<ReturnType<PDFDocumentProxy['getOutline']>>;

/** The outline as headings: where its words stand on the page that it points to, else where that page begins. */
async function outlineOf(
  pdf: PDFDocumentProxy,
  { text, pages }: { text: string; pages: number[] },
): Promise<Heading[]> {
  const headings: Heading[] = [];
  const waiting: { node: Outline[number]; level: number }[] = [];
  const add = (nodes: Outline, level: number): void => {
    for (const node of nodes.toReversed()) waiting.push({ node, level });
  };
  add((await pdf.getOutline().catch(() => [])) ?? [], 1);
  for (let next = waiting.pop(); next !== undefined && headings.length < MAX_OUTLINE; next = waiting.pop()) {
    const { node, level } = next;
    if (waiting.length < MAX_OUTLINE && level < 6) add(node.items as Outline, level + 1);
    const title = node.title.replace(/\s+/g, ' ').trim();
    const page = title === '' ? undefined : await pageOf(pdf, node.dest);
    const start = page === undefined ? undefined : pages[page];
    if (page === undefined || start === undefined) continue;
    const onPage = text.slice(start, pages[page + 1] ?? text.length);
    const at = onPage.indexOf(title);
    headings.push({ level, start: start + Math.max(0, at), text: title });
  }
  return headings.sort((a, b) => a.start - b.start);
}

async function pageOf(pdf: PDFDocumentProxy, dest: string | unknown[] | null): Promise<number | undefined> {
  try {
    const explicit = typeof dest === 'string' ? await pdf.getDestination(dest) : dest;
    const target: unknown = explicit?.[0];
    if (typeof target === 'number') return target;
    return isRef(target) ? await pdf.getPageIndex(target) : undefined;
  } catch {
    return undefined;
  }
}

function isRef(value: unknown): value is RefProxy {
  return typeof value === 'object' && value !== null && 'num' in value && 'gen' in value;
}

/** The title that the author gave; what programs put there on their own is none. */
async function titleOf(pdf: PDFDocumentProxy): Promise<string | undefined> {
  const { info } = await pdf.getMetadata().catch(() => ({ info: {} }));
  const title: unknown = 'Title' in info ? info.Title : undefined;
  if (typeof title !== 'string') return undefined;
  const clean = title.replace(/\p{Cc}/gu, ' ').trim();
  return clean === '' ||
    /^(?:untitled|anonymous|Microsoft (?:Word|PowerPoint) - |.*\.(?:docx?|pdf|tex|dvi|indd)$)/i.test(clean)
    ? undefined
    : clean;
}

/** Where the tables of encodings and the standard fonts lie, where they lie anywhere. */
function tables(): { cMapUrl?: string; cMapPacked?: boolean; standardFontDataUrl?: string } {
  try {
    const folder = fileURLToPath(new URL('.', import.meta.resolve('pdfjs-dist/package.json')));
    if (!existsSync(`${folder}cmaps`)) return {};
    return { cMapUrl: `${folder}cmaps/`, cMapPacked: true, standardFontDataUrl: `${folder}standard_fonts/` };
  } catch {
    return {};
  }
}
