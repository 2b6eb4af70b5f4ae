import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes } from 'parse5';
import type { Heading } from '../../documents.ts';
import type { ParsedDocument } from './parsed.ts';

type ParentNode = DefaultTreeAdapterTypes.ParentNode;
type Element = DefaultTreeAdapterTypes.Element;

/** What no reader reads, or what stands on every page of a site. */
const SKIPPED = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'nav',
  'footer',
  'aside',
  'form',
  'iframe',
  'head',
]);
const BLOCKS = new Set([
  'p',
  'div',
  'section',
  'article',
  'main',
  'header',
  'ul',
  'ol',
  'li',
  'table',
  'tr',
  'blockquote',
  'pre',
  'figure',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'br',
  'hr',
  'dl',
  'dt',
  'dd',
  'details',
  'summary',
]);
const MAX_DEPTH = 500;

/** The readable text of a page: of its `main` or `article` where it has one. */
export function parseHtml(source: string): ParsedDocument {
  const document = parse(source);
  const root = find(document, 'main') ?? find(document, 'article') ?? find(document, 'body') ?? document;
  const writer = createWriter();
  write(root, writer, 0);
  // A heading inside another is written first.
  writer.headings.sort((a, b) => a.start - b.start);
  const title = textOf(find(document, 'title')) || writer.headings.find(({ level }) => level === 1)?.text;
  return { text: writer.text(), headings: writer.headings, metadata: {}, ...(title && { title }) };
}

function createWriter() {
  let text = '';
  const headings: Heading[] = [];
  return {
    headings,
    text: () => text.trimEnd(),
    inline: (raw: string) => {
      const clean = raw.replace(/\s+/g, ' ');
      text += text === '' || /\s$/.test(text) ? clean.trimStart() : clean;
    },
    verbatim: (raw: string) => {
      text += raw;
    },
    breakLine: () => {
      if (text !== '') text = `${text.trimEnd()}\n`;
    },
    length: () => text.length,
  };
}

function write(node: ParentNode, writer: ReturnType<typeof createWriter>, depth: number): void {
  if (depth > MAX_DEPTH) return;
  for (const child of node.childNodes) {
    if (defaultTreeAdapter.isTextNode(child)) {
      if ('tagName' in node && node.tagName === 'pre') writer.verbatim(child.value);
      else writer.inline(child.value);
    } else if (defaultTreeAdapter.isElementNode(child) && !SKIPPED.has(child.tagName)) {
      writeElement(child, writer, depth);
    }
  }
}

function writeElement(element: Element, writer: ReturnType<typeof createWriter>, depth: number): void {
  const block = BLOCKS.has(element.tagName);
  if (block) writer.breakLine();
  if (element.tagName === 'td' || element.tagName === 'th') writer.inline(' ');
  const start = writer.length();
  write(element, writer, depth + 1);
  const level = /^h([1-6])$/.exec(element.tagName)?.[1];
  if (level !== undefined) {
    const text = textOf(element);
    if (text !== '') writer.headings.push({ level: Number(level), start, text });
  }
  if (block) writer.breakLine();
}

function find(node: ParentNode, tagName: string, depth = 0): Element | undefined {
  if (depth > MAX_DEPTH) return undefined;
  for (const child of node.childNodes) {
    if (!defaultTreeAdapter.isElementNode(child)) continue;
    if (child.tagName === tagName) return child;
    const inner = find(child, tagName, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function textOf(element: Element | undefined): string {
  if (element === undefined) return '';
  const writer = createWriter();
  write(element, writer, 0);
  return writer.text().replace(/\s+/g, ' ').trim();
}
