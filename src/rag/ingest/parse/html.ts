import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes } from 'parse5';
import type { Heading } from '../../documents.ts';
import type { ParsedDocument } from './parsed.ts';

type ParentNode = DefaultTreeAdapterTypes.ParentNode;
type Element = DefaultTreeAdapterTypes.Element;

/** What no reader reads, or what stands on every page of a site. */
const SKIPPED = new Set(
  'script style noscript template svg math nav footer aside form iframe head object canvas button select dialog'.split(
    ' ',
  ),
);
/** Roles by which other elements say that they are such. */
const SKIPPED_ROLES = new Set(['navigation', 'contentinfo', 'search', 'banner', 'complementary', 'menu', 'dialog']);
/** Classes and ids by which documentation and blogs mark what stands on every page. */
const FURNITURE =
  /(?:^|[\s_-])(?:nav(?:bar|header|footer|igation)?|sidebar|sphinxsidebar\w*|breadcrumbs?|footer|menu|headerlink|related|toc-?link|skip-?link|cookie-?\w{0,10}|share|social|pagination|prev-?next|advert\w{0,10})(?:$|[\s_-])/i;
/** A part that holds more of the page's text than this is its content, whatever it is called. */
const MOST = 0.5;
/** A `main` or `article` with less of the page's text than this is a teaser. */
const LEAST = 0.2;
const BLOCKS = new Set(
  (
    'p div section article main header ul ol li table tr caption blockquote pre figure figcaption h1 h2 h3 h4 h5 h6 ' +
    'br hr dl dt dd details summary address'
  ).split(' '),
);
const MAX_DEPTH = 500;

/**
 * The readable text of a page: of its content, without what stands around it on every page of a site. Rows of tables
 * are lines, code keeps its lines.
 */
export function parseHtml(source: string): ParsedDocument {
  const document = parse(source);
  const body = find(document, 'body') ?? document;
  const writer = createWriter();
  write(contentOf(body), writer, 0);
  // A heading inside another is written first.
  writer.headings.sort((a, b) => a.start - b.start);
  const title = textOf(find(document, 'title')) || writer.headings.find(({ level }) => level === 1)?.text;
  return { text: writer.text(), headings: writer.headings, metadata: {}, ...(title && { title }) };
}

/** The element that holds what the page is about: its `main` or only `article`, if that holds a fair share of it. */
function contentOf(body: ParentNode): ParentNode {
  const whole = lengthOf(body, 0);
  for (const matches of [isMain, isArticle]) {
    const found = findAll(body, matches);
    const [only] = found;
    if (only !== undefined && found.length === 1 && lengthOf(only, 0) >= whole * LEAST) return only;
  }
  removeFurniture(body, whole, 0);
  return body;
}

const isMain = (element: Element): boolean => element.tagName === 'main' || attribute(element, 'role') === 'main';
const isArticle = (element: Element): boolean => element.tagName === 'article';

/** Takes out what is named as furniture, unless it holds most of the text. */
function removeFurniture(node: ParentNode, whole: number, depth: number): void {
  if (depth > MAX_DEPTH) return;
  node.childNodes = node.childNodes.filter((child) => {
    if (!defaultTreeAdapter.isElementNode(child)) return true;
    const isNamed = FURNITURE.test(`${attribute(child, 'class')} ${attribute(child, 'id')}`.slice(0, 500));
    if (isNamed && lengthOf(child, 0) < whole * MOST) return false;
    removeFurniture(child, whole, depth + 1);
    return true;
  });
}

/** Code units of text that would be written of a node. */
function lengthOf(node: ParentNode, depth: number): number {
  if (depth > MAX_DEPTH) return 0;
  let length = 0;
  for (const child of node.childNodes) {
    if (defaultTreeAdapter.isTextNode(child)) length += child.value.trim().length;
    else if (defaultTreeAdapter.isElementNode(child) && !isSkipped(child)) length += lengthOf(child, depth + 1);
  }
  return length;
}

function isSkipped(element: Element): boolean {
  if (SKIPPED.has(element.tagName)) return true;
  const hidden = element.attrs.some(
    ({ name, value }) => name === 'hidden' || (name === 'aria-hidden' && value === 'true'),
  );
  return hidden || SKIPPED_ROLES.has(attribute(element, 'role'));
}

function attribute(element: Element, name: string): string {
  return element.attrs.find((each) => each.name === name)?.value ?? '';
}

type Writer = ReturnType<typeof createWriter>;

/** Collects lines. Only the open one is looked at again: a text is written in time that grows with its length. */
function createWriter() {
  const lines: string[] = [];
  let written = 0;
  let open = '';
  const headings: Heading[] = [];
  return {
    headings,
    text: () => [...lines, open].join('\n').trimEnd(),
    inline: (raw: string) => {
      const clean = raw.replace(/\s+/g, ' ');
      open += open === '' || /\s/.test(open.slice(-1)) ? clean.trimStart() : clean;
    },
    verbatim: (raw: string) => {
      open += raw;
    },
    /** Begins a cell of the row that the open line is. */
    nextCell: () => {
      if (open !== '' && !open.endsWith(' | ')) open = `${open.trimEnd()} | `;
    },
    breakLine: () => {
      const line = open.endsWith(' | ') ? open.slice(0, -3) : open.trimEnd();
      open = '';
      if (line === '') return;
      lines.push(line);
      written += line.length + 1;
    },
    length: () => written + open.length,
  };
}

/** Where the writer is: code keeps its lines, and a row of a table is one. */
type Place = 'text' | 'code' | 'row';

function write(node: ParentNode, writer: Writer, depth: number, place: Place = 'text'): void {
  if (depth > MAX_DEPTH) return;
  for (const child of node.childNodes) {
    if (defaultTreeAdapter.isTextNode(child)) {
      if (place === 'code') writer.verbatim(child.value);
      else writer.inline(child.value);
    } else if (defaultTreeAdapter.isElementNode(child) && !isSkipped(child)) {
      writeElement(child, writer, depth, place);
    }
  }
}

function writeElement(element: Element, writer: Writer, depth: number, place: Place): void {
  const { tagName } = element;
  // The sign that links to a heading is not part of it.
  if (tagName === 'a' && /(?:^|\s)(?:headerlink|anchor)(?:$|\s)/.test(attribute(element, 'class'))) return;
  const isBlock = BLOCKS.has(tagName);
  if (place === 'row') {
    if (tagName === 'td' || tagName === 'th') writer.nextCell();
    write(element, writer, depth + 1, place);
    if (isBlock) writer.inline(' ');
    return;
  }
  if (isBlock || tagName === 'td' || tagName === 'th') writer.breakLine();
  const start = writer.length();
  const isRow = tagName === 'tr' && findAll(element, holdsLines).length === 0;
  write(element, writer, depth + 1, isRow ? 'row' : tagName === 'pre' ? 'code' : place);
  const level = /^h([1-6])$/.exec(tagName)?.[1];
  if (level !== undefined) {
    const text = textOf(element);
    if (text !== '') writer.headings.push({ level: Number(level), start, text });
  }
  if (isBlock) writer.breakLine();
}

/** What makes of the row around it a way to lay out a page. */
function holdsLines({ tagName }: Element): boolean {
  return /^(?:table|pre|ul|ol|dl|h[1-6]|blockquote)$/.test(tagName);
}

function findAll(node: ParentNode, matches: (element: Element) => boolean, depth = 0): Element[] {
  if (depth > MAX_DEPTH) return [];
  return node.childNodes.flatMap((child) => {
    if (!defaultTreeAdapter.isElementNode(child)) return [];
    return matches(child) ? [child] : findAll(child, matches, depth + 1);
  });
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
