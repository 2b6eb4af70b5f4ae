import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { UnreadableFile } from './parsed.ts';

export interface XmlHandlers {
  /** `name` is without its prefix; attributes keep theirs. */
  open?: (name: string, attributes: Readonly<Record<string, string>>) => void;
  close?: (name: string) => void;
  text?: (text: string) => void;
}

const MAX_DEPTH = 256;

/**
 * Reads XML as events. Entities other than the five of XML are errors, and no document type is read: nothing
 * expands and nothing is fetched, whatever a DTD declares (saxes has no DTD processing at all).
 * @throws UnreadableFile where it is not well-formed or nested deeper than 256 levels.
 */
export function readXml(xml: string, handlers: XmlHandlers): void {
  const parser = new SaxesParser({ xmlns: false, position: false });
  let depth = 0;
  parser.on('error', (cause) => {
    throw new UnreadableFile('its XML is not well-formed', { cause });
  });
  parser.on('opentag', (tag: SaxesTagPlain) => {
    if (++depth > MAX_DEPTH) throw new UnreadableFile(`its XML is nested deeper than ${MAX_DEPTH} levels`);
    handlers.open?.(localName(tag.name), tag.attributes);
  });
  parser.on('closetag', (tag: SaxesTagPlain) => {
    depth--;
    handlers.close?.(localName(tag.name));
  });
  if (handlers.text !== undefined) {
    parser.on('text', handlers.text);
    parser.on('cdata', handlers.text);
  }
  parser.write(xml).close();
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
