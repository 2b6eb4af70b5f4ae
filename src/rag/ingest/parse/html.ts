import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes } from 'parse5';
import type { Heading } from '../../documents.ts';
import type { ParsedDocument } from './parsed.ts';

type ParentNode = DefaultTreeAdapterTypes.ParentNode;
type Element = DefaultTreeAdapterTypes.Element;
type ChildNode = DefaultTreeAdapterTypes.ChildNode;

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
/** So many links that are so much of the text of a list make it a menu. */
const MANY_LINKS = 5;
const ALL_LINKS = 0.85;
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
  const document = parse(closedEmptyElements(source));
  const body = find(document, 'body') ?? document;
  const writer = createWriter();
  write(contentOf(body), writer, 0);
  // A heading inside another is written first.
  writer.headings.sort((a, b) => a.start - b.start);
  const title = textOf(find(document, 'title')) || writer.headings.find(({ level }) => level === 1)?.text;
  return { text: writer.text(), headings: writer.headings, metadata: {}, ...(title && { title }) };
}

/** How a page in XHTML begins, as the chapters of books and many generated manuals do. */
const XHTML = /^[\s\uFEFF]*<\?xml\b|<!DOCTYPE[^<>]*XHTML|<html[^<>]*\sxmlns\s*=/i;
const VOID = new Set('area base br col embed hr img input link meta param source track wbr'.split(' '));
/** Their children are read as XML, where such ends hold. */
const FOREIGN = /^(?:svg|math)\b/i;

/** In XHTML `<a id="x"/>` and `<script src="x"/>` are over; read as HTML they would swallow what follows them. */
function closedEmptyElements(source: string): string {
  if (!XHTML.test(source.slice(0, 1_000))) return source;
  return source.replace(/<([a-z][\w-]*)(\s[^<>]*)?\/>/gi, (whole, name: string, attributes: string | undefined) =>
    VOID.has(name.toLowerCase()) || FOREIGN.test(name) ? whole : `<${name}${attributes ?? ''}></${name}>`,
  );
}

/** The element that holds what the page is about: its `main` or only `article`, if that holds a fair share of it. */
function contentOf(body: ParentNode): ParentNode {
  const measure = createMeasure();
  const whole = measure(body).text;
  const root = [isMain, isArticle].flatMap((matches) => {
    const found = findAll(body, matches);
    const [only] = found;
    return only !== undefined && found.length === 1 && measure(only).text >= whole * LEAST ? only : [];
  })[0];
  const content = root ?? body;
  const length = measure(content).text;
  const kept = new Map<ParentNode, ChildNode[]>();
  removeFurniture(content, { most: length * MOST, kept, measure }, 0);
  // A page that is all links, an index, is read as it is.
  if (createMeasure()(content).text < length * LEAST) for (const [node, children] of kept) node.childNodes = children;
  return content;
}

const isMain = (element: Element): boolean => element.tagName === 'main' || attribute(element, 'role') === 'main';
const isArticle = (element: Element): boolean => element.tagName === 'article';

/** Takes out what is named as furniture, and lists of links, unless it is most of the text. */
function removeFurniture(
  node: ParentNode,
  page: { most: number; kept: Map<ParentNode, ChildNode[]>; measure: MeasureOf },
  depth: number,
): void {
  if (depth > MAX_DEPTH) return;
  const children = node.childNodes;
  const left = children.filter((child) => {
    if (!defaultTreeAdapter.isElementNode(child)) return true;
    const isNamed = FURNITURE.test(`${attribute(child, 'class')} ${attribute(child, 'id')}`.slice(0, 500));
    if ((isNamed || isLinkList(child, page.measure)) && page.measure(child).text < page.most) return false;
    removeFurniture(child, page, depth + 1);
    return true;
  });
  if (left.length === children.length) return;
  page.kept.set(node, children);
  node.childNodes = left;
}

/** A list or table that is little but links: a menu, or a table of contents. */
function isLinkList(element: Element, measure: MeasureOf): boolean {
  if (!/^(?:ul|ol|dl|table|div)$/.test(element.tagName)) return false;
  const { text, linked, links } = measure(element);
  return links >= MANY_LINKS && linked >= text * ALL_LINKS;
}

/** How much text a node has, and how much of it in how many links. */
interface Measure {
  text: number;
  linked: number;
  links: number;
}

type MeasureOf = (node: ParentNode, depth?: number) => Measure;

/** Measures every node once, however often it is asked for. */
function createMeasure(): MeasureOf {
  const known = new WeakMap<ParentNode, Measure>();
  const measure: MeasureOf = (node, depth = 0) => {
    const before = known.get(node);
    if (before !== undefined) return before;
    const sum: Measure = { text: 0, linked: 0, links: 0 };
    for (const child of depth > MAX_DEPTH ? [] : node.childNodes) {
      if (defaultTreeAdapter.isTextNode(child)) sum.text += child.value.trim().length;
      else if (defaultTreeAdapter.isElementNode(child) && !isSkipped(child)) {
        const inner = measure(child, depth + 1);
        // Without an address it is a mark that links lead to, and may stand around anything.
        const isLink = child.tagName === 'a' && attribute(child, 'href') !== '';
        sum.text += inner.text;
        sum.linked += isLink ? inner.text : inner.linked;
        sum.links += isLink ? 1 : inner.links;
      }
    }
    known.set(node, sum);
    return sum;
  };
  return measure;
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
  const endLine = (end: string): void => {
    const line = open.endsWith(' | ') ? open.slice(0, -3) : open.trimEnd();
    open = '';
    if (line === '') return;
    lines.push(line + end);
    written += line.length + end.length;
  };
  return {
    headings,
    text: () => (lines.join('') + open).trimEnd(),
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
    /** Ends a paragraph, a heading, an item or a row: a blank line says that no sentence runs on over it. */
    endBlock: () => {
      endLine('\n\n');
    },
    breakLine: () => {
      endLine('\n');
    },
    length: () => written + open.length,
    lines: () => lines.length,
    /** What was written after so many lines, as one line of bounded length. */
    since: (line: number) => [...lines.slice(line, line + 5), open].join(' ').replace(/\s+/g, ' ').trim().slice(0, 500),
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
  if (tagName === 'a' && isSign(element)) return;
  const isBlock = BLOCKS.has(tagName);
  if (place === 'row') {
    if (tagName === 'td' || tagName === 'th') writer.nextCell();
    write(element, writer, depth + 1, place);
    if (isBlock) writer.inline(' ');
    return;
  }
  const end = tagName === 'br' ? writer.breakLine : writer.endBlock;
  if (isBlock || tagName === 'td' || tagName === 'th') end();
  const start = writer.length();
  const line = writer.lines();
  const isRow = tagName === 'tr' && findAll(element, holdsLines).length === 0;
  write(element, writer, depth + 1, isRow ? 'row' : tagName === 'pre' ? 'code' : place);
  const level = /^h([1-6])$/.exec(tagName)?.[1];
  if (level !== undefined) {
    const text = writer.since(line);
    if (text !== '') writer.headings.push({ level: Number(level), start, text });
  }
  if (isBlock) end();
}

function isSign(link: Element): boolean {
  const [only, ...more] = link.childNodes;
  if (only === undefined || more.length > 0 || !defaultTreeAdapter.isTextNode(only)) return false;
  return attribute(link, 'href').startsWith('#') && /^\s{0,9}[#¶§]\s{0,9}$/.test(only.value);
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
