/** What a robots.txt says to one robot. */
export interface Robots {
  mayFetch(url: URL): boolean;
  /** Seconds that it asks to be left between two requests, in milliseconds. */
  delayMs: number | undefined;
}

interface Rule {
  allow: boolean;
  pattern: string;
}

interface Group {
  agents: string[];
  rules: Rule[];
  delayMs: number | undefined;
}

/** RFC 9309 asks for at least 500 KiB to be read. */
const MAX_TEXT = 512 * 1024;
const MAX_RULES = 10_000;
const MAX_PATTERN = 2_000;
const MAX_DELAY_MS = 60_000;

/** Everything may be fetched. */
export const OPEN: Robots = { mayFetch: () => true, delayMs: undefined };
/** Nothing may: a site that cannot say what it allows allows nothing (RFC 9309, 2.3.1.4). */
export const CLOSED: Robots = { mayFetch: () => false, delayMs: undefined };

/**
 * Reads a robots.txt (RFC 9309) for the robot of this name: all groups that name it, else those of `*`. The longest
 * matching rule decides, and of equally long ones the one that allows. `*` and a final `$` are known.
 */
export function parseRobots(text: string, robot: string): Robots {
  const groups = groupsOf(text.slice(0, MAX_TEXT));
  const name = robot.toLowerCase();
  const named = groups.filter(({ agents }) => agents.some((agent) => agent !== '*' && name === agent));
  const mine = named.length > 0 ? named : groups.filter(({ agents }) => agents.includes('*'));
  const rules = mine.flatMap((group) => group.rules).sort((a, b) => b.pattern.length - a.pattern.length);
  return {
    mayFetch: (url) => {
      const path = normal(url.pathname + url.search);
      if (path === '/robots.txt') return true;
      let decided: Rule | undefined;
      for (const rule of rules) {
        if (decided !== undefined && rule.pattern.length < decided.pattern.length) break;
        if ((decided === undefined || rule.allow) && matches(rule.pattern, path)) decided = rule;
      }
      return decided?.allow ?? true;
    },
    delayMs: mine.find(({ delayMs }) => delayMs !== undefined)?.delayMs,
  };
}

function groupsOf(text: string): Group[] {
  const groups: Group[] = [];
  let isHead = false;
  let rules = 0;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, field = '', value = ''] = /^\s*([A-Za-z-]+)\s*:\s*([^#]*)/.exec(line) ?? [];
    const word = value.trim();
    const group = groups.at(-1);
    switch (field.toLowerCase()) {
      case 'user-agent': {
        const agent = (/^[^\s/]+/.exec(word)?.[0] ?? '').toLowerCase();
        if (isHead && group !== undefined) group.agents.push(agent);
        else groups.push({ agents: [agent], rules: [], delayMs: undefined });
        isHead = true;
        break;
      }
      case 'allow':
      case 'disallow':
        isHead = false;
        if (group !== undefined && word !== '' && word.length <= MAX_PATTERN && ++rules <= MAX_RULES) {
          group.rules.push({ allow: field.toLowerCase() === 'allow', pattern: normal(word) });
        }
        break;
      case 'crawl-delay': {
        isHead = false;
        const seconds = Number(word);
        if (group !== undefined && word !== '' && seconds >= 0) group.delayMs = Math.min(seconds * 1_000, MAX_DELAY_MS);
        break;
      }
      default:
    }
  }
  return groups;
}

/** Octets are compared as they are written in a URL, in upper case. */
function normal(path: string): string {
  return path
    .replace(/[^\u0021-\u007e]/gu, (character) => encodeURIComponent(character.isWellFormed() ? character : ''))
    .replace(/%[0-9a-f]{2}/gi, (octet) => octet.toUpperCase());
}

/** Whether the pattern matches from the beginning. Pieces between stars are found one after the other: no backtracking. */
function matches(pattern: string, path: string): boolean {
  const isWhole = pattern.endsWith('$');
  const pieces = (isWhole ? pattern.slice(0, -1) : pattern).split('*');
  const [first = '', ...rest] = pieces;
  if (!path.startsWith(first)) return false;
  let at = first.length;
  const last = isWhole && rest.length > 0 ? rest.pop() : undefined;
  for (const piece of rest) {
    const found = path.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  if (!isWhole) return true;
  return last === undefined ? at === path.length : path.length - last.length >= at && path.endsWith(last);
}
