/** Text on its way out, with what holds an address made inert. */
export interface LinkGuard {
  /** @returns what can go out; the rest waits for what follows it. */
  push(text: string): string;
  /** @returns what was left. */
  end(): string;
  /** Where an offset of the text that came in stands in what went out. */
  moved(offset: number): number;
}

/** Longest image, address or fence line that is waited for. */
const LONGEST = 2_000;
const IMAGE = /^!\[([^\]]{0,500})\](?:\([^)]{0,1500}\)|\[[^\]]{0,200}\])/;
const UNFINISHED_IMAGE = /^!\[[^\]]{0,500}(?:\](?:\([^)]*|\[[^\]]*)?)?$/;
const LINK_END = /^\]\(\s*<?([^\s<>)]{1,1500})>?(?:\s+"[^"\n]{0,200}")?\s*\)/;
const UNFINISHED_LINK_END = /^\]\([^)\n]*$/;
const ADDRESS_START = /^(?:https?:\/\/|ftp:\/\/|www\.)/i;
const ADDRESS = /^[^\s<>"'`\u3000-\u303f\uff01-\uff0f]+/;
const STARTS = ['http://', 'https://', 'ftp://', 'www.'];
/** `<collection>` in the middle of a line is a word in brackets; HTML elements are not. */
const PLACEHOLDER = /^<[a-z][a-z0-9_-]{0,40}>/i;
const UNFINISHED_TAG = /^<[a-z]?[a-z0-9_-]{0,40}$/i;
const ELEMENT =
  /^<(?:a|abbr|address|applet|area|article|aside|audio|b|base|basefont|bdi|bdo|big|blockquote|body|br|button|canvas|caption|center|cite|code|col|colgroup|data|datalist|dd|del|details|dfn|dialog|dir|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|image|img|input|ins|kbd|label|legend|li|link|main|map|mark|marquee|math|menu|menuitem|meta|meter|nav|noframes|noscript|object|ol|optgroup|option|output|p|param|picture|pre|progress|q|rp|rt|ruby|s|samp|script|search|section|select|slot|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|time|title|tr|track|u|ul|use|var|video|wbr|xmp)\b/i;

/**
 * Makes the addresses in an answer inert, because a document may have put them there to have them opened or to carry
 * words of the conversation away: images become their description, links and bare addresses text that no reader of
 * Markdown turns into a link, HTML becomes text. What stands in code stays as it is, and so do addresses that
 * `isAllowed` knows. Reads CommonMark with GFM's autolinks; where readers could disagree on what is code, nothing is.
 */
export function createLinkGuard(options: { isAllowed: (address: string) => boolean }): LinkGuard {
  const { isAllowed } = options;
  let pending = '';
  let fence: string | undefined;
  let lineStart = true;
  /** A run of backticks of this paragraph has no partner on its line: from here on none is trusted. */
  let unpaired = false;
  let before = '';
  let taken = 0;
  let given = 0;
  const edits: { at: number; by: number }[] = [];

  /** What the text at the head becomes: how much of it, and by what; undefined where more must be known first. */
  function step(text: string, final: boolean): { length: number; by: string } | undefined {
    const newline = text.indexOf('\n');
    const line = newline < 0 ? text : text.slice(0, newline);
    const waits = !final && text.length < LONGEST;
    if (fence !== undefined || (lineStart && /^(?:`{3}|~{3}|`{1,2}$|~{1,2}$)/.test(line))) {
      if (newline < 0 && waits) return undefined;
      const opening = /^(`{3,}|~{3,})(.*)$/.exec(line);
      if (fence !== undefined) {
        if (new RegExp(`^ {0,3}${fence.charAt(0)}{${fence.length},}\\s*$`).test(line)) fence = undefined;
        return verbatim(newline < 0 ? text : text.slice(0, newline + 1));
      }
      if (opening !== null && !(line.startsWith('`') && opening[2]?.includes('`'))) {
        fence = opening[1];
        return verbatim(newline < 0 ? text : text.slice(0, newline + 1));
      }
    }
    const first = text.charAt(0);
    switch (first) {
      case '\n':
        if (/^\n[^\S\n]*\n/.test(text)) unpaired = false;
        else if (/^\n[^\S\n]*$/.test(text) && waits) return undefined;
        return verbatim(first);
      case '\\':
        return text.length === 1 && waits ? undefined : verbatim(text.slice(0, 2));
      case '`':
        return code(text, line, newline < 0 && waits);
      case '!': {
        if (text.charAt(1) !== '[') return text.length === 1 && waits ? undefined : verbatim(first);
        const image = IMAGE.exec(text);
        if (image !== null) return { length: image[0].length, by: (image[1] ?? '').replaceAll(/[<>`[\]]/g, '') };
        return waits && UNFINISHED_IMAGE.test(text) ? undefined : { length: 1, by: '' };
      }
      case ']': {
        const next = text.charAt(1);
        if (next === '' && waits) return undefined;
        if (next === ':') return { length: 1, by: '] ' };
        if (next !== '(') return verbatim(first);
        const link = LINK_END.exec(text);
        if (link === null && waits && UNFINISHED_LINK_END.test(text)) return undefined;
        return link !== null && isAllowed(link[1] ?? '') ? verbatim(link[0]) : { length: 1, by: '] ' };
      }
      case '<': {
        if (text.length === 1 && waits) return undefined;
        if (!/^<[a-z/!?]/i.test(text)) return verbatim(first);
        if (!lineStart && waits && UNFINISHED_TAG.test(text)) return undefined;
        const isWord = !lineStart && PLACEHOLDER.test(text) && !ELEMENT.test(text);
        return isWord ? verbatim(first) : { length: 1, by: '‹' };
      }
      default:
        return address(text, waits) ?? undefined;
    }
  }

  /** A run of backticks with its partner on the line is code; without one it is text. */
  function code(text: string, line: string, waits: boolean): { length: number; by: string } | undefined {
    const run = /^`+/.exec(text)?.[0] ?? '';
    const partner = new RegExp(`(?<!\`)${run}(?!\`)`).exec(line.slice(run.length));
    if (partner !== null && !unpaired && !(waits && run.length + partner.index + run.length === line.length))
      return verbatim(text.slice(0, run.length + partner.index + run.length));
    if (waits) return undefined;
    unpaired ||= partner === null;
    return verbatim(run);
  }

  function address(text: string, waits: boolean): { length: number; by: string } | undefined {
    const first = text.charAt(0);
    if (/[\p{L}\d]/u.test(before)) return verbatim(first);
    if (
      waits &&
      STARTS.some((start) => start.startsWith(text.toLowerCase().slice(0, start.length)) && text.length < start.length)
    )
      return undefined;
    if (!ADDRESS_START.test(text)) return verbatim(first);
    const whole = ADDRESS.exec(text)?.[0] ?? first;
    if (whole.length === text.length && waits) return undefined;
    const kept = whole.replace(/[.,;:!?)\]*_]+$/, '');
    if (isAllowed(kept)) return verbatim(kept);
    return { length: kept.length, by: unpaired ? kept.replace(/:\/\/|\./, '$& ') : `\`${kept}\`` };
  }

  function run(final: boolean): string {
    let out = '';
    let at = 0;
    while (at < pending.length) {
      const done = step(pending.slice(at, at + 2 * LONGEST), final);
      if (done === undefined) break;
      const { length, by } = done;
      before = pending.charAt(at + length - 1);
      lineStart = before === '\n' || (lineStart && before === ' ' && length === 1);
      at += length;
      out += by;
      if (by.length !== length) edits.push({ at: taken + at, by: by.length - length });
    }
    taken += at;
    given += out.length;
    pending = pending.slice(at);
    return out;
  }

  return {
    push: (text) => {
      pending += text;
      return run(false);
    },
    end: () => run(true),
    moved: (offset) => {
      let moved = offset;
      for (const { at, by } of edits) if (at <= offset) moved += by;
      return Math.max(0, Math.min(moved, given));
    },
  };
}

function verbatim(text: string): { length: number; by: string } {
  return { length: text.length, by: text };
}
